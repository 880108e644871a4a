// Threads and their processes, for records that name only threads: learned from the creation of tasks, else asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace tracer {

class TaskMap {
 public:
  // `proc`: the root of procfs, asked about threads from before. The limit is on entries; beyond it nothing is kept.
  explicit TaskMap(std::string proc = "/proc", std::size_t tasks_max = 65'536)
      : proc_(std::move(proc)), tasks_max_(tasks_max) {}

  // The process of a thread; 0: not known, it is gone.
  [[nodiscard]] std::uint32_t process_of(std::uint32_t tid);
  void made(std::uint32_t tid, std::uint32_t tgid, std::uint32_t parent);  // parent: a process; 0: not known
  void ended(std::uint32_t tid) { tasks_.erase(tid); }
  // 0: not known, or no longer there.
  [[nodiscard]] std::uint32_t parent_of(std::uint32_t tgid) const;
  [[nodiscard]] std::size_t size() const { return tasks_.size(); }

 private:
  struct Task {
    std::uint32_t tgid = 0, parent = 0;
  };
  std::string proc_;
  std::size_t tasks_max_;
  std::unordered_map<std::uint32_t, Task> tasks_;
};

}  // namespace tracer
