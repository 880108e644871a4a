#include "backends/procfs/process_listing.h"

#include <utility>

namespace tracer::procfs {

std::vector<ProcessChange> ProcessListing::update(std::span<const ListedProcess> processes) {
  std::unordered_map<std::uint32_t, ListedProcess> now;
  std::vector<ProcessChange> begun, changes;
  for (const ListedProcess& process : processes) {
    const auto before = known_.find(process.pid);
    if (before == known_.end() || before->second.start_ticks != process.start_ticks) {
      begun.push_back({ProcessChange::Kind::begun, process.pid, process.parent});
    } else if (before->second.comm != process.comm) {
      begun.push_back({ProcessChange::Kind::renamed, process.pid, process.parent});
    }
    now.insert_or_assign(process.pid, process);
  }
  for (const auto& [pid, process] : known_) {
    const auto still = now.find(pid);
    if (still == now.end() || still->second.start_ticks != process.start_ticks)
      changes.push_back({ProcessChange::Kind::ended, pid, process.parent});
  }
  known_ = std::move(now);
  if (std::exchange(first_, false)) return {};
  changes.insert(changes.end(), begun.begin(), begun.end());
  return changes;
}

}  // namespace tracer::procfs
