// The probes of what this process may do, and of the policies around it.
#pragma once

#include "probe-matrix/prober.h"

namespace tracer {

// Whether the capability set in effect has this bit: CAP_SYS_ADMIN stands in for nothing here.
[[nodiscard]] Answer probe_privilege(ProbeContext& context, Capability asked, std::uint8_t bit);
template <Capability asked, std::uint8_t bit>
[[nodiscard]] Answer probe_privilege_bit(ProbeContext& context) {
  return probe_privilege(context, asked, bit);
}

[[nodiscard]] Answer probe_seccomp_free(ProbeContext& context);
[[nodiscard]] Answer probe_initial_user_namespace(ProbeContext& context);
[[nodiscard]] Answer probe_initial_pid_namespace(ProbeContext& context);
[[nodiscard]] Answer probe_lockdown_off(ProbeContext& context);
[[nodiscard]] Answer probe_security_modules(ProbeContext& context);
[[nodiscard]] Answer probe_perf_unrestricted(ProbeContext& context);
[[nodiscard]] Answer probe_bpf_unprivileged(ProbeContext& context);
[[nodiscard]] Answer probe_memlock_unlimited(ProbeContext& context);

}  // namespace tracer
