// Which connection a segment belongs to, and what it means for it.
#include "backends/pcap/tcp_tracker.h"

#include <algorithm>

namespace tracer {
namespace {

using State = WireFlow::State;

constexpr std::uint64_t time_max_ns = 1ULL << 62U;  // limits can be added without overflow
// A SYN-ACK out of the blue is believed where nothing else has passed for so long.
constexpr std::uint64_t quiet_ns = 1'000'000'000;
// After so many packets in a row that do not fit, the connection is taken up anew.
constexpr std::uint8_t strange_max = 16;
constexpr std::uint8_t scale_max = 14;

// `opener` has sent a SYN, perhaps with data, and nothing after it.
bool answers(const WireDirection& opener, std::uint32_t acknowledgment) {
  const std::uint32_t first = *opener.isn + 1;
  return acknowledgment - first <= static_cast<std::uint32_t>(opener.stream.next()) - first;
}

// No end sends more after its FIN: that one was not its own, or these are the packets of a connection that begins
// again.
bool ends_too_early(const WireDirection& direction, std::uint64_t begin, const TcpSegment& segment) {
  return direction.fin_end != 0 && begin >= direction.stream.seen_end() &&
         begin + segment.payload_size > direction.fin_end + 1;
}

// Whoever resets a connection sends nothing new on it: the RST was somebody else's, and nobody has heeded it.
bool goes_on(const WireFlow& flow, std::uint8_t from, const TcpSegment& segment) {
  const WireDirection& direction = flow.sent[from];
  if (flow.reset_by != from || segment.has(tcp_flag::rst) || segment.payload_size < 2) return false;
  const std::uint64_t begin = direction.stream.extend(segment.sequence);
  return direction.stream.plausible(begin) && begin >= std::max(direction.stream.seen_end(), direction.fin_end);
}

}  // namespace

bool TcpTracker::port_wanted(const TcpSegment& segment) const {
  return ports_.empty() || std::ranges::any_of(ports_, [&](std::uint16_t port) {
           return port == segment.source.port || port == segment.destination.port;
         });
}

void TcpTracker::on_segment(const TcpSegment& segment, EventTime at, EventHandler& handler) {
  handler_ = &handler;
  at_ = EventTime{std::min(at.ns, time_max_ns)};
  now_ = std::max(now_, at_);
  expire();
  look_at_holes();
  // A socket that is connected to itself: which way a packet went cannot be told.
  if (!port_wanted(segment) || segment.source == segment.destination) return;
  bool swapped = false;
  const FlowKey key = flow_key(segment.source, segment.destination, swapped);
  const std::uint32_t hash = map_.hash(key);
  const Slot slot = map_.find(hash, [&](Slot it) { return flows_[it].key == key; });
  if (slot == FlowMap::none) return begin(segment, key, hash, swapped);

  const WireFlow& flow = flows_[slot];
  const std::uint8_t from = swapped == flow.local_is_low ? 1 : 0;
  if (segment.has(tcp_flag::syn) && !on_syn(slot, from, segment, swapped)) return;
  touch(slot, from);
  if (flow.state == State::alias) {
    ++counters_.alias_packets;
    return;
  }
  if (flow.state == State::closed) {
    if (goes_on(flow, from, segment)) return begin_again(slot, segment, swapped);
    counters_.known_bytes += segment.payload_size;
    return;
  }
  if (segment.has(tcp_flag::rst)) return on_reset(slot, from, segment);
  if (flow.state == State::opening) {
    if (!segment.has(tcp_flag::syn)) {
      if (!on_first_answer(slot, from, segment)) return;
    } else if (segment.payload_size == 0) {
      return;
    } else if (!flow.told) {
      tell_opened(slot);
    }
  }
  on_data(slot, from, segment);
}

void TcpTracker::begin(const TcpSegment& segment, const FlowKey& key, std::uint32_t hash, bool swapped) {
  const bool syn = segment.has(tcp_flag::syn), ack = segment.has(tcp_flag::ack);
  if (segment.has(tcp_flag::rst)) return;
  // What may be the end of a connection, or a probe whether it is still there, is nothing to begin with.
  const bool probe = segment.payload_size == 1 && !segment.has(tcp_flag::psh);
  if (!syn && (segment.payload_size == 0 || probe)) return;

  const std::uint8_t from = syn && ack ? 1 : 0;
  const Slot slot = create(key, hash, swapped == (from == 1));
  WireFlow& flow = flows_[slot];
  flow.heard = static_cast<std::uint8_t>(1U << from);
  WireDirection &mine = flow.sent[from], &theirs = flow.sent[1 - from];
  mine.stream.start(segment.sequence + (syn ? 1 : 0));
  if (syn) {
    mine.isn = segment.sequence;
    mine.window_scale = segment.window_scale;
  }
  if (ack) {
    theirs.stream.start(segment.acknowledgment);
    if (syn) theirs.isn = segment.acknowledgment - 1;
    flow.state = State::open;
  }
  flow.preexisting = !syn;
  if (flow.preexisting) flow.state = State::open;
  if (syn && !ack && segment.payload_size == 0) return;  // told when it is answered
  const bool alias =
      ack && (syn ? is_alias(slot, *theirs.isn, *mine.isn) : is_alias(slot, segment.sequence, segment.acknowledgment));
  if (alias) return;
  tell_opened(slot);
  on_data(slot, from, segment);
}

void TcpTracker::begin_again(Slot slot, const TcpSegment& segment, bool swapped) {
  const FlowKey key = flows_[slot].key;
  const std::uint32_t hash = flows_[slot].hash;
  close(slot);
  forget(slot);
  begin(segment, key, hash, swapped);
}

bool TcpTracker::on_syn(Slot slot, std::uint8_t from, const TcpSegment& segment, bool swapped) {
  WireFlow& flow = flows_[slot];
  WireDirection &mine = flow.sent[from], &theirs = flow.sent[1 - from];
  const bool ack = segment.has(tcp_flag::ack);
  if (mine.isn == segment.sequence) return true;  // again
  if (flow.state == State::closed || flow.state == State::alias) {
    begin_again(slot, segment, swapped);
    return false;
  }
  if (flow.state == State::opening && !mine.isn) {
    if (ack && !answers(theirs, segment.acknowledgment)) return false;
    mine.isn = segment.sequence;
    mine.window_scale = segment.window_scale;
    if (!mine.stream.started()) mine.stream.start(segment.sequence + 1);
    flow.state = State::open;
    if (!flow.told) {
      if (is_alias(slot, *flow.sent[0].isn, *flow.sent[1].isn)) return true;
      tell_opened(slot);
    }
    return true;
  }
  if (!ack) {
    if (flow.state == State::opening && from == 0) {
      begin_again(slot, segment, swapped);
    } else {  // may be nonsense: the answer will say
      flow.stray_isn = segment.sequence;
      flow.stray_from = from;
    }
    return false;
  }
  const bool answered = flow.stray_isn && flow.stray_from != from && segment.acknowledgment == *flow.stray_isn + 1;
  if (answered || flow.last_at.ns + quiet_ns <= now_.ns) begin_again(slot, segment, swapped);
  return false;
}

// The SYN-ACK was not seen. False: this is no answer to the SYN either.
bool TcpTracker::on_first_answer(Slot slot, std::uint8_t from, const TcpSegment& segment) {
  WireFlow& flow = flows_[slot];
  WireDirection &client = flow.sent[0], &server = flow.sent[1];
  if (!segment.has(tcp_flag::ack)) return false;
  if (from == 0) {
    if (segment.sequence != *client.isn + 1) return false;
    server.isn = segment.acknowledgment - 1;
    if (!server.stream.started()) server.stream.start(segment.acknowledgment);
  } else {
    if (!answers(client, segment.acknowledgment)) return false;
    if (!server.stream.started()) server.stream.start(segment.sequence);
  }
  flow.state = State::open;
  if (!flow.told) {
    if (server.isn && is_alias(slot, *client.isn, *server.isn)) return false;
    tell_opened(slot);
  }
  return true;
}

void TcpTracker::on_data(Slot slot, std::uint8_t from, const TcpSegment& segment) {
  WireFlow& flow = flows_[slot];
  WireDirection& direction = flow.sent[from];
  const std::uint32_t first = segment.sequence + (segment.has(tcp_flag::syn) ? 1 : 0);
  if (!direction.stream.started()) direction.stream.start(first);
  const std::uint64_t begin = direction.stream.extend(first);
  if (!direction.stream.plausible(begin)) return strange(slot);
  if (segment.has(tcp_flag::ack) && !note_acknowledgment(slot, from, segment)) return strange(slot);
  flow.strange = 0;
  if (ends_too_early(direction, begin, segment)) return begin_again(slot, segment, (from == 1) == flow.local_is_low);

  std::uint64_t end = begin + segment.payload_size;
  if (direction.fin_end != 0) end = std::min(end, direction.fin_end);
  if (begin < end) {
    counters_.known_bytes += direction.stream.add(begin, end, [&](std::uint64_t piece, std::uint64_t piece_end) {
      tell_piece(slot, from, piece, piece_end, begin, segment.payload);
    });
    if (!direction.stream.behind_holes().empty()) {
      note_hole(slot, from);
      if (direction.stream.behind_holes().size() > limits_.ranges_max) look_at_hole(slot, from);
    }
  }
  if (segment.has(tcp_flag::fin)) on_fin(slot, from, begin + segment.payload_size);
  if (flow.sent[0].fin_acked && flow.sent[1].fin_acked) close(slot);
}

bool TcpTracker::note_acknowledgment(Slot slot, std::uint8_t from, const TcpSegment& segment) {
  WireDirection& direction = flows_[slot].sent[1 - from];
  if (!direction.stream.started()) direction.stream.start(segment.acknowledgment);
  std::uint64_t acked = direction.stream.extend(segment.acknowledgment);
  if (!direction.stream.plausible(acked)) return false;
  const std::uint8_t scale = flows_[slot].sent[from].window_scale.value_or(scale_max);
  direction.window_end = std::max(direction.window_end, acked + (static_cast<std::uint64_t>(segment.window) << scale));
  if (direction.fin_end != 0 && acked > direction.fin_end) {
    direction.fin_acked = true;
    acked = direction.fin_end;
  }
  if (acked > direction.acked) {
    direction.acked = acked;
    if (acked > direction.stream.next()) note_hole(slot, static_cast<std::uint8_t>(1 - from));
  }
  return true;
}

void TcpTracker::on_fin(Slot slot, std::uint8_t from, std::uint64_t end) {
  WireDirection& direction = flows_[slot].sent[from];
  if (direction.fin_end != 0 || end < direction.stream.seen_end()) return;
  direction.fin_end = end;
  if (direction.acked > end) {
    direction.acked = end;
    direction.fin_acked = true;
  }
  tell_skipped(slot, from, direction.skipped_to);
  if (watcher_ != nullptr) watcher_->on_progress(id_of(slot), at_, *handler_);
  tell(at_, StreamEnded{id_of(slot), from == 0 ? Direction::tx : Direction::rx, end});
}

// Only what the receiver would believe ends a connection: anybody can send a RST.
void TcpTracker::on_reset(Slot slot, std::uint8_t from, const TcpSegment& segment) {
  const WireFlow& flow = flows_[slot];
  const WireDirection &mine = flow.sent[from], &theirs = flow.sent[1 - from];
  if (flow.state == State::opening && from == 1) {
    if (segment.has(tcp_flag::ack) && answers(theirs, segment.acknowledgment)) close(slot);
    return;
  }
  if (!mine.stream.started()) return;
  const std::uint64_t at = mine.stream.extend(segment.sequence);
  const std::uint64_t low = mine.acked != 0 ? mine.acked : mine.stream.next();
  if (at < low || at > std::max({mine.window_end, mine.stream.seen_end(), mine.fin_end + 1})) {
    ++counters_.strange_packets;
    return;
  }
  flows_[slot].reset_by = from;
  close(slot);
}

void TcpTracker::strange(Slot slot) {
  ++counters_.strange_packets;
  if (++flows_[slot].strange < strange_max) return;
  close(slot);
  forget(slot);
}

void TcpTracker::advance(EventTime now, EventHandler& handler) {
  handler_ = &handler;
  now_ = std::max(now_, EventTime{std::min(now.ns, time_max_ns)});
  at_ = now_;
  expire();
  look_at_holes();
}

void TcpTracker::finish(EventHandler& handler) {
  handler_ = &handler;
  at_ = now_;
  for (const List& list : {live_, unanswered_}) {
    for (Slot slot = list.oldest; slot != FlowMap::none; slot = flows_[slot].newer) {
      if (flows_[slot].state == State::alias) continue;
      if (!flows_[slot].told) tell_opened(slot);
      for (const std::uint8_t from : {std::uint8_t{0}, std::uint8_t{1}}) give_up_holes(slot, from);
    }
  }
}

}  // namespace tracer
