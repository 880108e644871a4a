#include "backends/pcap/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace tracer {
namespace {

constexpr std::array<int, 3> for_owners{CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_NET_ADMIN};

}  // namespace

std::span<const int> owner_lookup_capabilities() { return for_owners; }

Result<void> keep_only(std::span<const int> capabilities) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return std::unexpected(os_failure(errno, "capget"));
  std::array<std::uint32_t, _LINUX_CAPABILITY_U32S_3> kept{};
  for (const int capability : capabilities) {
    if (capability < 0 || capability >= 32 * _LINUX_CAPABILITY_U32S_3) continue;
    kept[static_cast<std::size_t>(capability) / 32] |= 1U << (static_cast<unsigned>(capability) % 32);
  }
  for (std::size_t i = 0; i < sets.size(); ++i) {
    sets[i].permitted &= kept[i];
    sets[i].effective &= kept[i];
    sets[i].inheritable = 0;
  }
  // Before Linux 4.3 there are none to clear.
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (::syscall(SYS_capset, &header, sets.data()) != 0) return std::unexpected(os_failure(errno, "capset"));
  return {};
}

}  // namespace tracer
