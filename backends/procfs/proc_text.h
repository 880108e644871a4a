// Pure readers of the text that /proc gives: no system call, no allocation but for the strings returned.
//
// Everything here may be written by a hostile process (a comm may hold parentheses, spaces and newlines, an executable
// any path), so each function takes any bytes and answers nullopt where they do not follow the kernel's format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tracer::procfs {

// /proc/PID/stat. The name ends at the *last* parenthesis: what follows it is written by the kernel alone.
struct StatFacts {
  std::uint32_t pid = 0;
  std::string comm;               // unescaped, as the kernel holds it
  std::uint64_t start_ticks = 0;  // field 22
  std::uint32_t parent = 0;       // field 4
};
[[nodiscard]] std::optional<StatFacts> parse_stat(std::string_view text);

// /proc/PID/status. The kernel escapes newlines in Name there, so that lines can be trusted.
struct StatusFacts {
  std::uint32_t tgid = 0;
  std::uint32_t uid_real = 0;  // what current_uid() is in the kernel
  std::optional<std::uint32_t> gid_real;
  std::vector<std::uint32_t> pids_by_level;  // NSpid: from the namespace of this /proc inwards; empty before Linux 4.1
};
[[nodiscard]] std::optional<StatusFacts> parse_status(std::string_view text);

// /proc/PID/cgroup, v1, v2 or both: the innermost 64-digit id that docker, containerd, cri-o or podman put into a path.
// Empty: none. A container's monitor (…-conmon-ID.scope) is not in the container.
[[nodiscard]] std::string_view container_id(std::string_view cgroup_text);

// "socket:[123]" with kind "socket" → 123. Links of namespaces ("net:[123]") have the same form.
[[nodiscard]] std::optional<std::uint64_t> inode_of_link(std::string_view target, std::string_view kind);

// The path without the " (deleted)" that the kernel appends when the file is unlinked. A file that is really called
// so cannot be told from it.
[[nodiscard]] std::string_view without_deleted_mark(std::string_view target);

// A process that shows a title ("sshd: root@pts/0") in place of its arguments fills the rest of their room with NULs.
// Told by the blank in what would be the program's name: an empty last argument otherwise stays.
[[nodiscard]] std::string_view without_title_padding(std::string_view arguments);

// system.sockprotoname of a socket: does TCP run under it? MPTCP counts, because a connection with a peer that does not
// speak it is a plain TCP socket with that name.
[[nodiscard]] bool is_tcp_protocol_name(std::string_view name);

// Decimal digits and nothing else, without overflow.
template <typename Number>
[[nodiscard]] std::optional<Number> parse_decimal(std::string_view text);

}  // namespace tracer::procfs
