#include "core/stream_observer.h"

#include <algorithm>

namespace tracer {

namespace {

// Late events are rare and not very late.
constexpr std::size_t retired_max = 16;
// On the wire every hole is declared in the end, also those that were given up for want of memory: as many as a capture
// side keeps open in one direction, and to spare.
constexpr std::size_t retired_patient_max = 128;

// Takes [begin, end) out of the undeclared ones among `ranges`, putting `instead` in its place if given, and tells
// `taken` of each piece.
template <typename Taken>
void cut_out(std::vector<StreamObserver::Range>& ranges, std::uint64_t begin, std::uint64_t end,
             const StreamObserver::Range* instead, Taken taken) {
  for (std::size_t i = 0; i < ranges.size();) {
    const StreamObserver::Range range = ranges[i];
    if (range.end <= begin || range.begin >= end || range.declared) {
      ++i;
      continue;
    }
    const std::uint64_t from = std::max(begin, range.begin), to = std::min(end, range.end);
    taken(range, to - from);
    std::array<StreamObserver::Range, 3> pieces;
    std::size_t count = 0;
    if (range.begin < from) (pieces[count++] = range).end = from;
    if (instead != nullptr) {
      pieces[count] = *instead;
      pieces[count].begin = from;
      pieces[count++].end = to;
    }
    if (to < range.end) (pieces[count++] = range).begin = to;
    const auto place = ranges.erase(ranges.begin() + static_cast<std::ptrdiff_t>(i));
    ranges.insert(place, pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(count));
    i += count;
  }
}

}  // namespace

void StreamObserver::start(std::uint64_t offset, const StreamEnvironment& environment) {
  if (started_) {
    // It began earlier than was thought: the first events overtook others.
    if (offset < first_ && first_ - offset < (1ULL << 31U)) {
      ranges_.insert(ranges_.begin(), {offset, first_, GapCause::none, false, environment.loss_epoch});
      first_ = offset;
    }
    return;
  }
  started_ = true;
  first_ = passed_ = offset;
  last_loss_epoch_ = environment.loss_epoch;
}

void StreamObserver::count(const Range& range, GapCause cause) {
  const std::uint64_t size = range.end - range.begin;
  ledger_.moved += size;
  ledger_.gaps[static_cast<std::size_t>(cause)] += size;
}

GapCause StreamObserver::cause_of(const Range& range, const StreamEnvironment& environment) const {
  if (range.declared) return range.cause;
  if (environment.loss_epoch != range.loss_epoch) return GapCause::ring_full;
  // Nothing was lost that anybody knows of. Before anything was seen it is the past, else two calls raced, or a packet
  // took another way.
  if (preexisting && range.begin == first_) return GapCause::before_attach;
  return patient ? GapCause::not_captured : GapCause::concurrent;
}

void StreamObserver::pass_without_bytes(Range range, std::uint64_t floor, const StreamEnvironment& environment) {
  passed_ = std::max(passed_, range.end);
  if (range.end <= floor) {  // another observer has settled it already; only the ledger wants to know
    if (!range.declared) retire(range, environment);
    return;
  }
  if (!ranges_.empty() && ranges_.back().end == range.begin && ranges_.back().cause == range.cause &&
      ranges_.back().declared && range.declared) {
    ranges_.back().end = range.end;
  } else {
    ranges_.push_back(range);
  }
}

// The offsets jump from passed_ to `offset`: what lies between was skipped on request, lost, or is still to come.
void StreamObserver::jump_to(std::uint64_t offset, std::uint64_t floor, const StreamEnvironment& environment) {
  if (skip_until > passed_) {
    const Range skipped{passed_, std::min(offset, skip_until), GapCause::verdict_skip, true, 0};
    count(skipped, skipped.cause);
    pass_without_bytes(skipped, floor, environment);
    if (skipped.end == skip_until) skip_end_untold_ = skip_until;
  }
  if (offset > passed_) {
    pass_without_bytes({passed_, offset, GapCause::none, false, last_loss_epoch_}, floor, environment);
  }
}

// A jump that nothing fills any more is a gap from now on.
void StreamObserver::retire(Range range, const StreamEnvironment& environment) {
  range.cause = cause_of(range, environment);
  count(range, range.cause);
  if (retired_.size() >= (patient ? retired_patient_max : retired_max)) retired_.erase(retired_.begin());
  retired_.push_back(range);
}

// A late event tells of [begin, end): takes it out of the jumps. Returns how many bytes of it are news.
std::uint64_t StreamObserver::take_back(std::uint64_t begin, std::uint64_t end, const Range* instead) {
  std::uint64_t news = 0;
  cut_out(ranges_, begin, end, instead, [&](const Range&, std::uint64_t size) { news += size; });
  cut_out(retired_, begin, end, nullptr, [&](const Range& range, std::uint64_t size) {
    news += size;
    ledger_.moved -= size;
    ledger_.gaps[static_cast<std::size_t>(range.cause)] -= size;
  });
  return news;
}

void StreamObserver::note(std::uint64_t begin, std::uint64_t kept_end, std::uint64_t end, GapCause rest,
                          std::uint64_t floor, const StreamEnvironment& environment) {
  start(begin, environment);
  if (begin > passed_) jump_to(begin, floor, environment);
  if (begin < skip_end_untold_ && skip_end_untold_ <= end) skip_end_untold_ = 0;
  // Bytes: what is new counts, be it beyond passed_ or in a range that had been jumped over.
  if (kept_end > begin) {
    std::uint64_t fresh = begin < passed_ ? take_back(begin, std::min(kept_end, passed_), nullptr) : 0;
    if (kept_end > passed_) {
      fresh += kept_end - passed_;
      passed_ = kept_end;
    }
    ledger_.moved += fresh;
    ledger_.kept += fresh;
  }
  if (end > kept_end) {
    Range gap{kept_end, end, rest, true, 0};
    if (kept_end < passed_) {
      const std::uint64_t fresh = take_back(kept_end, std::min(end, passed_), &gap);
      ledger_.moved += fresh;
      ledger_.gaps[static_cast<std::size_t>(rest)] += fresh;
      gap.begin = passed_;
    }
    if (gap.end > gap.begin) {
      count(gap, rest);
      pass_without_bytes(gap, floor, environment);
    }
  }
  last_loss_epoch_ = environment.loss_epoch;
}

void StreamObserver::note_end(std::uint64_t end, std::uint64_t floor, const StreamEnvironment& environment) {
  start(end, environment);
  if (end > passed_) jump_to(end, floor, environment);
}

void StreamObserver::settle(std::uint64_t floor, const StreamEnvironment& environment) {
  std::size_t settled = 0;
  while (settled < ranges_.size() && ranges_[settled].end <= floor) {
    const Range& range = ranges_[settled++];
    if (!range.declared) retire(range, environment);
  }
  if (settled > 0) ranges_.erase(ranges_.begin(), ranges_.begin() + static_cast<std::ptrdiff_t>(settled));
}

const StreamObserver::Range* StreamObserver::range_from(std::uint64_t offset) const {
  for (const Range& range : ranges_) {
    if (range.end > offset) return &range;
  }
  return nullptr;
}

bool StreamObserver::may_tell_of(std::uint64_t offset) const {
  if (!present || ended) return false;
  if (!has_passed(offset) || (offset < first_ && !preexisting) || offset + 1 == skip_end_untold_) return true;
  const auto jumped = [&](const Range& range) {
    return !range.declared && range.begin <= offset && offset < range.end;
  };
  return std::any_of(ranges_.begin(), ranges_.end(), jumped) || std::any_of(retired_.begin(), retired_.end(), jumped);
}

StreamLedger StreamObserver::ledger(const StreamEnvironment& environment) const {
  StreamLedger ledger = ledger_;
  for (const Range& range : ranges_) {
    if (range.declared) continue;
    ledger.moved += range.end - range.begin;
    ledger.gaps[static_cast<std::size_t>(cause_of(range, environment))] += range.end - range.begin;
  }
  return ledger;
}

void StreamObserver::adopt(std::uint64_t delta, std::uint64_t floor, const StreamEnvironment& environment) {
  settle(passed_, environment);
  shift += delta;
  for (Range& range : retired_) {
    range.begin += delta;
    range.end += delta;
  }
  if (skip_until != 0 && skip_until != UINT64_MAX) skip_until += delta;
  if (skip_end_untold_ != 0) skip_end_untold_ += delta;
  if (announced_end) *announced_end += delta;
  marks.rebase(delta);
  first_ += delta;
  passed_ += delta;
  if (started_ && passed_ > floor) {
    // Already in the ledger, as bytes: only the merging needs to know that they will not come again from here.
    ranges_.push_back({floor, passed_, GapCause::unresolved_fd, true, 0});
  }
}

}  // namespace tracer
