// One direction of a connection as packets tell it: which offsets have been seen. In order and without holes it costs a
// comparison; what was seen behind a hole is kept as ranges, without the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tracer {

// Offsets are sequence numbers extended to 64 bits. They begin here, so that what lies before the first one seen does
// not go below zero; the low half stays the number on the wire.
inline constexpr std::uint64_t wire_offset_base = 1ULL << 40U;
// Two offsets that are further apart do not belong to one window of one connection.
inline constexpr std::int64_t wire_distance_max = 1 << 30;

class WireStream {
 public:
  struct Range {
    std::uint64_t begin = 0, end = 0;
  };

  [[nodiscard]] bool started() const { return next_ != 0; }
  void start(std::uint32_t sequence) { next_ = wire_offset_base + sequence; }
  // Everything before it was seen or given up.
  [[nodiscard]] std::uint64_t next() const { return next_; }
  // The offset nearest to next() with this low half.
  [[nodiscard]] std::uint64_t extend(std::uint32_t sequence) const {
    return next_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(
                       static_cast<std::int32_t>(sequence - static_cast<std::uint32_t>(next_))));
  }
  [[nodiscard]] bool plausible(std::uint64_t offset) const {
    const auto distance = static_cast<std::int64_t>(offset - next_);
    return distance <= wire_distance_max && distance >= -wire_distance_max;
  }

  // [begin, end) was seen: calls piece(begin, end) for each part of it that was not seen before, in order. Returns how
  // many bytes were known already.
  template <typename Piece>
  std::uint64_t add(std::uint64_t begin, std::uint64_t end, Piece&& piece) {
    if (begin == next_ && ranges_.empty()) {
      next_ = end;
      piece(begin, end);
      return 0;
    }
    std::uint64_t known = begin < next_ ? (end < next_ ? end : next_) - begin : 0;
    std::uint64_t at = begin + known;
    for (const Range& range : ranges_) {
      if (range.begin >= end) break;
      if (range.end <= at) continue;
      if (at < range.begin) piece(at, range.begin);
      const std::uint64_t from = at > range.begin ? at : range.begin;
      const std::uint64_t to = end < range.end ? end : range.end;
      known += to - from;
      at = to;
    }
    if (at < end) piece(at, end);
    insert({begin, end});
    return known;
  }

  [[nodiscard]] const std::vector<Range>& behind_holes() const { return ranges_; }
  // One past the last offset seen.
  [[nodiscard]] std::uint64_t seen_end() const { return ranges_.empty() ? next_ : ranges_.back().end; }
  // The first hole, no further than `limit`: begins at next(); 0 if there is none.
  [[nodiscard]] std::uint64_t hole_end(std::uint64_t limit) const;
  // Gives up what is missing before `end`, a hole_end().
  void give_up(std::uint64_t end) { insert({next_, end}); }

 private:
  void insert(Range range);

  std::uint64_t next_ = 0;
  std::vector<Range> ranges_;  // sorted, disjoint, not touching, all after next_
};

}  // namespace tracer
