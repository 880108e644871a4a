// In which root processes run, remembered beyond their end. Pure: time is an argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

namespace tracer::procfs {

// Equal roots have equal paths for equal files.
struct Root {
  std::string mount_namespace;  // "mnt:[4026531841]"
  std::string path;             // of the root directory, as the tracer sees it
  bool operator==(const Root&) const = default;
};

struct KnownRootsLimits {
  std::size_t processes_max = 16'384;
  std::uint64_t keep_ns = 60'000'000'000;  // a number may be another process's by then
};

class KnownRoots {
 public:
  explicit KnownRoots(const KnownRootsLimits& limits) : limits_(limits) {}

  void note(std::uint32_t pid, const Root& root, std::uint64_t now_ns) {
    if (processes_.size() >= limits_.processes_max && !processes_.contains(pid)) processes_.clear();
    processes_.insert_or_assign(pid, Entry{root, now_ns});
  }
  // The child has the root of its parent, or, where that is not known, none that is known.
  void adopt(std::uint32_t parent, std::uint32_t child, std::uint64_t now_ns) {
    if (const auto root = find(parent, now_ns)) {
      note(child, *root, now_ns);
    } else {
      processes_.erase(child);
    }
  }
  [[nodiscard]] std::optional<Root> find(std::uint32_t pid, std::uint64_t now_ns) const {
    const auto known = processes_.find(pid);
    if (known == processes_.end() || now_ns - known->second.noted_ns > limits_.keep_ns) return std::nullopt;
    return known->second.root;
  }

 private:
  struct Entry {
    Root root;
    std::uint64_t noted_ns = 0;
  };
  KnownRootsLimits limits_;
  std::unordered_map<std::uint32_t, Entry> processes_;
};

}  // namespace tracer::procfs
