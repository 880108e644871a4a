#include "core/stream_assembler.h"

#include <algorithm>
#include <utility>

namespace tracer {

StreamAssembler::StreamAssembler(StreamEnvironment& environment, StreamOutput& output, Side side)
    : environment_(environment), output_(output), side_(side) {}

StreamAssembler::~StreamAssembler() { environment_.bytes_held -= held_bytes_ + held_.size() * piece_overhead; }

void StreamAssembler::add_observer(Observer which, std::uint64_t shift, bool preexisting) {
  StreamObserver& it = observer(which);
  it.present = true;
  it.shift = shift;
  it.preexisting = preexisting;
}

void StreamAssembler::start(Observer which, std::uint64_t own_offset) {
  StreamObserver& it = observer(which);
  const std::uint64_t offset = own_offset + it.shift;
  it.start(offset, environment_);
  const bool release = std::exchange(start_expected_, false) && started_;
  if (!started_) {
    started_ = true;
    next_ = offset;
  } else if (delivered_ == 0) {
    next_ = std::min(next_, offset);
  }
  if (release) settle(last_at_);
}

void StreamAssembler::adopt_observer(Observer which, StreamObserver&& adopted, std::uint64_t delta) {
  StreamObserver& it = observer(which);
  it = std::move(adopted);
  const std::uint64_t its_first = it.first() + delta;
  if (it.started() && (!started_ || (delivered_ == 0 && its_first < next_))) {
    started_ = true;
    next_ = its_first;
  }
  it.adopt(delta, next_, environment_);
  start_expected_ = false;
}

void StreamAssembler::take_held(StreamAssembler& there, std::uint64_t delta) {
  if (ended_) return;
  for (const Held& held : there.held_) place(held.begin + delta, held.bytes, held.at);
  last_at_ = std::max(last_at_, there.last_at_);
  settle(last_at_);
}

std::uint64_t StreamAssembler::align(std::uint64_t own_offset) const {
  const std::uint64_t reference = started_ ? next_ : sequence_base + (own_offset & 0xffff'ffffU);
  // The difference to the nearest offset with the same low half, rounded to a multiple of 2^32.
  return (reference - own_offset + (1ULL << 31U)) & ~0xffff'ffffULL;
}

void StreamAssembler::add(Observer which, const FlowData& data, EventTime at) {
  StreamObserver& from = observer(which);
  if (!started_) first_at_ = at;
  last_at_ = at;
  const std::uint64_t begin = data.offset + from.shift;
  const std::uint64_t kept_end = begin + data.bytes.size();
  const std::uint64_t end = begin + std::max<std::uint64_t>(data.moved, data.bytes.size());
  if (!started_ || (delivered_ == 0 && begin < next_)) {
    started_ = true;
    next_ = begin;
  }
  from.note(begin, kept_end, end, data.rest, next_, environment_);
  const bool inside_skip = begin > skip_from_ && end < skip_until_;
  if (!inside_skip) {
    // What is said of packets that were not seen is not said when they passed.
    const bool seen = !from.patient || (data.rest != GapCause::not_captured && data.rest != GapCause::ring_full);
    environment_.counters.time_marks_dropped +=
        from.marks.add(begin, seen ? end : kept_end, at, environment_.limits.time_marks_max);
  }
  if (ended_) return;
  if (start_expected_) {
    hold(begin, data.bytes, at);
    start_expected_ = !over_limit();
  } else {
    place(begin, data.bytes, at);
  }
  if (next_ != end || !held_.empty() || observers_[0].ranges() + observers_[1].ranges() > 0) settle(at);
  end_if_over(at);
}

void StreamAssembler::place(std::uint64_t begin, Bytes bytes, EventTime at) {
  while (!bytes.empty()) {
    if (begin < next_) {
      const std::size_t known = static_cast<std::size_t>(std::min<std::uint64_t>(next_ - begin, bytes.size()));
      environment_.counters.duplicate_bytes += known;
      bytes = bytes.subspan(known);
      begin += known;
      continue;
    }
    if (begin > next_) {
      hold(begin, bytes, at);
      return;
    }
    if (!held_.empty() && held_.front().begin == next_) {
      deliver_held();
      continue;
    }
    std::size_t size = bytes.size();
    if (!held_.empty()) size = static_cast<std::size_t>(std::min<std::uint64_t>(size, held_.front().begin - next_));
    deliver(bytes.first(size), at);
    deliver_held();
    bytes = bytes.subspan(size);
    begin += size;
  }
}

void StreamAssembler::hold(std::uint64_t begin, Bytes bytes, EventTime at) {
  auto place = std::partition_point(held_.begin(), held_.end(), [&](const Held& held) { return held.end() <= begin; });
  while (!bytes.empty()) {
    if (place != held_.end() && place->begin <= begin) {  // the first bytes win
      const std::size_t known = static_cast<std::size_t>(std::min<std::uint64_t>(place->end() - begin, bytes.size()));
      environment_.counters.duplicate_bytes += known;
      bytes = bytes.subspan(known);
      begin += known;
      ++place;
      continue;
    }
    std::size_t size = bytes.size();
    if (place != held_.end()) size = static_cast<std::size_t>(std::min<std::uint64_t>(size, place->begin - begin));
    place = held_.insert(place, Held{begin, {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}, at});
    ++place;
    held_bytes_ += size;
    environment_.bytes_held += size + piece_overhead;
    bytes = bytes.subspan(size);
    begin += size;
  }
}

void StreamAssembler::deliver(Bytes bytes, EventTime at) {
  const std::uint64_t offset = next_;
  next_ += bytes.size();
  delivered_ += bytes.size();
  waiting_ = false;
  output_.on_stream_bytes(side_, offset, bytes, at);
}

void StreamAssembler::deliver_held() {
  std::size_t done = 0;
  while (done < held_.size() && held_[done].begin == next_) {
    held_bytes_ -= held_[done].bytes.size();
    environment_.bytes_held -= held_[done].bytes.size() + piece_overhead;
    deliver(held_[done].bytes, held_[done].at);
    ++done;
  }
  if (done > 0) held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(done));
}

void StreamAssembler::deliver_gap(const Hole& hole, EventTime at) {
  const std::uint64_t offset = next_, size = hole.end - next_;
  next_ = hole.end;
  delivered_ += size;
  waiting_ = false;
  environment_.counters.gap_bytes[static_cast<std::size_t>(hole.cause)] += size;
  // Not when the hole became certain, but when its last byte moved, where an observer told that.
  std::optional<EventTime> moved_at;
  for (const StreamObserver& it : observers_) {
    const auto told = it.marks.time_of(hole.end - 1);
    if (told && (!moved_at || *told < *moved_at)) moved_at = told;
  }
  output_.on_stream_gap(side_, offset, size, hole.cause, moved_at.value_or(at));
}

std::uint64_t StreamAssembler::hole_end() const {
  if (!held_.empty()) return held_.front().begin;
  std::uint64_t end = next_;
  for (const StreamObserver& it : observers_) {
    if (it.started()) end = std::max(end, it.passed());
  }
  return end;
}

// Who could still fill the hole that starts at next_ and reaches to `end` at most?
StreamAssembler::Hole StreamAssembler::judge(std::uint64_t end) const {
  Hole hole{Judgement::definite, end, GapCause::none};
  int cause_rank = 0;  // a bringing observer's own word counts most
  const auto offer_cause = [&](GapCause cause, int rank) {
    if (rank <= cause_rank) return;
    cause_rank = rank;
    hole.cause = cause;
  };
  for (const StreamObserver& it : observers_) {
    if (!it.present) continue;
    const bool able = it.brings_bytes && !it.ended;
    const StreamObserver::Range* range = it.range_from(next_);
    if (!it.has_passed(next_)) {
      if (able && !it.finished()) hole.judgement = Judgement::awaited;
      continue;
    }
    if (range == nullptr || range->begin > next_) {  // it brought them once; there is nothing more to come
      if (range != nullptr) hole.end = std::min(hole.end, range->begin);
      continue;
    }
    hole.end = std::min(hole.end, range->end);
    offer_cause(it.cause_of(*range, environment_), (it.brings_bytes ? 4 : 2) + (range->declared ? 1 : 0));
    // Beyond skip_until it only says that this end was asked for sizes then; the other one's bytes are wanted.
    const bool skipped = range->declared && range->cause == GapCause::verdict_skip;
    if (it.brings_bytes && skipped && next_ < it.skip_until) {
      return Hole{Judgement::definite, std::min(hole.end, it.skip_until), GapCause::verdict_skip};
    }
    if (!able || range->declared) continue;
    // A jump may be an event that comes late; not where events are known to have been lost meanwhile.
    const bool late = it.cause_of(*range, environment_) != GapCause::ring_full;
    if (it.patient)
      hole.judgement = Judgement::awaited;
    else if (late && hole.judgement == Judgement::definite)
      hole.judgement = Judgement::may_expire;
  }
  if (hole.cause == GapCause::none) hole.cause = GapCause::concurrent;
  return hole;
}

bool StreamAssembler::over_limit() const {
  const StreamLimits& limits = environment_.limits;
  const bool on_wire = observers_[0].patient || observers_[1].patient;
  return held_bytes_ > (on_wire ? limits.wire_bytes_held_max : limits.bytes_held_max) ||
         held_.size() > limits.pieces_held_max ||
         (held_bytes_ > 0 && environment_.bytes_held > limits.total_bytes_held_max) ||
         observers_[0].ranges() > limits.ranges_max || observers_[1].ranges() > limits.ranges_max;
}

void StreamAssembler::settle(EventTime at) {
  if (start_expected_) {
    if (at.ns < first_at_.ns + environment_.limits.hold_ns) return;
    start_expected_ = false;
  }
  for (;;) {
    deliver_held();
    for (StreamObserver& it : observers_) it.settle(next_, environment_);
    const std::uint64_t end = hole_end();
    if (end <= next_) {
      waiting_ = false;
      return;
    }
    const Hole hole = judge(end);
    bool give_up = hole.judgement == Judgement::definite;
    if (!give_up && over_limit()) {
      ++environment_.counters.held_limit_hits;
      give_up = true;
    }
    if (!give_up && hole.judgement == Judgement::may_expire) {
      if (!waiting_) {
        waiting_ = true;
        waiting_since_ = at;
      }
      give_up = at.ns >= waiting_since_.ns + environment_.limits.hold_ns;
    }
    if (!give_up) return;
    deliver_gap(hole, at);
  }
}

void StreamAssembler::force(EventTime at) {
  start_expected_ = false;
  for (;;) {
    deliver_held();
    for (StreamObserver& it : observers_) it.settle(next_, environment_);
    const std::uint64_t end = hole_end();
    if (end <= next_) return;
    deliver_gap(judge(end), at);
  }
}

void StreamAssembler::end(Observer which, std::optional<std::uint64_t> own_end, EventTime at) {
  StreamObserver& it = observer(which);
  if (!it.present || it.ended) return;
  if (own_end && it.started()) {
    const std::uint64_t end = *own_end + it.shift;
    // Nonsense (a number that went back, or far away) is not worth a gap; the ledger's witness reports it.
    if (end > it.passed() && end - it.passed() < (1ULL << 31U)) it.note_end(end, next_, environment_);
  }
  it.ended = true;
  if (ended_) return;
  settle(at);
  end_if_over(at);
}

void StreamAssembler::end_at(Observer which, std::uint64_t own_end, EventTime at) {
  StreamObserver& it = observer(which);
  // Of an observer that was never heard of it is not known whether it has bytes to tell of; its close will say.
  if (!it.present || it.ended) return;
  if (!it.started()) {
    if (!it.patient) return;
    it.shift = align(own_end);  // on the wire everything before the end has passed, or is declared
    start(which, own_end);
  }
  it.announced_end = own_end + it.shift;
  if (ended_) return;
  settle(at);
  end_if_over(at);
}

void StreamAssembler::end_if_over(EventTime at) {
  if (ended_) return;
  const StreamObserver& sender = observer(Observer::sender);
  const StreamObserver& receiver = observer(Observer::receiver);
  const bool all_ended = (!sender.present || sender.finished()) && (!receiver.present || receiver.finished());
  const bool sender_done =
      sender.present && sender.finished() && held_.empty() && (!sender.started() || next_ >= sender.passed());
  if (!all_ended && !sender_done) return;
  const auto awaits = [&](const StreamObserver& it) { return it.present && it.patient && !it.ended; };
  if ((awaits(sender) || awaits(receiver)) && hole_end() > next_) return;  // the end came before what is behind it
  force(at);
  ended_ = true;
  output_.on_stream_end(side_, StreamEnd::closed, at);
}

void StreamAssembler::on_time(EventTime now) {
  if ((waiting_ || (start_expected_ && started_)) && !ended_) settle(now);
}

void StreamAssembler::cut(EventTime at, StreamEnd how) {
  if (ended_) return;
  force(at);
  ended_ = true;
  output_.on_stream_end(side_, how, at);
}

void StreamAssembler::skip(std::uint64_t until) {
  skip_from_ = next_;
  skip_until_ = until;
}

}  // namespace tracer
