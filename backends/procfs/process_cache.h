// Who processes were, noted while they lived, so that one that is gone can still be named. Pure: time is an argument.
// Shared by those who hear of processes and those who are asked about them; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include "core/ownership.h"

namespace tracer::procfs {

struct ProcessCacheLimits {
  std::size_t processes_max = 32'768;
  std::uint64_t keep_dead_ns = 10'000'000'000;
};

class ProcessCache {
 public:
  explicit ProcessCache(const ProcessCacheLimits& limits = {}) : limits_(limits) {}

  // Replaces what was known of that number; the process lives.
  void note(ProcessFacts facts);
  // A child is what its parent is until it execs. False: the parent is not known.
  bool forked(std::uint32_t parent, std::uint32_t child);
  void exited(std::uint32_t tgid, std::uint64_t now_ns);

  // Living, or dead for less than keep_dead_ns.
  [[nodiscard]] const ProcessFacts* find(std::uint32_t tgid) const;
  [[nodiscard]] std::uint64_t over_limit() const { return over_limit_; }

 private:
  struct Entry {
    ProcessFacts facts;
    std::uint64_t died_ns = 0;  // 0: lives
  };
  void forget_long_dead(std::uint64_t now_ns);

  ProcessCacheLimits limits_;
  std::unordered_map<std::uint32_t, Entry> processes_;
  std::deque<std::pair<std::uint64_t, std::uint32_t>> dead_;  // (when, who), the longest dead first
  std::uint64_t over_limit_ = 0;
};

}  // namespace tracer::procfs
