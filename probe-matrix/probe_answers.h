// How probes phrase what they found.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/capability.h"
#include "probe-matrix/system.h"

namespace tracer {

// A Linux privilege and the words that ask for it.
struct Privilege {
  std::uint8_t bit = 0;  // in CapEff; CAP_SYS_ADMIN counts as holding any of them
  std::string_view name;
};
inline constexpr Privilege cap_net_admin{12, "CAP_NET_ADMIN"};
inline constexpr Privilege cap_net_raw{13, "CAP_NET_RAW"};
inline constexpr Privilege cap_sys_ptrace{19, "CAP_SYS_PTRACE"};
inline constexpr Privilege cap_perfmon{38, "CAP_PERFMON"};
inline constexpr Privilege cap_bpf{39, "CAP_BPF and CAP_PERFMON"};

[[nodiscard]] Answer supported(Capability capability);
[[nodiscard]] Answer unsupported(Capability capability, std::string reason, std::string fix = {});
[[nodiscard]] Answer unknown(Capability capability, std::string reason, std::string fix = {});

// EPERM or EACCES: says whether the privilege is missing or, held, was overruled by a policy, and names lockdown if it
// is on.
[[nodiscard]] Answer not_permitted(System& system, Capability capability, std::string_view what, Privilege privilege);

// The failure of `what`: not permitted, or `unknown` with the error's own words. Errors that prove an absence are the
// caller's to recognise first.
[[nodiscard]] Answer not_concluded(System& system, Capability capability, std::string_view what, Privilege privilege,
                                   const Error& error);

// Whether the process holds the privilege, as /proc/self/status says; false where that cannot be read.
[[nodiscard]] bool holds(System& system, Privilege privilege);
// "none", "integrity", "confidentiality", or empty where securityfs does not say.
[[nodiscard]] std::string lockdown_mode(System& system);

}  // namespace tracer
