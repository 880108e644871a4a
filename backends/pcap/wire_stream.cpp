#include "backends/pcap/wire_stream.h"

#include <algorithm>

namespace tracer {

std::uint64_t WireStream::hole_end(std::uint64_t limit) const {
  const std::uint64_t end = ranges_.empty() ? limit : std::min(limit, ranges_.front().begin);
  return end > next_ ? end : 0;
}

void WireStream::insert(Range range) {
  if (range.end <= next_ || range.begin >= range.end) return;
  const auto first =
      std::partition_point(ranges_.begin(), ranges_.end(), [&](const Range& it) { return it.end < range.begin; });
  auto last = first;
  while (last != ranges_.end() && last->begin <= range.end) {
    range.begin = std::min(range.begin, last->begin);
    range.end = std::max(range.end, last->end);
    ++last;
  }
  if (range.begin <= next_) {
    next_ = range.end;
    ranges_.erase(ranges_.begin(), last);
  } else if (first == last) {
    ranges_.insert(first, range);
  } else {
    *first = range;
    ranges_.erase(first + 1, last);
  }
}

}  // namespace tracer
