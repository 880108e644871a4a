#include "backends/procfs/known_files.h"

#include <functional>
#include <utility>

namespace tracer::procfs {
namespace {

std::uint64_t key_of(int fd, std::string_view path) {
  const std::uint64_t of_path = std::hash<std::string_view>{}(path);
  return of_path ^ (static_cast<std::uint64_t>(static_cast<std::uint32_t>(fd)) * 0x9E37'79B9'7F4A'7C15U);
}

}  // namespace

bool KnownFiles::begin(std::uint32_t pid, std::uint64_t start_ticks, std::string_view executable) {
  const std::uint64_t image = start_ticks ^ std::hash<std::string_view>{}(executable);
  const auto [entry, is_new] = processes_.try_emplace(pid);
  Process& process = entry->second;
  const bool another = is_new || process.image != image;
  if (another) {
    size_ -= process.before.size() + process.now.size();
    process = Process{image, true, {}, {}};
  }
  process.met = true;
  return another;
}

bool KnownFiles::meets(Process& process, std::uint64_t key) {
  if (process.now.contains(key)) return true;
  if (process.before.erase(key) == 0) return false;
  process.now.insert(key);
  return true;
}

bool KnownFiles::note(std::uint32_t pid, int fd, std::string_view path) {
  Process& process = processes_[pid];
  const std::uint64_t key = key_of(fd, path);
  if (meets(process, key)) return false;
  if (size_ >= known_max_) {
    ++over_limit_;
    return false;
  }
  process.now.insert(key);
  ++size_;
  return true;
}

void KnownFiles::end(std::uint32_t pid) {
  const auto process = processes_.find(pid);
  if (process == processes_.end()) return;
  size_ -= process->second.before.size();
  process->second.before = std::exchange(process->second.now, {});
}

void KnownFiles::forget_others() {
  for (auto entry = processes_.begin(); entry != processes_.end();) {
    Process& process = entry->second;
    if (std::exchange(process.met, false)) {
      ++entry;
      continue;
    }
    size_ -= process.before.size() + process.now.size();
    entry = processes_.erase(entry);
  }
}

void KnownFiles::forget(std::uint32_t pid) {
  const auto process = processes_.find(pid);
  if (process == processes_.end()) return;
  size_ -= process->second.before.size() + process->second.now.size();
  processes_.erase(process);
}

}  // namespace tracer::procfs
