#include "backends/procfs/pid_numbering.h"

#include <algorithm>
#include <string>

namespace tracer::procfs {
namespace {

constexpr std::size_t processes_asked_max = 256;

// A member of the initial namespace is shown only by a /proc of the initial namespace. Even where process 1 may not be
// looked at, a kernel thread or an ordinary process may.
bool shows_a_member_of_the_initial_namespace(const ProcReader& proc) {
  std::vector<std::uint32_t> pids;
  if (!proc.pids(pids, processes_asked_max)) return false;
  return std::ranges::any_of(pids, [&](std::uint32_t pid) {
    return proc.pid_namespace(std::to_string(pid).c_str()) == initial_pid_namespace;
  });
}

}  // namespace

NumberingFacts find_numbering(const ProcReader& proc, std::uint32_t own_pid) {
  const auto first = proc.pid_namespace("1");  // process 1 of a namespace never leaves it
  const auto self = proc.pid_namespace("self");
  if (first) return {.proc_is_initial = *first == initial_pid_namespace, .proc_is_ours = self && *self == *first};

  if (self && *self == initial_pid_namespace) return {.proc_is_initial = true, .proc_is_ours = true};
  if (shows_a_member_of_the_initial_namespace(proc)) return {.proc_is_initial = true, .proc_is_ours = false};
  const auto self_pid = proc.self_pid();
  return {.proc_is_initial = false, .proc_is_ours = self_pid && *self_pid == own_pid};
}

std::optional<PidNumbering::Local> PidNumbering::local(std::uint32_t tgid) const {
  if (facts_.proc_is_initial) return Local{tgid, std::nullopt};
  const auto known = by_tgid_.find(tgid);
  if (known == by_tgid_.end()) return std::nullopt;
  return known->second;
}

bool PidNumbering::knows(std::uint32_t tgid, std::uint32_t local_pid) const {
  const auto known = by_tgid_.find(tgid);
  return known != by_tgid_.end() && known->second.pid == local_pid;
}

bool PidNumbering::learn(std::uint32_t tgid, std::uint32_t local_pid, std::uint64_t start_ticks) {
  if (const auto other = tgid_by_local_.find(local_pid); other != tgid_by_local_.end()) forget(other->second);
  forget(tgid);
  if (by_tgid_.size() >= learned_max_) return false;
  by_tgid_.emplace(tgid, Local{local_pid, start_ticks});
  tgid_by_local_.emplace(local_pid, tgid);
  return true;
}

void PidNumbering::forget(std::uint32_t tgid) {
  const auto known = by_tgid_.find(tgid);
  if (known == by_tgid_.end()) return;
  tgid_by_local_.erase(known->second.pid);
  by_tgid_.erase(known);
}

std::vector<std::uint32_t> PidNumbering::learned() const {
  std::vector<std::uint32_t> tgids;
  tgids.reserve(by_tgid_.size());
  for (const auto& [tgid, local] : by_tgid_) tgids.push_back(tgid);
  return tgids;
}

}  // namespace tracer::procfs
