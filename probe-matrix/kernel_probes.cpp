#include "probe-matrix/kernel_probes.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <utility>

#include "core/base/btf_ids.h"
#include "probe-matrix/bpf_calls.h"
#include "probe-matrix/bpf_probes.h"
#include "probe-matrix/probe_answers.h"
#include "probe-matrix/report.h"

namespace tracer {
namespace {

// A sysctl that switches a thing on or off for the whole machine; a kernel without the thing has no such file.
Answer probe_switch(ProbeContext& context, Capability asked, const char* path, std::string_view absent_reason,
                    std::string_view off_reason, std::string_view fix) {
  const Result<std::string> value = read_word(context.system(), path);
  if (!value && value.error().code == Errc::not_found && is_there(context.system(), "/proc/sys/net/core"))
    return unsupported(asked, std::string(absent_reason));
  if (!value) return cannot_read(context, asked, value.error());
  if (*value != "0") return supported(asked);
  return unsupported(asked, std::string(off_reason), fix_on_host(context.host(), fix));
}

// With what every such folder holds: under lockdown there are folders without files.
bool event_folder_is_there(System& system) {
  for (const char* path : {"/sys/kernel/tracing/events/enable", "/sys/kernel/debug/tracing/events/enable"}) {
    const Result<std::string> state = system.read_file(path, 1);
    if (state || state.error().code == Errc::not_permitted) return true;
  }
  return false;
}

Answer probe_event(ProbeContext& context, Capability asked, std::string_view event, std::string_view option) {
  const Result<std::uint64_t> id = tracepoint_id(context.system(), event);
  if (!id) {
    if (id.error().code == Errc::not_permitted)
      return not_permitted(context, asked, "reading the event directory", cap_dac_read_search);
    if (id.error().code == Errc::not_found && event_folder_is_there(context.system()))
      return unsupported(asked, "this kernel has no event " + std::string(event) + std::string(option));
    Answer without = probe_tracefs(context);
    if (without.verdict == Verdict::supported) return unknown(asked, id.error().context);
    return {asked, without.verdict, "needs tracefs: " + without.reason, std::move(without.fix)};
  }
  // The same call with another number. Without the privilege it is another question: whether records may be read.
  if (context.perf_opens_events && holds(context.host(), cap_perfmon)) return supported(asked);
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = *id;
  attributes.sample_period = 1;
  attributes.sample_type = PERF_SAMPLE_RAW;
  Result<UniqueFd> opened = open_perf_event(context.system(), attributes, "open " + std::string(event));
  if (!opened) return perf_refused(context, asked, "the event " + std::string(event), opened.error());
  context.system().close_slowly(std::move(*opened));
  context.perf_opens_events = true;
  return supported(asked);
}

bool tracefs_is_mounted(System& system) {
  constexpr std::size_t mounts_bytes = 256 * 1024;
  const Result<std::string> mounts = system.read_file("/proc/self/mounts", mounts_bytes);
  constexpr std::string_view place = " /sys/kernel/tracing ";
  const std::size_t at = mounts ? mounts->rfind(place) : std::string::npos;  // the last one covers those before it
  return at != std::string::npos && mounts->compare(at + place.size(), 8, "tracefs ") == 0;
}

// Mounted, and without events. Lockdown shows it so; where securityfs does not say, so may a kernel without events.
Answer empty_tracefs(ProbeContext& context, Capability asked) {
  const std::string mode = lockdown_mode(context.system());
  if (mode == "confidentiality")
    return unsupported(asked, "kernel lockdown in mode confidentiality hides tracefs", std::string(fix_lockdown));
  if (mode.empty())
    return unknown(asked, "tracefs is mounted and empty: kernel lockdown hides it, or this kernel has no events",
                   fix_securityfs(context));
  return unsupported(asked, "tracefs is mounted and empty: this kernel has no events (CONFIG_EVENT_TRACING=n)",
                     fix_kernel(context.host(), "with CONFIG_FTRACE_SYSCALLS=y"));
}

// Makes an own instance of tracefs and removes it again.
Result<void> make_instance(System& system) {
  Error error;
  for (const char* path :
       {"/sys/kernel/tracing/instances/tracer-probe", "/sys/kernel/debug/tracing/instances/tracer-probe"}) {
    constexpr auto here = static_cast<std::uintptr_t>(AT_FDCWD);
    constexpr std::uintptr_t owner_only = 0700;
    const long made = system.call(SYS_mkdirat, {here, address_of(path), owner_only});
    // Somebody is probing at the same time, or was killed at it.
    if (made >= 0 || made == -EEXIST) {
      (void)system.call(SYS_unlinkat, {here, address_of(path), AT_REMOVEDIR});
      return {};
    }
    Error refused = os_failure(static_cast<int>(-made), "make an instance of tracefs");
    if (error.context.empty() || refused.code == Errc::not_permitted) error = std::move(refused);
  }
  return std::unexpected(std::move(error));
}

}  // namespace

Answer probe_btf(ProbeContext& context) {
  constexpr Capability asked = Capability::btf;
  const Result<HookTypes>& types = context.hook_types();
  if (types) return supported(asked);
  switch (types.error().code) {
    case Errc::not_found:
      if (!is_there(context.system(), "/sys/kernel")) return sysfs_not_mounted(context, asked);
      return unsupported(asked, "this kernel carries no type information (CONFIG_DEBUG_INFO_BTF=n)",
                         fix_kernel(context.host(), "with CONFIG_DEBUG_INFO_BTF=y"));
    case Errc::malformed:
      return unsupported(asked, types.error().context);
    default:
      return not_concluded(context, asked, std::string("reading ") + kernel_types_path, cap_bpf, types.error());
  }
}

Answer no_event_sources(ProbeContext& context, Capability asked) {
  if (!is_there(context.system(), "/sys/bus")) return sysfs_not_mounted(context, asked);
  return unsupported(asked, "this kernel has no perf events (CONFIG_PERF_EVENTS=n)");
}

Answer probe_tracefs(ProbeContext& context) {
  constexpr Capability asked = Capability::tracefs;
  const Result<std::uint64_t> id = tracepoint_id(context.system(), "syscalls/sys_enter_read");
  if (id) return supported(asked);
  if (id.error().code == Errc::not_permitted)
    return not_permitted(context, asked, "reading /sys/kernel/tracing", cap_dac_read_search);
  if (id.error().code != Errc::not_found) return unknown(asked, id.error().context);
  if (event_folder_is_there(context.system()))
    return unsupported(asked, "this kernel has no syscall tracepoints (CONFIG_FTRACE_SYSCALLS=n)");
  if (tracefs_is_mounted(context.system())) return empty_tracefs(context, asked);
  if (is_there(context.system(), "/sys/kernel/tracing"))
    return unknown(asked, "tracefs is not mounted",
                   fix_on_host(context.host(), "sudo mount -t tracefs tracefs /sys/kernel/tracing"));
  if (!is_there(context.system(), "/sys/kernel")) return sysfs_not_mounted(context, asked);
  return unsupported(asked, "this kernel has no tracefs (CONFIG_TRACING=n)");
}

// By perf, else by an own instance: making one costs the kernel a buffer for each processor.
Answer probe_tracefs_instance(ProbeContext& context) {
  constexpr Capability asked = Capability::tracefs_instance;
  Answer by_perf = context.exec_event ? *context.exec_event : probe_exec_tp(context);
  by_perf.capability = asked;
  if (by_perf.verdict == Verdict::supported) return by_perf;
  const Result<void> made = make_instance(context.system());
  if (made) return supported(asked);
  if (made.error().code == Errc::not_permitted || made.error().os_error == EROFS) {
    if (by_perf.reason.starts_with("needs tracefs"))
      return not_permitted(context, asked, "tracefs", cap_dac_read_search);
    by_perf.reason += "; and an own instance of tracefs cannot be made: " +
                      std::string(made.error().os_error == EROFS ? "it is read-only" : "not permitted");
  }
  return by_perf;
}

Answer probe_exec_tp(ProbeContext& context) {
  // To open and close it takes the kernel a tenth of a second.
  if (!context.exec_event)
    context.exec_event = probe_event(context, Capability::exec_tp, "sched/sched_process_exec", "");
  return *context.exec_event;
}

Answer probe_socket_state_tp(ProbeContext& context) {
  return probe_event(context, Capability::socket_state_tp, "sock/inet_sock_set_state", " (before Linux 4.16)");
}

Answer probe_kernel_symbols(ProbeContext& context) {
  constexpr Capability asked = Capability::kernel_symbols;
  constexpr std::size_t looked_at_bytes = 256 * 1024;
  const Result<std::string> symbols = context.system().read_file("/proc/kallsyms", looked_at_bytes);
  if (!symbols) {
    if (symbols.error().code == Errc::not_found && !is_there(context.system(), "/proc/self/stat"))
      return cannot_read(context, asked, symbols.error());
    if (symbols.error().code == Errc::not_found)
      return unsupported(asked, "this kernel shows no symbols (CONFIG_KALLSYMS=n)");
    return not_concluded(context, asked, "reading /proc/kallsyms", cap_syslog, symbols.error());
  }
  // The first ones are per-CPU and 0 on some kernels.
  constexpr std::string_view blanks = " \n";
  for (std::size_t at = 0; at < symbols->size();) {
    const std::size_t end = std::min(symbols->find('\n', at), symbols->size());
    const std::size_t digits_end = std::min(symbols->find_first_of(blanks, at), end);
    const std::size_t digit = symbols->find_first_not_of('0', at);
    if (digit < digits_end) return supported(asked);
    at = end + 1;
  }
  const Result<std::string> restricted = read_word(context.system(), "/proc/sys/kernel/kptr_restrict");
  // From 2 on the privilege does not help either.
  if (restricted && (*restricted == "0" || *restricted == "1") &&
      (!holds(context.host(), cap_syslog) || context.host().user_namespace))
    return not_permitted(context, asked, "reading kernel addresses", cap_syslog);
  return unknown(asked,
                 std::string(not_permitted_prefix) + "every address reads 0" +
                     (restricted ? "; kernel.kptr_restrict is " + *restricted : ""),
                 context.host().root ? fix_on_host(context.host(), "sudo sysctl kernel.kptr_restrict=1")
                                     : fix_privilege(context.host(), cap_syslog));
}

Answer probe_function_tracing(ProbeContext& context) {
  return probe_switch(context, Capability::function_tracing, "/proc/sys/kernel/ftrace_enabled",
                      "this kernel has no function tracing (CONFIG_FUNCTION_TRACER=n): fentry does not attach",
                      "function tracing is switched off: fentry does not work", "sudo sysctl kernel.ftrace_enabled=1");
}

Answer probe_bpf_jit(ProbeContext& context) {
  return probe_switch(context, Capability::bpf_jit, "/proc/sys/net/core/bpf_jit_enable",
                      "this kernel has no compiler for programs (CONFIG_BPF_JIT=n): they are interpreted",
                      "programs are interpreted: they cost several times as much",
                      "sudo sysctl net.core.bpf_jit_enable=1");
}

Answer probe_uprobe(ProbeContext& context) {
  constexpr Capability asked = Capability::uprobe;
  const Result<std::string> type = read_word(context.system(), "/sys/bus/event_source/devices/uprobe/type");
  if (!type) {
    if (type.error().code == Errc::not_found)
      return is_there(context.system(), "/sys/bus/event_source/devices")
                 ? unsupported(asked, "this kernel has no uprobes (CONFIG_UPROBE_EVENTS=n)")
                 : no_event_sources(context, asked);
    return not_concluded(context, asked, "reading the uprobe event type", cap_perfmon, type.error());
  }
  perf_event_attr attributes{};
  if (std::from_chars(type->data(), type->data() + type->size(), attributes.type).ec != std::errc{})
    return unknown(asked, "the uprobe event type is not a number");
  // The file's header: mapped nowhere as code, so that nothing is written into any process.
  constexpr char file[] = "/proc/self/exe";
  attributes.uprobe_path = address_of(file);
  Result<UniqueFd> event = open_perf_event(context.system(), attributes, "probe a user function");
  if (!event && event.error().code == Errc::not_found) return cannot_read(context, asked, event.error());
  // Newer kernels want more for breakpoints in programs than for those in themselves.
  if (!event && event.error().code == Errc::not_permitted && holds(context.host(), cap_perfmon) &&
      !holds(context.host(), cap_sys_admin))
    return not_permitted(context, asked, "a user function probe", cap_sys_admin);
  if (!event) return perf_refused(context, asked, "a user function probe", event.error());
  context.system().close_slowly(std::move(*event));
  return supported(asked);
}

}  // namespace tracer
