// Where this process runs: the distribution, what kind of container if any, and which privileges it holds. Fixes are
// phrased by it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "probe-matrix/system.h"

namespace tracer {

// A Linux privilege and the words that ask for it.
struct Privilege {
  std::uint8_t bit = 0;  // in CapEff; CAP_SYS_ADMIN counts as holding any of them
  std::string_view name;
};
inline constexpr Privilege cap_dac_read_search{2, "CAP_DAC_READ_SEARCH"};
inline constexpr Privilege cap_net_admin{12, "CAP_NET_ADMIN"};
inline constexpr Privilege cap_net_raw{13, "CAP_NET_RAW"};
inline constexpr Privilege cap_sys_ptrace{19, "CAP_SYS_PTRACE"};
inline constexpr Privilege cap_sys_admin{21, "CAP_SYS_ADMIN"};
inline constexpr Privilege cap_perfmon{38, "CAP_PERFMON"};
inline constexpr Privilege cap_syslog{34, "CAP_SYSLOG"};
inline constexpr Privilege cap_bpf{39, "CAP_BPF and CAP_PERFMON"};  // a program that traces needs both

enum class ContainerKind : std::uint8_t { none, docker, podman, kubernetes, lxc, nspawn, other };

struct Host {
  std::string distribution;                // ID of os-release: "debian"; empty: not known
  std::string distribution_name;           // PRETTY_NAME
  std::optional<ContainerKind> container;  // absent: /proc does not say
  std::string container_evidence;
  std::optional<std::uint64_t> effective, bounding;  // capability sets
  bool root = false;                                 // uid 0, in whatever user namespace
  bool user_namespace = false;                       // not the initial one: root here is not root
  bool seccomp = false;                              // a filter decides which system calls may be made
  bool kernel_from_outside = false;                  // no file of the running kernel is here, as in a microVM
};
[[nodiscard]] Host read_host(System& system);

// Whether the process holds the privilege or CAP_SYS_ADMIN.
[[nodiscard]] bool holds(const Host& host, Privilege privilege);

// What to type for it on this host: "sudo tracer", "docker run --cap-add …". Empty where nothing helps.
[[nodiscard]] std::string fix_privilege(const Host& host, Privilege privilege);
// To get rid of the seccomp filter.
[[nodiscard]] std::string fix_seccomp(const Host& host);
// Another kernel: "boot a kernel " and `what`, with the command that installs the distribution's.
[[nodiscard]] std::string fix_kernel(const Host& host, std::string_view what);
// A command for the machine itself: prefixed where this is a container.
[[nodiscard]] std::string fix_on_host(const Host& host, std::string_view command);

}  // namespace tracer
