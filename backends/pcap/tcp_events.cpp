// What the tracker tells: pieces of streams, gaps, ends.
#include <algorithm>
#include <utility>

#include "backends/pcap/tcp_tracker.h"

namespace tracer {
namespace {

using Mode = StreamVerdict::Mode;

// How often flows with holes are looked at, in packet time.
constexpr std::uint64_t look_interval_ns = 1'000'000;
constexpr std::size_t flows_per_look = 512;

Direction direction_of(std::uint8_t from) { return from == 0 ? Direction::tx : Direction::rx; }

// How far the stream certainly went: by the end that finished it, or by both ends' word. A RST leaves bytes behind that
// nobody acknowledges any more.
std::optional<std::uint64_t> end_of(const WireFlow& flow, std::uint8_t from) {
  const WireDirection& direction = flow.sent[from];
  const std::uint64_t next = direction.stream.next();
  if (direction.fin_end != 0) return direction.fin_end;
  if (direction.acked != 0 && (direction.acked == next || (flow.reset_by && direction.acked < next))) return next;
  return std::nullopt;
}

}  // namespace

void TcpTracker::tell(EventTime at, decltype(Event::body) body) {
  ++counters_.events;
  handler_->on_event(Event{at, {}, std::move(body)});
}

void TcpTracker::tell_opened(Slot slot) {
  WireFlow& flow = flows_[slot];
  flow.told = true;
  const auto start = [](const WireDirection& direction) -> std::optional<std::uint64_t> {
    if (!direction.stream.started()) return std::nullopt;
    return direction.stream.next();
  };
  tell(flow.opened_at, FlowOpened{.flow = id_of(slot),
                                  .vantage = Vantage::wire,
                                  .local = flow.local(),
                                  .remote = flow.remote(),
                                  .role = flow.preexisting ? Role::unknown : Role::client,
                                  .preexisting = flow.preexisting,
                                  .offset_source = OffsetSource::sequence,
                                  .tx_offset = start(flow.sent[0]),
                                  .rx_offset = start(flow.sent[1])});
  if (watcher_ != nullptr) {
    watcher_->on_opened(id_of(slot), flow.local(), flow.remote(), flow.preexisting, at_, *handler_);
  }
}

// Of a SYN the first place it is seen at is the nearest to the client; that of the SYN-ACK, where `slot` was told, is
// the nearest to the server. Where neither was seen the same holds for the first packet that was.
void TcpTracker::tell_translated(Slot slot, const WireFlow& alias) {
  const WireFlow& flow = flows_[slot];
  FlowUpdated updated{};
  updated.flow = id_of(slot);
  if (flow.preexisting && alias.remote() != flow.remote()) updated.remote = alias.remote();
  const bool nearer = !flow.preexisting && !alias.preexisting && alias.serial < flow.serial;
  if (nearer && alias.local() != flow.local()) updated.local = alias.local();
  if (flow.told && (updated.local || updated.remote)) tell(at_, updated);
}

// [begin, end) of a segment was not seen before.
void TcpTracker::tell_piece(Slot slot, std::uint8_t from, std::uint64_t begin, std::uint64_t end,
                            std::uint64_t segment_begin, Bytes payload) {
  WireDirection& direction = flows_[slot].sent[from];
  const StreamVerdict verdict = direction.verdict;
  if (verdict.mode == Mode::quiet) return;
  if (!direction.data_told) {
    direction.data_told = true;
    if (watcher_ != nullptr) watcher_->on_progress(id_of(slot), at_, *handler_);
  }
  const std::uint64_t unwanted_until = verdict.mode == Mode::sizes ? end : verdict.skip_until;
  if (begin < unwanted_until) {
    // Held back, so that a long body costs one event: told with the packet that ends the range.
    if (direction.skipped_to != begin) tell_skipped(slot, from, direction.skipped_to);
    if (direction.skipped_from == direction.skipped_to) direction.skipped_from = begin;
    direction.skipped_to = std::min(end, unwanted_until);
    if (end < unwanted_until) return;
    tell_skipped(slot, from, direction.skipped_to);
    begin = unwanted_until;
    if (begin == end) return;
  } else {
    tell_skipped(slot, from, direction.skipped_to);
  }
  const std::size_t first = static_cast<std::size_t>(begin - segment_begin);
  const std::size_t size = static_cast<std::size_t>(end - begin);
  const Bytes bytes = first < payload.size() ? payload.subspan(first, std::min(size, payload.size() - first)) : Bytes{};
  tell(at_, FlowData{.flow = id_of(slot),
                     .layer = Layer::socket,
                     .direction = direction_of(from),
                     .offset = begin,
                     .moved = end - begin,
                     .bytes = bytes,
                     .rest = bytes.size() < size ? GapCause::snap_length : GapCause::none});
}

void TcpTracker::tell_skipped(Slot slot, std::uint8_t from, std::uint64_t until) {
  WireDirection& direction = flows_[slot].sent[from];
  if (direction.skipped_from >= until) return;
  const std::uint64_t begin = std::exchange(direction.skipped_from, until);
  if (direction.verdict.mode == Mode::quiet) return;
  tell(at_, FlowData{.flow = id_of(slot),
                     .layer = Layer::socket,
                     .direction = direction_of(from),
                     .offset = begin,
                     .moved = until - begin,
                     .bytes = {},
                     .rest = GapCause::verdict_skip});
}

// Nobody waits any more for what is missing between here and `end`.
void TcpTracker::tell_gap(Slot slot, std::uint8_t from, std::uint64_t end) {
  WireDirection& direction = flows_[slot].sent[from];
  const std::uint64_t begin = direction.stream.next();
  direction.stream.give_up(end);
  if (direction.hole_at != begin) direction.hole_since_ns = now_.ns;
  tell_skipped(slot, from, direction.skipped_to);
  if (has_dropped_ && has_dropped_()) note_loss();
  const bool lost = loss_at_ && loss_at_->ns + limits_.loss_memory_ns >= direction.hole_since_ns;
  (lost ? counters_.gap_bytes_lost : counters_.gap_bytes_absent) += end - begin;
  if (direction.verdict.mode == Mode::quiet) return;
  tell(at_, FlowData{.flow = id_of(slot),
                     .layer = Layer::socket,
                     .direction = direction_of(from),
                     .offset = begin,
                     .moved = end - begin,
                     .bytes = {},
                     .rest = lost ? GapCause::ring_full : GapCause::not_captured});
}

void TcpTracker::give_up_holes(Slot slot, std::uint8_t from) {
  WireDirection& direction = flows_[slot].sent[from];
  if (!direction.stream.started()) return;
  const std::uint64_t limit = std::max({direction.stream.seen_end(), direction.fin_end, direction.acked});
  // Without a FIN one acknowledged byte at the end may be a FIN that was not seen.
  const bool end_unsure = direction.fin_end == 0 && limit == direction.stream.seen_end() + 1;
  const std::uint64_t until = end_unsure ? limit - 1 : limit;
  if (end_unsure) direction.fin_end = until;
  while (const std::uint64_t end = direction.stream.hole_end(until)) tell_gap(slot, from, end);
  tell_skipped(slot, from, direction.skipped_to);
}

void TcpTracker::tell_closed(Slot slot) {
  const WireFlow& flow = flows_[slot];
  if (watcher_ != nullptr) watcher_->on_closing(id_of(slot), at_, *handler_);
  tell(at_, FlowClosed{.flow = id_of(slot),
                       .kernel_tx_bytes = {},
                       .kernel_rx_bytes = {},
                       .tx_end = end_of(flow, 0),
                       .rx_end = end_of(flow, 1)});
}

void TcpTracker::note_hole(Slot slot, std::uint8_t from) {
  WireFlow& flow = flows_[slot];
  WireDirection& direction = flow.sent[from];
  const bool acked = direction.acked > direction.stream.next();
  if (!acked && direction.stream.behind_holes().empty()) return;
  if (direction.hole_at != direction.stream.next()) {
    direction.hole_at = direction.stream.next();
    direction.hole_since_ns = now_.ns;
    direction.hole_acked_ns = 0;
  }
  if (acked && direction.hole_acked_ns == 0) direction.hole_acked_ns = now_.ns;
  if (flow.waiting) return;
  flow.waiting = true;
  waiting_.push_back(slot);
}

bool TcpTracker::look_at_hole(Slot slot, std::uint8_t from) {
  WireDirection& direction = flows_[slot].sent[from];
  for (;;) {
    const std::uint64_t limit = std::max(direction.acked, direction.stream.seen_end());
    const std::uint64_t end = direction.stream.hole_end(limit);
    if (end == 0) return false;
    note_hole(slot, from);
    // A single byte at the end may be a FIN that was not seen; what comes next will say.
    const bool may_be_fin = direction.stream.behind_holes().empty() && end == direction.stream.next() + 1;
    const bool acked_long = direction.hole_acked_ns != 0 &&
                            now_.ns >= direction.hole_acked_ns + limits_.hole_acknowledged_ns && !may_be_fin;
    const bool old = now_.ns >= direction.hole_since_ns + limits_.hole_ns && !may_be_fin;
    const bool crowded = direction.stream.behind_holes().size() > limits_.ranges_max;
    if (!acked_long && !old && !crowded) return true;
    if (crowded) ++counters_.ranges_limit_hits;
    tell_gap(slot, from, old || crowded ? end : std::min(end, direction.acked));
  }
}

void TcpTracker::look_at_holes() {
  if (now_.ns < next_look_ns_ || waiting_.empty()) return;
  // The more there are the less often, so that whoever makes many holes does not make much work.
  next_look_ns_ = now_.ns + look_interval_ns * (1 + waiting_.size() / flows_per_look);
  std::size_t kept = 0;
  for (const Slot slot : waiting_) {
    const bool tx = look_at_hole(slot, 0), rx = look_at_hole(slot, 1);
    flows_[slot].waiting = tx || rx;
    if (tx || rx) waiting_[kept++] = slot;
  }
  waiting_.resize(kept);
}

}  // namespace tracer
