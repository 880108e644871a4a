// The small maps through which user space configures the programs and reads their account.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "backends/bpf/wire.h"
#include "core/base/result.h"

namespace tracer {

[[nodiscard]] std::uint32_t possible_processors();

[[nodiscard]] Result<void> write_config(int map_fd, const wire_config& config);

struct SyscallOp {
  std::string_view name;  // as in syscalls:sys_enter_NAME
  long number = 0;        // on this architecture
  std::uint32_t op = 0;   // enum wire_op, or enum wire_file_op in the table of the calls on files
};

// Calls that move bytes through sockets, and accept. Together with what makes and removes descriptors, all of them.
[[nodiscard]] std::span<const SyscallOp> socket_syscalls();
[[nodiscard]] std::span<const SyscallOp> compat_syscalls();  // of 32-bit programs on sockets; none: not known here
[[nodiscard]] std::span<const SyscallOp> descriptor_syscalls();
// Calls that open files; with `libraries` also those that map them and give descriptors back. Opens by 32-bit programs.
[[nodiscard]] std::span<const SyscallOp> file_syscalls(bool libraries);
[[nodiscard]] std::span<const SyscallOp> compat_open_syscalls();

// Tells the programs what each system call number does.
[[nodiscard]] Result<void> write_syscall_ops(int map_fd, std::span<const SyscallOp> calls);

// Sum over all processors.
[[nodiscard]] wire_counters read_counters(int map_fd);

}  // namespace tracer
