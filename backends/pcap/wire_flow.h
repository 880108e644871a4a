// What is known of one connection on the wire.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "backends/pcap/flow_map.h"
#include "backends/pcap/wire_stream.h"
#include "core/backend.h"

namespace tracer {

// What one end sends. `acked`, `window_end` and `fin_end` are offsets; 0: not known.
struct WireDirection {
  WireStream stream;
  std::uint64_t acked = 0;                         // the other end has everything before it
  std::uint64_t window_end = 0;                    // the other end takes nothing from here on
  std::uint64_t fin_end = 0;                       // its last byte is before this
  std::uint64_t skipped_from = 0, skipped_to = 0;  // not wanted and not told yet
  std::uint64_t hole_at = 0;                       // offset of the hole that is waited for
  std::uint64_t hole_since_ns = 0, hole_acked_ns = 0;
  std::optional<std::uint32_t> isn;
  std::optional<std::uint8_t> window_scale;  // of the windows that this end announces
  bool fin_acked = false;
  bool data_told = false;
  StreamVerdict verdict;
};

struct WireFlow {
  enum class State : std::uint8_t {
    opening,  // a SYN, and no word of the other end
    open,
    closed,  // late packets are known as such for a while
    alias,   // the packets of another flow under other addresses
  };
  FlowKey key;
  bool local_is_low = true;
  State state = State::opening;
  bool told = false;     // FlowOpened was
  bool waiting = false;  // in the list of flows with holes
  bool preexisting = false;
  std::uint8_t heard = 0;                // bit per end: a packet of it was seen
  std::optional<std::uint8_t> reset_by;  // the end whose RST closed it
  std::uint8_t strange = 0;              // implausible packets in a row
  std::uint32_t hash = 0;
  std::uint64_t serial = 0;  // 0: the slot is free
  std::uint64_t pair_key = 0;
  EventTime opened_at, last_at;
  // A SYN that belongs to no connection that is known, until it is answered.
  std::optional<std::uint32_t> stray_isn;
  std::uint8_t stray_from = 0;
  std::array<WireDirection, 2> sent;  // by the local end, by the remote end
  FlowMap::Slot newer = FlowMap::none, older = FlowMap::none;

  [[nodiscard]] bool answered() const { return heard == 3; }
  [[nodiscard]] const Endpoint& local() const { return local_is_low ? key.low : key.high; }
  [[nodiscard]] const Endpoint& remote() const { return local_is_low ? key.high : key.low; }
};

}  // namespace tracer
