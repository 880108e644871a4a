// When one observer moved which bytes of a stream: the answer to "when was byte X sent (or received)?".
//
// Bounded. Questions are about the first and last bytes of messages, so when it is full the middle is forgotten, and
// what is forgotten has no answer rather than a wrong one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/event.h"

namespace tracer {

class TimeMarks {
 public:
  // One call moved [begin, end). Of bytes told twice the first time stays. Returns how many marks a full list forgot.
  std::size_t add(std::uint64_t begin, std::uint64_t end, EventTime at, std::size_t marks_max);
  [[nodiscard]] std::optional<EventTime> time_of(std::uint64_t offset) const;
  // Forgets all calls that ended at or before `offset`.
  void prune(std::uint64_t offset);
  // Moves all marks by `shift` (wrapping), when the stream's numbering changes.
  void rebase(std::uint64_t shift);
  [[nodiscard]] std::size_t size() const { return marks_.size() - head_; }

 private:
  struct Mark {
    std::uint64_t begin, end;
    EventTime at;
  };
  std::vector<Mark> marks_;  // sorted, disjoint; those before head_ are gone
  std::size_t head_ = 0;
};

}  // namespace tracer
