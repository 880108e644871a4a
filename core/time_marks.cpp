#include "core/time_marks.h"

#include <algorithm>

namespace tracer {

std::size_t TimeMarks::add(std::uint64_t begin, std::uint64_t end, EventTime at, std::size_t marks_max) {
  if (begin >= end) return 0;
  if (head_ == marks_.size()) {
    marks_.clear();
    head_ = 0;
  }
  if (size() == 0 || marks_.back().end <= begin) {
    marks_.push_back({begin, end, at});
  } else {
    // Out of order: fill only what no other mark covers; at most the first such piece is worth keeping.
    auto place = std::partition_point(marks_.begin() + static_cast<std::ptrdiff_t>(head_), marks_.end(),
                                      [&](const Mark& mark) { return mark.end <= begin; });
    if (place->begin <= begin) {
      begin = place->end;
      ++place;
    }
    if (place != marks_.end()) end = std::min(end, place->begin);
    if (begin >= end) return 0;
    marks_.insert(place, {begin, end, at});
  }
  if (size() <= marks_max) return 0;
  // Keep a quarter at the front (starts of messages) and half at the back (what is still coming together).
  const std::size_t first = head_ + marks_max / 4;
  const std::size_t last = marks_.size() - marks_max / 2;
  marks_.erase(marks_.begin() + static_cast<std::ptrdiff_t>(first), marks_.begin() + static_cast<std::ptrdiff_t>(last));
  return last - first;
}

std::optional<EventTime> TimeMarks::time_of(std::uint64_t offset) const {
  const auto found = std::partition_point(marks_.begin() + static_cast<std::ptrdiff_t>(head_), marks_.end(),
                                          [&](const Mark& mark) { return mark.end <= offset; });
  if (found == marks_.end() || found->begin > offset) return std::nullopt;
  return found->at;
}

void TimeMarks::prune(std::uint64_t offset) {
  while (head_ < marks_.size() && marks_[head_].end <= offset) ++head_;
  if (head_ == marks_.size()) {
    marks_.clear();
    head_ = 0;
  } else if (head_ >= 32) {
    marks_.erase(marks_.begin(), marks_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void TimeMarks::rebase(std::uint64_t shift) {
  for (Mark& mark : marks_) {
    mark.begin += shift;
    mark.end += shift;
  }
}

}  // namespace tracer
