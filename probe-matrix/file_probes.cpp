#include "probe-matrix/file_probes.h"

#include <fcntl.h>
#include <linux/fanotify.h>
#include <sys/syscall.h>

#include <cerrno>
#include <string>
#include <utility>

#include "core/base/unique_fd.h"
#include "probe-matrix/probe_answers.h"
#include "probe-matrix/report.h"

namespace tracer {
namespace {

Answer no_proc(ProbeContext& context, Capability asked) {
  return unsupported(asked, "/proc is not mounted", fix_proc(context));
}

// Process 1 is not to be seen.
Answer no_process_one(ProbeContext& context, Capability asked) {
  const Result<std::string> proc = context.system().read_file("/proc/self", 1);
  if (!proc && proc.error().code == Errc::not_found) return no_proc(context, asked);
  return unknown(asked, std::string(not_permitted_prefix) + "/proc hides other users' processes (mount option hidepid)",
                 fix_privilege(context.host(), cap_sys_ptrace));
}

// Watches the mount of the root directory for a moment. Only notices: a tracer must never be asked for permission.
Answer probe_mark(ProbeContext& context, Capability asked, std::uint64_t mask, std::string_view what) {
  System& system = context.system();
  const long group =
      system.call(SYS_fanotify_init, {FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC});
  if (group < 0) {
    if (group == -ENOSYS) return unsupported(asked, "this kernel has no fanotify (CONFIG_FANOTIFY=n)");
    return not_concluded(context, asked, "fanotify", cap_sys_admin, os_failure(static_cast<int>(-group), "fanotify"));
  }
  UniqueFd owner(static_cast<int>(group));
  constexpr auto here = static_cast<std::uintptr_t>(AT_FDCWD);
  constexpr char root[] = "/";
  const long marked =
      system.call(SYS_fanotify_mark, {static_cast<std::uintptr_t>(owner.get()), FAN_MARK_ADD | FAN_MARK_MOUNT, mask,
                                      here, reinterpret_cast<std::uintptr_t>(&root[0])});
  system.close_slowly(std::move(owner));
  if (marked >= 0) return supported(asked);
  if (marked == -EINVAL) return unsupported(asked, "this kernel's fanotify does not tell of " + std::string(what));
  return not_concluded(context, asked, "watching " + std::string(what), cap_sys_admin,
                       os_failure(static_cast<int>(-marked), "watch " + std::string(what)));
}

}  // namespace

Answer probe_proc_mounted(ProbeContext& context) {
  constexpr Capability asked = Capability::proc_mounted;
  const Result<std::string> own = context.system().read_file("/proc/self/stat", 1);
  if (own) return supported(asked);
  if (own.error().code == Errc::not_found) return no_proc(context, asked);
  return not_concluded(context, asked, "reading /proc/self", cap_sys_ptrace, own.error());
}

// The same with and without sock_diag's modules; only a kernel without TCP has none.
Answer probe_proc_net_tcp(ProbeContext& context) {
  constexpr Capability asked = Capability::proc_net_tcp;
  const Result<std::string> table = context.system().read_file("/proc/self/net/tcp", 1);
  if (table) return supported(asked);
  if (table.error().code != Errc::not_found)
    return not_concluded(context, asked, "reading /proc/net/tcp", cap_sys_ptrace, table.error());
  if (const Answer mounted = probe_proc_mounted(context); mounted.verdict != Verdict::supported)
    return no_proc(context, asked);
  return unsupported(asked, "this kernel has no table of TCP sockets in /proc");
}

// Process 1 is always there and never ours. Its descriptors are shown to whoever may see everybody's.
Answer probe_proc_other_processes(ProbeContext& context) {
  constexpr Capability asked = Capability::proc_other_processes;
  const Result<std::string> target = context.system().read_link("/proc/1/fd/0");
  if (target) return supported(asked);
  if (target.error().code == Errc::not_permitted)
    return not_permitted(context, asked, "looking into process 1", cap_sys_ptrace);
  const Result<std::string> process = context.system().read_file("/proc/1", 1);
  if (!process && process.error().code == Errc::not_found) return no_process_one(context, asked);
  // It may have closed its descriptor 0; being let through as far as that is the permission.
  if (target.error().code == Errc::not_found) return supported(asked);
  return unknown(asked, target.error().context);
}

Answer probe_proc_maps(ProbeContext& context) {
  constexpr Capability asked = Capability::proc_maps;
  const Result<std::string> maps = context.system().read_file("/proc/1/maps", 1);
  if (maps) return supported(asked);
  if (maps.error().code == Errc::not_permitted)
    return not_permitted(context, asked, "reading the mappings of process 1", cap_sys_ptrace);
  if (maps.error().code == Errc::not_found) return no_process_one(context, asked);
  return unknown(asked, maps.error().context);
}

Answer probe_proc_complete(ProbeContext& context) {
  constexpr Capability asked = Capability::proc_complete;
  constexpr std::size_t mounts_bytes = 256 * 1024;
  const Result<std::string> mounts = context.system().read_file("/proc/mounts", mounts_bytes);
  if (!mounts) return cannot_read(context, asked, mounts.error());
  const std::size_t at = mounts->rfind(" /proc proc ");  // the last one covers those before it
  if (at == std::string::npos) return no_proc(context, asked);
  const std::string line = mounts->substr(at, mounts->find('\n', at) - at);
  const std::size_t option = line.find("hidepid=");
  const std::string value =
      option == std::string::npos ? "0" : line.substr(option + 8, line.find_first_of(", ", option) - option - 8);
  if (value == "0" || value == "off") return supported(asked);
  const std::string reason = "/proc is mounted with hidepid=" + value;
  if (is_there(context.system(), "/proc/1"))
    return supported_because(asked, reason + ", which does not concern this process");
  return unsupported(asked, reason + ": other users' processes are not shown",
                     context.host().root ? fix_on_host(context.host(), "sudo mount -o remount,hidepid=0 /proc")
                                         : fix_privilege(context.host(), cap_sys_ptrace));
}

Answer probe_fanotify(ProbeContext& context) {
  return probe_mark(context, Capability::fanotify, FAN_OPEN, "opens on a mount");
}

Answer probe_fanotify_exec(ProbeContext& context) {
  constexpr std::uint64_t fan_open_exec = 0x1000;  // 5.0
  return probe_mark(context, Capability::fanotify_exec, fan_open_exec, "executions");
}

}  // namespace tracer
