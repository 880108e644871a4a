#include "backends/procfs/socket_holders.h"

#include <algorithm>

namespace tracer::procfs {

std::optional<std::uint32_t> SocketHolders::remembered(std::uint64_t inode) {
  const auto known = holders_.find(inode);
  if (known == holders_.end()) return std::nullopt;
  auto& holders = known->second;
  while (!holders.empty()) {  // the last one found is the likeliest
    const Holder holder = holders.back();
    if (proc_.socket_inode(holder.pid, holder.fd) == inode) return holder.pid;
    holders.pop_back();
  }
  holders_.erase(known);
  return std::nullopt;
}

std::vector<std::uint32_t> SocketHolders::all_remembered(std::uint64_t inode) {
  std::vector<std::uint32_t> pids;
  const auto known = holders_.find(inode);
  if (known == holders_.end()) return pids;
  std::erase_if(known->second,
                [&](const Holder& holder) { return proc_.socket_inode(holder.pid, holder.fd) != inode; });
  for (const Holder& holder : known->second) pids.push_back(holder.pid);
  std::ranges::sort(pids);
  pids.erase(std::ranges::unique(pids).begin(), pids.end());
  return pids;
}

bool SocketHolders::look_at(std::uint32_t pid, std::uint64_t inode) {
  ++counters_.processes_looked_at;
  const auto directory = proc_.process(pid);
  if (!directory) return false;
  sockets_.clear();
  const auto over_limit = directory->sockets(sockets_, limits_.descriptors_per_process_max);
  if (!over_limit) {
    if (over_limit.error() == Refusal::denied) denied_ = true;
    return false;
  }
  counters_.descriptors_over_limit += *over_limit;
  bool holds = false;
  for (const SocketDescriptor& socket : sockets_) {
    remember(socket.inode, {pid, socket.fd});
    holds = holds || socket.inode == inode;
  }
  return holds;
}

void SocketHolders::remember(std::uint64_t inode, Holder holder) {
  const auto known = holders_.find(inode);
  if (known == holders_.end() && holders_.size() >= limits_.holders_max) {
    // Which of them are old is not known; what is forgotten is found again by a look.
    ++counters_.holders_over_limit;
    holders_.clear();
  }
  auto& holders = holders_[inode];
  std::erase_if(holders, [&](const Holder& other) { return other.pid == holder.pid; });
  holders.push_back(holder);
}

bool SocketHolders::begin_scan(std::uint64_t now_ns) {
  const std::uint64_t pause_ns = std::max(limits_.scan_interval_ns_min, scan_cost_ns_ * limits_.scan_cost_factor);
  if (scan_done_ns_ != 0 && now_ns < scan_done_ns_ + pause_ns) {
    ++counters_.scans_refused;
    return false;
  }
  const auto over_limit = proc_.pids(left_, limits_.processes_max);
  if (!over_limit) return false;
  counters_.processes_over_limit += *over_limit;
  ++counters_.scans;
  scan_began_ns_ = now_ns;
  scan_cost_ns_ = 0;
  denied_ = false;
  return true;  // taken from the back: the highest numbers, which are mostly the youngest, come first
}

SocketHolders::Scan SocketHolders::scan(std::uint64_t since_ns, std::uint64_t inode,
                                        std::optional<std::uint32_t>& holder) {
  const std::uint64_t began_ns = now_ns_();
  if (left_.empty()) {
    if (complete_since_ns_ != 0 && complete_since_ns_ >= since_ns) return Scan::complete;
    if (!begin_scan(began_ns)) return Scan::going_on;
  }
  std::size_t looked_at = 0;
  while (!left_.empty() && looked_at < limits_.processes_per_question_max && !holder) {
    const std::uint32_t pid = left_.back();
    left_.pop_back();
    ++looked_at;
    if (look_at(pid, inode) && inode != not_a_socket) holder = pid;
  }
  const std::uint64_t now_ns = now_ns_();
  scan_cost_ns_ += now_ns - began_ns;
  if (!left_.empty()) return Scan::going_on;
  scan_done_ns_ = now_ns;
  complete_since_ns_ = scan_began_ns_;
  return complete_since_ns_ >= since_ns ? Scan::complete : Scan::going_on;
}

void SocketHolders::forget(std::uint32_t pid) { std::erase(left_, pid); }

}  // namespace tracer::procfs
