// While the kernel looks into a BPF map for us it skips, on that processor, every program on a kprobe or a perf event
// (bpf_prog_active, kernel/trace/bpf_trace.c). A kernel that preempts us in the middle lets others run there, and what
// they do goes unseen: missed_runs. So for the time of such a call no ordinary task may take our place.
#pragma once

#include <string_view>

namespace tracer {

// By the kernel's version of uname(2), and /sys/kernel/debug/sched/preempt: "none (voluntary) full", or empty. Pure.
[[nodiscard]] bool may_preempt_in_kernel(std::string_view version, std::string_view modes);

// Ordinary tasks wait until it is destroyed. Does nothing where the kernel does not preempt, where it is not allowed
// (CAP_SYS_NICE), and where the user has chosen another scheduling policy for us. Costs 2 to 3 µs. Not to be nested.
class Unpreempted {
 public:
  Unpreempted();
  ~Unpreempted();
  Unpreempted(const Unpreempted&) = delete;
  Unpreempted& operator=(const Unpreempted&) = delete;

 private:
  bool raised_ = false;
};

}  // namespace tracer
