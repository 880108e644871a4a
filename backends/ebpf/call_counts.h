// How many of the calls that the kernel counts have been told. Pure. Keys are held as the bytes of struct uprobe_key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backends/ebpf/uprobe_wire.h"

namespace tracer {

class CallCounts {
 public:
  explicit CallCounts(std::size_t keys_max) : keys_max_(keys_max) {}

  // The first call of a kind was reported by itself. False: it was told already, by a look at the counters.
  [[nodiscard]] bool first(const uprobe_key& key);
  // The kernel has counted `calls` so far: how many of them are to be told now.
  [[nodiscard]] std::uint64_t grown(const uprobe_key& key, std::uint64_t calls);
  void forget(const uprobe_key& key);
  // Those of a process that anything was told of.
  [[nodiscard]] std::vector<uprobe_key> keys_of(std::uint32_t tgid) const;
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  using Told = std::unordered_map<std::string, std::uint64_t, TextHash, std::equal_to<>>;
  std::uint64_t* told(const uprobe_key& key);

  std::size_t keys_max_, size_ = 0;
  std::unordered_map<std::uint32_t, Told> by_tgid_;
};

// The name of a key; empty where it has none. A name that was cut off ends with "…".
[[nodiscard]] std::string name_of(const uprobe_key& key);

}  // namespace tracer
