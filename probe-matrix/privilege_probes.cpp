#include "probe-matrix/privilege_probes.h"

#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "probe-matrix/probe_answers.h"
#include "probe-matrix/report.h"

namespace tracer {
namespace {

constexpr std::size_t small_file_bytes = 16 * 1024;

// "CAP_BPF" of the capability cap_bpf.
std::string privilege_name(Capability capability) {
  std::string name(to_string(capability));
  std::ranges::transform(name, name.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
  return name;
}

// Securityfs is often left unmounted, in containers most of all.
Answer securityfs_unknown(ProbeContext& context, Capability asked, const Error& error) {
  if (error.code == Errc::not_permitted) return unknown(asked, std::string(not_permitted_prefix) + error.context);
  return unknown(asked, "securityfs is not mounted, or has no such file", fix_securityfs(context));
}

// The inode numbers of the first namespaces are the same on every kernel.
Answer probe_initial_namespace(ProbeContext& context, Capability asked, const char* path, std::string_view initial,
                               std::string_view otherwise) {
  const Result<std::string> target = context.system().read_link(path);
  if (!target) return cannot_read(context, asked, target.error());
  if (*target == initial) return supported_because(asked, *target);
  return unsupported(asked, *target + ": " + std::string(otherwise), fix_privilege(context.host(), cap_sys_admin));
}

}  // namespace

Answer probe_privilege(ProbeContext& context, Capability asked, std::uint8_t bit) {
  const Host& host = context.host();
  const std::string name = privilege_name(asked);
  if (!host.effective) return unknown(asked, "/proc/self/status does not say");
  if (((*host.effective >> bit) & 1) != 0) return supported(asked);
  std::uint32_t last = 0;
  const Result<std::string> text = read_word(context.system(), "/proc/sys/kernel/cap_last_cap");
  if (text && std::from_chars(text->data(), text->data() + text->size(), last).ec == std::errc{} && last < bit)
    return unsupported(asked, "this kernel has no " + name + "; CAP_SYS_ADMIN covers it");
  const bool bounded = host.bounding && ((*host.bounding >> bit) & 1) == 0;
  return unsupported(asked, "this process does not hold " + name + (bounded ? ", and can never get it" : ""),
                     fix_privilege(host, Privilege{bit, name}));
}

Answer probe_seccomp_free(ProbeContext& context) {
  constexpr Capability asked = Capability::seccomp_free;
  const Result<std::string> status = context.system().read_file("/proc/self/status", small_file_bytes);
  const std::size_t at = status ? status->find("\nSeccomp:\t") : std::string::npos;
  if (at == std::string::npos || at + 10 >= status->size()) return unknown(asked, "/proc/self/status does not say");
  if ((*status)[at + 10] == '0') return supported_because(asked, "no seccomp filter");
  return unsupported(asked, "a seccomp filter decides which system calls this process may make",
                     fix_seccomp(context.host()));
}

Answer probe_initial_user_namespace(ProbeContext& context) {
  return probe_initial_namespace(context, Capability::initial_user_namespace, "/proc/self/ns/user", "user:[4026531837]",
                                 "capabilities of this user namespace do not count for the kernel");
}

Answer probe_initial_pid_namespace(ProbeContext& context) {
  return probe_initial_namespace(context, Capability::initial_pid_namespace, "/proc/self/ns/pid", "pid:[4026531836]",
                                 "processes outside of it have no pid here");
}

Answer probe_lockdown_off(ProbeContext& context) {
  constexpr Capability asked = Capability::lockdown_off;
  const Result<std::string> file = context.system().read_file("/sys/kernel/security/lockdown", small_file_bytes);
  const std::string mode = lockdown_mode(context.system());
  if (!file && mode == "none") return supported_because(asked, "this kernel has no lockdown");
  if (!file) return securityfs_unknown(context, asked, file.error());
  if (mode == "none" || mode.empty()) return supported_because(asked, "lockdown is off");
  if (mode == "integrity") return supported_because(asked, "lockdown=integrity, which does not hinder tracing");
  return unsupported(asked, "lockdown=" + mode + " hides kernel memory, kernel probes and tracefs",
                     std::string(fix_lockdown));
}

Answer probe_security_modules(ProbeContext& context) {
  constexpr Capability asked = Capability::security_modules;
  const Result<std::string> list = read_word(context.system(), "/sys/kernel/security/lsm");
  if (!list) return securityfs_unknown(context, asked, list.error());
  return supported_because(asked, *list);
}

Answer probe_perf_unrestricted(ProbeContext& context) {
  constexpr Capability asked = Capability::perf_unrestricted;
  const Result<std::string> text = read_word(context.system(), "/proc/sys/kernel/perf_event_paranoid");
  if (!text) {
    if (text.error().code == Errc::not_found && is_there(context.system(), "/proc/sys/kernel"))
      return unsupported(asked, "this kernel has no perf events (CONFIG_PERF_EVENTS=n)");
    return cannot_read(context, asked, text.error());
  }
  const std::string fact = "kernel.perf_event_paranoid is " + *text;
  int level = 0;
  if (std::from_chars(text->data(), text->data() + text->size(), level).ec != std::errc{}) return unknown(asked, fact);
  const Host& host = context.host();
  const auto has = [&](Privilege privilege) { return ((host.effective.value_or(0) >> privilege.bit) & 1) != 0; };
  if (has(cap_sys_admin) || level < 0) return supported_because(asked, fact + ", which does not concern this process");
  // Debian and Ubuntu add levels 3 and 4, which refuse even CAP_PERFMON.
  if (level >= 3) {
    return unsupported(asked, fact + ": only CAP_SYS_ADMIN may use perf events",
                       fix_on_host(host, "sudo sysctl kernel.perf_event_paranoid=2"));
  }
  if (has(cap_perfmon)) return supported_because(asked, fact + ", and CAP_PERFMON is held");
  return unsupported(asked, fact + ": watching other processes needs CAP_PERFMON", fix_privilege(host, cap_perfmon));
}

Answer probe_bpf_unprivileged(ProbeContext& context) {
  constexpr Capability asked = Capability::bpf_unprivileged;
  const Result<std::string> text = read_word(context.system(), "/proc/sys/kernel/unprivileged_bpf_disabled");
  if (!text) return cannot_read(context, asked, text.error());
  const std::string fact = "kernel.unprivileged_bpf_disabled is " + *text;
  if (*text == "0") return supported_because(asked, fact);
  // No fix: with it a user without privileges gets socket filters, and nothing that traces.
  return unsupported(asked,
                     fact + (*text == "1" ? ", until the next boot" : "") + ": tracing needs CAP_BPF either way");
}

Answer probe_memlock_unlimited(ProbeContext& context) {
  constexpr Capability asked = Capability::memlock_unlimited;
  rlimit limit{};
  constexpr std::uintptr_t this_process = 0;
  const long got =
      context.system().call(SYS_prlimit64, {this_process, RLIMIT_MEMLOCK, 0, reinterpret_cast<std::uintptr_t>(&limit)});
  if (got < 0) return unknown(asked, os_failure(static_cast<int>(-got), "read the limit of locked memory").context);
  if (limit.rlim_cur == RLIM_INFINITY) return supported_because(asked, "no limit of locked memory");
  return unsupported(asked,
                     "RLIMIT_MEMLOCK is " + std::to_string(limit.rlim_cur >> 10) +
                         " KiB; kernels before 5.11 count BPF maps against it",
                     "ulimit -l unlimited (systemd: LimitMEMLOCK=infinity)");
}

}  // namespace tracer
