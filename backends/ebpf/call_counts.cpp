#include "backends/ebpf/call_counts.h"

#include <cstring>

namespace tracer {
namespace {

std::string_view as_bytes(const uprobe_key& key) { return {reinterpret_cast<const char*>(&key), sizeof(key)}; }

}  // namespace

std::uint64_t* CallCounts::told(const uprobe_key& key) {
  Told& told = by_tgid_[key.tgid];
  const auto found = told.find(as_bytes(key));
  if (found != told.end()) return &found->second;
  if (size_ >= keys_max_) return nullptr;
  ++size_;
  return &told.try_emplace(std::string(as_bytes(key)), 0).first->second;
}

bool CallCounts::first(const uprobe_key& key) {
  std::uint64_t* count = told(key);
  if (count == nullptr || *count != 0) return false;
  *count = 1;
  return true;
}

std::uint64_t CallCounts::grown(const uprobe_key& key, std::uint64_t calls) {
  std::uint64_t* count = told(key);
  if (count == nullptr || calls <= *count) return 0;
  const std::uint64_t fresh = calls - *count;
  *count = calls;
  return fresh;
}

void CallCounts::forget(const uprobe_key& key) {
  const auto process = by_tgid_.find(key.tgid);
  if (process == by_tgid_.end()) return;
  if (const auto found = process->second.find(as_bytes(key)); found != process->second.end()) {
    process->second.erase(found);
    --size_;
  }
  if (process->second.empty()) by_tgid_.erase(process);
}

std::vector<uprobe_key> CallCounts::keys_of(std::uint32_t tgid) const {
  std::vector<uprobe_key> keys;
  if (const auto process = by_tgid_.find(tgid); process != by_tgid_.end())
    for (const auto& [bytes, told] : process->second)
      std::memcpy(&keys.emplace_back(), bytes.data(), sizeof(uprobe_key));
  return keys;
}

std::string name_of(const uprobe_key& key) {
  if ((key.has & UPROBE_HAS_NAME) == 0) return {};
  std::string name(key.name, ::strnlen(key.name, sizeof(key.name)));
  if ((key.has & UPROBE_NAME_CUT) == 0) return name;
  // Not in the middle of a character of UTF-8.
  while (!name.empty() && (static_cast<unsigned char>(name.back()) & 0xC0) == 0x80) name.pop_back();
  if (!name.empty() && (static_cast<unsigned char>(name.back()) & 0x80) != 0) name.pop_back();
  return name + "…";
}

}  // namespace tracer
