#include "backends/pcap/flow_map.h"

#include <cstring>

namespace tracer {
namespace {

constexpr std::size_t entries_min = 256;

// A 64-bit product folded in two: every bit of the input reaches every bit of the result.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

std::uint64_t word(const Endpoint& it, std::size_t at) {
  std::uint64_t value = 0;
  std::memcpy(&value, it.address.data() + at, sizeof value);
  return value;
}

}  // namespace

FlowKey flow_key(const Endpoint& a, const Endpoint& b, bool& swapped) {
  swapped = b < a;
  return swapped ? FlowKey{b, a} : FlowKey{a, b};
}

std::uint32_t FlowMap::hash(const FlowKey& key) const {
  constexpr std::uint64_t k0 = 0x9e3779b97f4a7c15, k1 = 0xd6e8feb86659fd93, k2 = 0xa0761d6478bd642f;
  const std::uint64_t ports = static_cast<std::uint64_t>(key.low.port) << 16U | key.high.port;
  std::uint64_t value = mix(word(key.low, 0) ^ k0 ^ seed_, word(key.low, 8) ^ k1);
  value = mix(value ^ word(key.high, 0), word(key.high, 8) ^ k2);
  value = mix(value ^ ports, k0);
  return static_cast<std::uint32_t>(value ^ value >> 32U);
}

void FlowMap::place(Entry entry) {
  std::size_t at = entry.hash & mask_;
  while (entries_[at].slot != none) at = (at + 1) & mask_;
  entries_[at] = entry;
}

void FlowMap::grow() {
  std::vector<Entry> old(entries_.empty() ? entries_min : entries_.size() * 2);
  old.swap(entries_);
  mask_ = entries_.size() - 1;
  for (const Entry& entry : old) {
    if (entry.slot != none) place(entry);
  }
}

void FlowMap::insert(std::uint32_t hash, Slot slot) {
  if (size_ * 2 >= entries_.size()) grow();
  place({hash, slot});
  ++size_;
}

void FlowMap::erase(std::uint32_t hash, Slot slot) {
  if (entries_.empty()) return;
  std::size_t hole = hash & mask_;
  while (entries_[hole].slot != slot) {
    if (entries_[hole].slot == none) return;
    hole = (hole + 1) & mask_;
  }
  --size_;
  // What follows without a break may have been pushed on by this entry: it moves back, so that no search ends early.
  for (std::size_t at = (hole + 1) & mask_; entries_[at].slot != none; at = (at + 1) & mask_) {
    const std::size_t home = entries_[at].hash & mask_;
    if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
    entries_[hole] = entries_[at];
    hole = at;
  }
  entries_[hole].slot = none;
}

}  // namespace tracer
