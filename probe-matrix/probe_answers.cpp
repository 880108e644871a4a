#include "probe-matrix/probe_answers.h"

#include <cerrno>
#include <utility>

#include "probe-matrix/report.h"

namespace tracer {
namespace {

constexpr std::size_t small_file_bytes = 16 * 1024;

}  // namespace

Answer supported(Capability capability) { return {capability, Verdict::supported, {}, {}}; }

Answer supported_because(Capability capability, std::string fact) {
  return {capability, Verdict::supported, std::move(fact), {}};
}

Answer unsupported(Capability capability, std::string reason, std::string fix) {
  return {capability, Verdict::unsupported, std::move(reason), std::move(fix)};
}

Answer unknown(Capability capability, std::string reason, std::string fix) {
  return {capability, Verdict::unknown, std::move(reason), std::move(fix)};
}

std::string lockdown_mode(System& system) {
  const Result<std::string> modes = system.read_file("/sys/kernel/security/lockdown", small_file_bytes);
  // Securityfs is there, and this kernel has no lockdown.
  if (!modes && modes.error().code == Errc::not_found && is_there(system, "/sys/kernel/security/lsm")) return "none";
  if (!modes) return {};
  const std::size_t open = modes->find('[');
  const std::size_t close = modes->find(']', open);
  if (open == std::string::npos || close == std::string::npos) return {};
  return modes->substr(open + 1, close - open - 1);
}

Answer not_permitted(ProbeContext& context, Capability capability, std::string_view what, Privilege privilege) {
  std::string reason(not_permitted_prefix);
  reason += what;
  if (!context.host().effective) {
    reason +=
        " is refused, and without /proc it cannot be told whether a privilege is missing or a seccomp filter forbids "
        "it";
    return unknown(capability, std::move(reason), fix_proc(context));
  }
  if (!holds(context.host(), privilege)) {
    reason += " needs ";
    reason += privilege.name;
    reason += " (or root)";
    return unknown(capability, std::move(reason), fix_privilege(context.host(), privilege));
  }
  const std::string lockdown = lockdown_mode(context.system());
  if (lockdown == "confidentiality") {
    reason += " is refused by kernel lockdown in mode confidentiality";
    return unknown(capability, std::move(reason), std::string(fix_lockdown));
  }
  reason += " is refused although ";
  reason += privilege.name;
  const bool several = privilege.name.find(" and ") != std::string_view::npos;
  reason += several ? " are held" : " is held";
  if (context.host().user_namespace) {
    reason += several ? ": they do not count outside of this user namespace"
                      : ": it does not count outside of this user namespace";
    return unknown(capability, std::move(reason), fix_privilege(context.host(), privilege));
  }
  if (context.host().seccomp) {
    reason += ": this process has a seccomp filter, which may be what forbids it";
    return unknown(capability, std::move(reason), fix_seccomp(context.host()));
  }
  if (lockdown.empty()) {
    reason += ": kernel lockdown (securityfs does not say), a security module or the kernel's vendor forbids it";
    return unknown(capability, std::move(reason), fix_securityfs(context));
  }
  reason += ": a security module or the kernel's vendor forbids it";
  return unknown(capability, std::move(reason));
}

Answer cannot_read(ProbeContext& context, Capability asked, const Error& error) {
  const Result<std::string> own = context.system().read_file("/proc/self/stat", 1);
  if (error.code == Errc::not_found && !own && own.error().code == Errc::not_found)
    return unknown(asked, "/proc is not mounted", fix_proc(context));
  return unknown(asked, error.context);
}

std::string fix_proc(ProbeContext& context) { return fix_on_host(context.host(), "sudo mount -t proc proc /proc"); }

std::string fix_securityfs(ProbeContext& context) {
  return fix_on_host(context.host(), "sudo mount -t securityfs securityfs /sys/kernel/security");
}

Answer sysfs_not_mounted(ProbeContext& context, Capability capability) {
  return unknown(capability, "sysfs is not mounted", fix_on_host(context.host(), "sudo mount -t sysfs sysfs /sys"));
}

Answer not_concluded(ProbeContext& context, Capability capability, std::string_view what, Privilege privilege,
                     const Error& error) {
  if (error.code == Errc::not_permitted) return not_permitted(context, capability, what, privilege);
  return unknown(capability, error.context, error.suggestion);
}

Result<std::string> read_word(System& system, const std::string& path) {
  Result<std::string> text = system.read_file(path, small_file_bytes);
  if (text) text->resize(std::min(text->find_last_not_of(" \n") + 1, text->size()));
  return text;
}

bool is_there(System& system, const std::string& path) {
  const Result<std::string> content = system.read_file(path, 1);
  return content.has_value() || content.error().os_error == EISDIR;
}

}  // namespace tracer
