// From the two ends of a connection to its slot: open addressing, no allocation but to grow, no order of insertion to
// exploit but by whoever knows the seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/event.h"

namespace tracer {

// Both directions of a connection have one key.
struct FlowKey {
  Endpoint low, high;
  bool operator==(const FlowKey&) const = default;
};
// `swapped`: the first one given is `high`.
[[nodiscard]] FlowKey flow_key(const Endpoint& a, const Endpoint& b, bool& swapped);

class FlowMap {
 public:
  using Slot = std::uint32_t;
  static constexpr Slot none = UINT32_MAX;

  explicit FlowMap(std::uint64_t seed = 0) : seed_(seed) {}

  [[nodiscard]] std::uint32_t hash(const FlowKey& key) const;
  // `is_key(slot)` tells whether a slot is the one of the key: the map keeps hashes only.
  template <typename IsKey>
  [[nodiscard]] Slot find(std::uint32_t hash, IsKey&& is_key) const {
    if (entries_.empty()) return none;
    for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
      const Entry& entry = entries_[at];
      if (entry.slot == none) return none;
      if (entry.hash == hash && is_key(entry.slot)) return entry.slot;
    }
  }
  void insert(std::uint32_t hash, Slot slot);  // of a key that is not there
  void erase(std::uint32_t hash, Slot slot);
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Entry {
    std::uint32_t hash = 0;
    Slot slot = none;
  };
  void grow();
  void place(Entry entry);

  std::uint64_t seed_;
  std::vector<Entry> entries_;
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
};

}  // namespace tracer
