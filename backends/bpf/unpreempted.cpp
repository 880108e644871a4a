#include "backends/bpf/unpreempted.h"

#include <sched.h>
#include <sys/utsname.h>

#include <fstream>
#include <string>

namespace tracer {
namespace {

constexpr sched_param ordinary{};

bool kernel_preempts() {
  utsname names{};
  std::ifstream file("/sys/kernel/debug/sched/preempt");
  std::string modes;
  std::getline(file, modes);
  return ::uname(&names) == 0 && may_preempt_in_kernel(names.version, modes);
}

bool raise() {
  sched_param highest{};
  highest.sched_priority = ::sched_get_priority_max(SCHED_FIFO);
  return ::sched_setscheduler(0, SCHED_FIFO, &highest) == 0;
}

// Asked once: a refusal stays one.
bool is_possible() {
  if (!kernel_preempts() || ::sched_getscheduler(0) != SCHED_OTHER || !raise()) return false;
  return ::sched_setscheduler(0, SCHED_OTHER, &ordinary) == 0;
}

}  // namespace

bool may_preempt_in_kernel(std::string_view version, std::string_view modes) {
  const bool chosen_at_boot = version.contains("PREEMPT_DYNAMIC");
  if (chosen_at_boot && (modes.contains("(none)") || modes.contains("(voluntary)"))) return false;
  return version.contains("PREEMPT");  // also "PREEMPT_RT" and "PREEMPT RT"
}

Unpreempted::Unpreempted() {
  static const bool possible = is_possible();
  raised_ = possible && raise();
}

Unpreempted::~Unpreempted() {
  if (raised_) ::sched_setscheduler(0, SCHED_OTHER, &ordinary);
}

}  // namespace tracer
