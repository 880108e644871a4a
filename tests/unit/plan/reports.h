// Hand-written machines.
#pragma once

#include <string>
#include <utility>

#include "core/capability.h"
#include "probe-matrix/planner.h"
#include "probe-matrix/prober.h"
#include "probe-matrix/report.h"

namespace tracer::test {

inline CapabilityReport everything_supported() {
  CapabilityReport report;
  for (const Probe& probe : probes()) report.answers.push_back({probe.capability, Verdict::supported, {}, {}});
  return report;
}

inline CapabilityReport with(CapabilityReport report, Answer changed) {
  for (Answer& answer : report.answers)
    if (answer.capability == changed.capability) answer = changed;
  return report;
}

// What root sees on a hardened vendor kernel without kprobes.
inline CapabilityReport hardened_machine() {
  return with(
      with(everything_supported(), {Capability::kprobe, Verdict::unsupported, "this kernel has no kprobes", {}}),
      {Capability::fentry, Verdict::unknown, "not permitted: a policy forbids it", {}});
}

// What an ordinary user sees.
inline CapabilityReport unprivileged_machine() {
  CapabilityReport report = everything_supported();
  for (Answer& answer : report.answers)
    if (answer.capability != Capability::btf && answer.capability != Capability::sock_diag &&
        answer.capability != Capability::proc_mounted && answer.capability != Capability::proc_net_tcp)
      answer = {answer.capability, Verdict::unknown, "not permitted: needs CAP_BPF (or root)", "sudo tracer"};
  return report;
}

inline std::string reason_for(const FacetPlan& plan, Mechanism mechanism) {
  for (const RejectedChoice& rejected : plan.rejected)
    if (rejected.mechanism == mechanism) return rejected.reason;
  return "(not rejected)";
}

}  // namespace tracer::test
