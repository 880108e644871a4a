#include "probe-matrix/probe_answers.h"

#include <charconv>
#include <utility>

#include "probe-matrix/report.h"

namespace tracer {
namespace {

constexpr std::uint8_t cap_sys_admin_bit = 21;
constexpr std::size_t small_file_bytes = 16 * 1024;

std::uint64_t effective_capabilities(System& system) {
  const Result<std::string> status = system.read_file("/proc/self/status", small_file_bytes);
  if (!status) return 0;
  constexpr std::string_view key = "CapEff:\t";
  const std::size_t at = status->find(key);
  if (at == std::string::npos) return 0;
  std::uint64_t bits = 0;
  const char* begin = status->data() + at + key.size();
  std::from_chars(begin, status->data() + status->size(), bits, 16);
  return bits;
}

}  // namespace

Answer supported(Capability capability) { return {capability, Verdict::supported, {}, {}}; }

Answer unsupported(Capability capability, std::string reason, std::string fix) {
  return {capability, Verdict::unsupported, std::move(reason), std::move(fix)};
}

Answer unknown(Capability capability, std::string reason, std::string fix) {
  return {capability, Verdict::unknown, std::move(reason), std::move(fix)};
}

bool holds(System& system, Privilege privilege) {
  const std::uint64_t held = effective_capabilities(system);
  return ((held >> privilege.bit) & 1) != 0 || ((held >> cap_sys_admin_bit) & 1) != 0;
}

std::string lockdown_mode(System& system) {
  const Result<std::string> modes = system.read_file("/sys/kernel/security/lockdown", small_file_bytes);
  if (!modes) return {};
  const std::size_t open = modes->find('[');
  const std::size_t close = modes->find(']', open);
  if (open == std::string::npos || close == std::string::npos) return {};
  return modes->substr(open + 1, close - open - 1);
}

Answer not_permitted(System& system, Capability capability, std::string_view what, Privilege privilege) {
  std::string reason(not_permitted_prefix);
  reason += what;
  if (!holds(system, privilege)) {
    reason += " needs ";
    reason += privilege.name;
    reason += " (or root)";
    return unknown(capability, std::move(reason), "sudo tracer");
  }
  if (lockdown_mode(system) == "confidentiality") {
    reason += " is refused by kernel lockdown in mode confidentiality";
    return unknown(capability, std::move(reason), "boot with lockdown=integrity, or without Secure Boot");
  }
  reason += " is refused although ";
  reason += privilege.name;
  reason += " is held: a seccomp filter, a security module or the kernel's vendor forbids it";
  return unknown(capability, std::move(reason));
}

Answer not_concluded(System& system, Capability capability, std::string_view what, Privilege privilege,
                     const Error& error) {
  if (error.code == Errc::not_permitted) return not_permitted(system, capability, what, privilege);
  return unknown(capability, error.context, error.suggestion);
}

}  // namespace tracer
