// Which number a process has where. The core counts processes as the initial pid namespace does (BPF says it so); /proc
// counts as the namespace it was mounted in. Where the two differ nothing in /proc tells the first from the second:
// NSpid lists a process's numbers from the mount's namespace inwards, never outwards. So there each pair has to be
// learned from whoever was told both by the kernel (bpf_get_ns_current_pid_tgid), and what was not learned is unknown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "backends/procfs/proc_reader.h"

namespace tracer::procfs {

// The inode that the initial pid namespace has on every kernel (PROC_PID_INIT_INO).
inline constexpr std::uint64_t initial_pid_namespace = 4'026'531'836;

struct NumberingFacts {
  bool proc_is_initial = false;  // this /proc counts as the initial namespace does: no translation
  bool proc_is_ours = false;     // this /proc counts as the tracer itself does
};
// Asks for the namespace of process 1; where that may not be seen, of the caller (`own_pid` is its getpid()) and
// others.
[[nodiscard]] NumberingFacts find_numbering(const ProcReader& proc, std::uint32_t own_pid);

// Names a process of which only the number in this /proc is known, where that is not the initial namespace's: a number
// that the kernel gives to nobody (PID_MAX_LIMIT is 2^22), so that it is never taken for another process.
[[nodiscard]] constexpr std::uint32_t tgid_of_listed(const NumberingFacts& facts, std::uint32_t local_pid) {
  constexpr std::uint32_t no_kernels_number = std::uint32_t{1} << 31;
  return facts.proc_is_initial ? local_pid : local_pid | no_kernels_number;
}

class PidNumbering {
 public:
  struct Local {
    std::uint32_t pid = 0;
    // Of a learned pair: the process it was learned for. A process that starts later has another.
    std::optional<std::uint64_t> start_ticks;
  };

  PidNumbering(NumberingFacts facts, std::size_t learned_max) : facts_(facts), learned_max_(learned_max) {}

  [[nodiscard]] const NumberingFacts& facts() const { return facts_; }
  // The number to look up in /proc; nullopt: not known, so there is nothing that may be looked up.
  [[nodiscard]] std::optional<Local> local(std::uint32_t tgid) const;
  [[nodiscard]] bool knows(std::uint32_t tgid, std::uint32_t local_pid) const;
  // False: the limit was reached. A pair replaces what was known of either number.
  bool learn(std::uint32_t tgid, std::uint32_t local_pid, std::uint64_t start_ticks);
  void forget(std::uint32_t tgid);
  [[nodiscard]] std::vector<std::uint32_t> learned() const;  // tgids

 private:
  NumberingFacts facts_;
  std::size_t learned_max_;
  std::unordered_map<std::uint32_t, Local> by_tgid_;
  std::unordered_map<std::uint32_t, std::uint32_t> tgid_by_local_;
};

}  // namespace tracer::procfs
