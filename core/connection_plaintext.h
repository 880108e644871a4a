// What a connection knows of the sessions of TLS libraries that it carries.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/analyzer.h"
#include "core/event.h"
#include "core/transaction_times.h"

namespace tracer {

struct ConnectionPlaintext {
  // Up to where one end told: its requests and its responses, as their sessions count.
  struct Told {
    bool countable = true;  // by one session, seen from its start: the other end's session counts alike
    std::array<std::uint64_t, 2> until{};
    EventTime at;  // the last moment of it
  };

  std::optional<Side> teller;  // the end that brought bytes first: its sessions alone are listened to
  std::optional<Side> client;  // as the protocol inside says
  std::string_view protocol;
  bool counted = false;
  std::uint64_t sessions = 0;  // that told
  std::uint64_t records = 0;   // that are told, or wait
  EventTime begun_at;          // when its first bytes were moved
  Told told;
  std::optional<Told> elsewhere;  // by the other end, before the two were known to be one connection

  void note(const RecordExtent& extent, EventTime last);
  // The other end, with bytes that were moved at that time, may tell instead; `by_whole_client`: it is the client, and
  // its session is seen from its start.
  [[nodiscard]] bool may_be_overtaken(EventTime first_at, bool by_whole_client) const;
  // The other end told of it.
  [[nodiscard]] bool was_told(const RecordExtent& extent) const;
};

}  // namespace tracer
