#include "backends/tracepoint/task_map.h"

#include <charconv>

#include "backends/tracepoint/tracefs.h"

namespace tracer {
namespace {

// "Tgid:\t123" of a status file; 0: none.
std::uint32_t group_in(std::string_view status) {
  constexpr std::string_view label = "\nTgid:\t";
  const std::size_t at = status.find(label);
  if (at == std::string_view::npos) return 0;
  std::uint32_t tgid = 0;
  std::from_chars(status.data() + at + label.size(), status.data() + status.size(), tgid);
  return tgid;
}

}  // namespace

std::uint32_t TaskMap::process_of(std::uint32_t tid) {
  if (const auto known = tasks_.find(tid); known != tasks_.end()) return known->second.tgid;
  const auto status = read_small_file(proc_ + "/" + std::to_string(tid) + "/status");
  const std::uint32_t tgid = status ? group_in(*status) : 0;
  if (tgid != 0) made(tid, tgid, 0);
  return tgid;
}

void TaskMap::made(std::uint32_t tid, std::uint32_t tgid, std::uint32_t parent) {
  if (tasks_.size() < tasks_max_ || tasks_.contains(tid)) tasks_[tid] = {tgid, parent};
}

std::uint32_t TaskMap::parent_of(std::uint32_t tgid) const {
  const auto child = tasks_.find(tgid);
  if (child == tasks_.end()) return 0;
  return tasks_.contains(child->second.parent) ? child->second.parent : 0;
}

}  // namespace tracer
