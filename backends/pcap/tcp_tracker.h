// TCP segments in the order of their capture → events. Pure: knows no file, no interface and no clock.
//
// - One flow per connection, opened at the SYN-ACK, or at the first payload of one that was there before. A further
//   handshake on the same addresses is a further flow.
// - Bytes are told as they come, each once: of bytes seen twice the first win. What lies behind a hole is told at once;
//   the hole stays open until its bytes come, or is declared a gap: when the receiver has acknowledged it and it does
//   not come within a grace, after a longer time, when too many ranges lie behind it, or when the connection ends.
// - Two flows with equal initial sequence numbers on both sides at one time are one connection under two pairs of
//   addresses (an address translated between two interfaces): one flow, with the client's address as it is where its
//   packets are seen first, and the server's where the answers are.
// - A RST or FIN is believed until what it ended goes on: then that is a further flow from there.
// Nothing is copied. Nothing is allocated for a packet in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "backends/pcap/limits.h"
#include "backends/pcap/packet.h"
#include "backends/pcap/wire_flow.h"
#include "core/event.h"

namespace tracer {

struct TrackerCounters {
  std::uint64_t flows = 0;
  std::uint64_t flows_evicted = 0;
  std::uint64_t aliases = 0;
  std::uint64_t alias_packets = 0;
  std::uint64_t known_bytes = 0;       // seen again: retransmissions, probes, the same packet on another interface
  std::uint64_t strange_packets = 0;   // far outside what the connection could send now
  std::uint64_t gap_bytes_lost = 0;    // declared with cause ring_full
  std::uint64_t gap_bytes_absent = 0;  // declared with cause not_captured
  std::uint64_t ranges_limit_hits = 0;
  std::uint64_t events = 0;
};

// Told of flows beside the events, to look for their owners.
class FlowWatcher {
 public:
  // `preexisting`: its beginning was not seen.
  virtual void on_opened(FlowId flow, const Endpoint& local, const Endpoint& remote, bool preexisting, EventTime at,
                         EventHandler& handler) = 0;
  // Before the first bytes and the end of each direction are told.
  virtual void on_progress(FlowId flow, EventTime at, EventHandler& handler) = 0;
  // Before its end is told: the last word on it.
  virtual void on_closing(FlowId flow, EventTime at, EventHandler& handler) = 0;

 protected:
  ~FlowWatcher() = default;
};

class TcpTracker {
 public:
  // `ports`: connections with none of these are not tracked; empty: all are. `seed`: of the hash, where packets may
  // come from someone hostile. `watcher` may be null.
  TcpTracker(const PcapLimits& limits, std::vector<std::uint16_t> ports, std::uint64_t seed, FlowWatcher* watcher);

  void on_segment(const TcpSegment& segment, EventTime at, EventHandler& handler);
  // Time has passed without a packet. Never goes back.
  void advance(EventTime now, EventHandler& handler);
  // Nothing will come any more: holes become gaps. Flows stay open.
  void finish(EventHandler& handler);
  // The kernel has dropped packets: holes that show up soon are due to that.
  void note_loss() { loss_at_ = now_; }
  // Asked before a gap is put down to anything else: whether the kernel has dropped packets since it was asked last.
  void set_loss_check(std::function<bool()> has_dropped) { has_dropped_ = std::move(has_dropped); }
  void set_verdict(FlowId flow, Direction direction, StreamVerdict verdict);

  [[nodiscard]] const TrackerCounters& counters() const { return counters_; }
  [[nodiscard]] std::size_t flows() const { return map_.size(); }
  [[nodiscard]] EventTime now() const { return now_; }

 private:
  using Slot = FlowMap::Slot;
  struct List {
    Slot newest = FlowMap::none, oldest = FlowMap::none;
    std::size_t size = 0;
  };

  // tcp_tracker.cpp: which flow a segment belongs to, and what it means for it
  [[nodiscard]] bool port_wanted(const TcpSegment& segment) const;
  void begin(const TcpSegment& segment, const FlowKey& key, std::uint32_t hash, bool swapped);
  // False: the segment has nothing more to say.
  [[nodiscard]] bool on_syn(Slot slot, std::uint8_t from, const TcpSegment& segment, bool swapped);
  [[nodiscard]] bool on_first_answer(Slot slot, std::uint8_t from, const TcpSegment& segment);
  void on_data(Slot slot, std::uint8_t from, const TcpSegment& segment);
  void on_fin(Slot slot, std::uint8_t from, std::uint64_t end);
  void on_reset(Slot slot, std::uint8_t from, const TcpSegment& segment);
  [[nodiscard]] bool note_acknowledgment(Slot slot, std::uint8_t from, const TcpSegment& segment);
  void note_hole(Slot slot, std::uint8_t from);
  void begin_again(Slot slot, const TcpSegment& segment, bool swapped);
  void strange(Slot slot);

  // tcp_flows.cpp: the table
  Slot create(const FlowKey& key, std::uint32_t hash, bool local_is_low);
  void make_room();
  void forget(Slot slot);
  void touch(Slot slot, std::uint8_t from);
  void link(List& list, Slot slot);
  void unlink(List& list, Slot slot);
  [[nodiscard]] List& list_of(const WireFlow& flow) {
    return flow.state == WireFlow::State::closed ? closed_ : flow.answered() ? live_ : unanswered_;
  }
  [[nodiscard]] bool is_alias(Slot slot, std::uint32_t mine, std::uint32_t theirs);
  void close(Slot slot);
  void expire();
  void expire(const List& list);
  [[nodiscard]] FlowId id_of(Slot slot) const;

  // tcp_events.cpp: what is told
  void tell(EventTime at, decltype(Event::body) body);
  void tell_opened(Slot slot);
  void tell_translated(Slot slot, const WireFlow& alias);
  void tell_piece(Slot slot, std::uint8_t from, std::uint64_t begin, std::uint64_t end, std::uint64_t segment_begin,
                  Bytes payload);
  void tell_skipped(Slot slot, std::uint8_t from, std::uint64_t until);
  void tell_gap(Slot slot, std::uint8_t from, std::uint64_t end);
  void tell_closed(Slot slot);
  void give_up_holes(Slot slot, std::uint8_t from);
  void look_at_holes();
  // Whether a hole remains.
  bool look_at_hole(Slot slot, std::uint8_t from);

  PcapLimits limits_;
  std::vector<std::uint16_t> ports_;
  FlowWatcher* watcher_;
  EventHandler* handler_ = nullptr;  // of the call under way
  FlowMap map_;
  std::deque<WireFlow> flows_;
  std::vector<Slot> free_;
  std::vector<Slot> waiting_;  // flows with holes
  std::unordered_map<std::uint64_t, Slot> by_pair_;
  // By last packet. `unanswered_`: of which one end only was heard, be it a SYN or more: anybody can send these.
  List live_, unanswered_, closed_;
  EventTime at_;   // of the packet under way; may go back
  EventTime now_;  // the latest of all
  std::optional<EventTime> loss_at_;
  std::function<bool()> has_dropped_;
  std::uint64_t next_look_ns_ = 0, next_expiry_ns_ = 0;
  std::uint64_t serials_ = 0;
  TrackerCounters counters_;
};

}  // namespace tracer
