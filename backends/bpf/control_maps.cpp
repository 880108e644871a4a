#include "backends/bpf/control_maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <vector>

#include "backends/bpf/hash_map.h"
#include "backends/bpf/unpreempted.h"

namespace tracer {
namespace {

// The first `socket_syscall_count` rows move bytes through sockets or accept; the others make and remove descriptors.
constexpr std::size_t socket_syscall_count = 16;
constexpr SyscallOp syscall_ops[] = {
    {"write", SYS_write, WIRE_OP_WRITE},
    {"sendto", SYS_sendto, WIRE_OP_WRITE},
    {"writev", SYS_writev, WIRE_OP_WRITEV},
    {"pwritev2", SYS_pwritev2, WIRE_OP_WRITEV},
    {"sendmsg", SYS_sendmsg, WIRE_OP_SENDMSG},
    {"sendmmsg", SYS_sendmmsg, WIRE_OP_SENDMMSG},
    {"sendfile64", SYS_sendfile, WIRE_OP_SENDFILE},
    {"splice", SYS_splice, WIRE_OP_SPLICE},
    {"read", SYS_read, WIRE_OP_READ},
    {"recvfrom", SYS_recvfrom, WIRE_OP_RECVFROM},
    {"readv", SYS_readv, WIRE_OP_READV},
    {"preadv2", SYS_preadv2, WIRE_OP_READV},
    {"recvmsg", SYS_recvmsg, WIRE_OP_RECVMSG},
    {"recvmmsg", SYS_recvmmsg, WIRE_OP_RECVMMSG},
    {"accept", SYS_accept, WIRE_OP_ACCEPT},
    {"accept4", SYS_accept4, WIRE_OP_ACCEPT4},
    {"socket", SYS_socket, WIRE_OP_SOCKET},
    {"connect", SYS_connect, WIRE_OP_CONNECT},
    {"close", SYS_close, WIRE_OP_CLOSE},
    {"dup", SYS_dup, WIRE_OP_DUP},
#ifdef SYS_dup2
    {"dup2", SYS_dup2, WIRE_OP_DUP2},
#endif
    {"dup3", SYS_dup3, WIRE_OP_DUP3},
    {"fcntl", SYS_fcntl, WIRE_OP_FCNTL},
    {"close_range", SYS_close_range, WIRE_OP_CLOSE_RANGE},
    {"clone", SYS_clone, WIRE_OP_CLONE},
    {"clone3", SYS_clone3, WIRE_OP_CLONE3},
    {"pidfd_getfd", SYS_pidfd_getfd, WIRE_OP_GETFD},
};

// Of the table that 32-bit programs use. The 64-bit call of the same number pays for it with a look at its task: on x86
// close and stat, for read and write.
#if defined(__x86_64__)  // arch/x86/entry/syscalls/syscall_32.tbl
constexpr std::array<SyscallOp, 16> compat_ops{{
    {"read", 3, WIRE_OP_32BIT},
    {"write", 4, WIRE_OP_32BIT},
    {"socketcall", 102, WIRE_OP_32BIT_SOCKETCALL},
    {"readv", 145, WIRE_OP_32BIT},
    {"writev", 146, WIRE_OP_32BIT},
    {"sendfile", 187, WIRE_OP_32BIT},
    {"sendfile64", 239, WIRE_OP_32BIT},
    {"splice", 313, WIRE_OP_32BIT},
    {"recvmmsg", 337, WIRE_OP_32BIT},
    {"sendmmsg", 345, WIRE_OP_32BIT},
    {"connect", 362, WIRE_OP_32BIT},
    {"accept4", 364, WIRE_OP_32BIT},
    {"sendto", 369, WIRE_OP_32BIT},
    {"sendmsg", 370, WIRE_OP_32BIT},
    {"recvfrom", 371, WIRE_OP_32BIT},
    {"recvmsg", 372, WIRE_OP_32BIT},
}};
#elif defined(__aarch64__)  // arch/arm/tools/syscall.tbl
constexpr std::array<SyscallOp, 18> compat_ops{{
    {"read", 3, WIRE_OP_32BIT},
    {"write", 4, WIRE_OP_32BIT},
    {"readv", 145, WIRE_OP_32BIT},
    {"writev", 146, WIRE_OP_32BIT},
    {"sendfile", 187, WIRE_OP_32BIT},
    {"sendfile64", 239, WIRE_OP_32BIT},
    {"connect", 283, WIRE_OP_32BIT},
    {"accept", 285, WIRE_OP_32BIT},
    {"send", 289, WIRE_OP_32BIT},
    {"sendto", 290, WIRE_OP_32BIT},
    {"recv", 291, WIRE_OP_32BIT},
    {"recvfrom", 292, WIRE_OP_32BIT},
    {"sendmsg", 296, WIRE_OP_32BIT},
    {"recvmsg", 297, WIRE_OP_32BIT},
    {"splice", 340, WIRE_OP_32BIT},
    {"recvmmsg", 365, WIRE_OP_32BIT},
    {"accept4", 366, WIRE_OP_32BIT},
    {"sendmmsg", 374, WIRE_OP_32BIT},
}};
#else
constexpr std::array<SyscallOp, 0> compat_ops{};
#endif

// Those that open come first.
constexpr SyscallOp file_ops[] = {
    {"openat", SYS_openat, WIRE_FILE_OP_OPENAT}, {"openat2", SYS_openat2, WIRE_FILE_OP_OPENAT2},
#ifdef SYS_open
    {"open", SYS_open, WIRE_FILE_OP_OPEN},       {"creat", SYS_creat, WIRE_FILE_OP_CREAT},
#endif
    {"mmap", SYS_mmap, WIRE_FILE_OP_MMAP},       {"close", SYS_close, WIRE_FILE_OP_CLOSE},
#ifdef SYS_dup2
    {"dup2", SYS_dup2, WIRE_FILE_OP_DUP2},
#endif
    {"dup3", SYS_dup3, WIRE_FILE_OP_DUP2},
};
constexpr std::size_t open_syscall_count =
    static_cast<std::size_t>(std::ranges::find(file_ops, WIRE_FILE_OP_MMAP, &SyscallOp::op) - std::begin(file_ops));

// As compat_ops; openat2 has one number everywhere.
#if defined(__x86_64__)
constexpr std::array<SyscallOp, 3> compat_open_ops{{
    {"open", 5, WIRE_FILE_OP_32BIT},
    {"creat", 8, WIRE_FILE_OP_32BIT},
    {"openat", 295, WIRE_FILE_OP_32BIT},
}};
#elif defined(__aarch64__)
constexpr std::array<SyscallOp, 3> compat_open_ops{{
    {"open", 5, WIRE_FILE_OP_32BIT},
    {"creat", 8, WIRE_FILE_OP_32BIT},
    {"openat", 322, WIRE_FILE_OP_32BIT},
}};
#else
constexpr std::array<SyscallOp, 0> compat_open_ops{};
#endif

// Both tables are written into one map of the kernel: a number that stands for two calls would lose one of them.
constexpr bool numbers_differ(std::span<const SyscallOp> calls, std::span<const SyscallOp> compat_calls) {
  for (const SyscallOp& call : calls)
    for (const SyscallOp& compat : compat_calls)
      if (call.number == compat.number) return false;
  return true;
}
static_assert(numbers_differ(std::span(syscall_ops).first(socket_syscall_count), compat_ops));
static_assert(numbers_differ(file_ops, compat_open_ops));

}  // namespace

std::uint32_t possible_processors() {
  const int count = libbpf_num_possible_cpus();
  return count > 0 ? static_cast<std::uint32_t>(count) : 1;
}

Result<void> write_config(int map_fd, const wire_config& config) {
  const std::uint32_t zero = 0;
  const Unpreempted unpreempted;
  const int failed = bpf_map_update_elem(map_fd, &zero, &config, BPF_ANY);
  if (failed != 0) return std::unexpected(os_failure(-failed, "write the configuration of the BPF programs"));
  return {};
}

std::span<const SyscallOp> socket_syscalls() { return std::span(syscall_ops).first(socket_syscall_count); }
std::span<const SyscallOp> compat_syscalls() { return compat_ops; }
std::span<const SyscallOp> descriptor_syscalls() { return syscall_ops; }
std::span<const SyscallOp> file_syscalls(bool libraries) {
  return libraries ? std::span(file_ops) : std::span(file_ops).first(open_syscall_count);
}
std::span<const SyscallOp> compat_open_syscalls() { return compat_open_ops; }

Result<void> write_syscall_ops(int map_fd, std::span<const SyscallOp> calls) {
  for (const SyscallOp& each : calls) {
    const auto number = static_cast<std::uint32_t>(each.number);
    const int failed = bpf_map_update_elem(map_fd, &number, &each.op, BPF_ANY);
    if (failed != 0) return std::unexpected(os_failure(-failed, "write the system call table of the BPF programs"));
  }
  return {};
}

void hash_map_set(int map_fd, const void* key, const void* value, bool replace) {
  const Unpreempted unpreempted;
  bpf_map_update_elem(map_fd, key, value, replace ? BPF_ANY : BPF_NOEXIST);
}

bool hash_map_get(int map_fd, const void* key, void* value) {
  const Unpreempted unpreempted;
  return bpf_map_lookup_elem(map_fd, key, value) == 0;
}

bool hash_map_next_key(int map_fd, const void* key, void* next) { return bpf_map_get_next_key(map_fd, key, next) == 0; }

void hash_map_delete(int map_fd, const void* key) {
  const Unpreempted unpreempted;
  bpf_map_delete_elem(map_fd, key);
}

wire_counters read_counters(int map_fd) {
  std::vector<wire_counters> each(possible_processors());
  const std::uint32_t zero = 0;
  wire_counters sum{};
  if (!hash_map_get(map_fd, &zero, each.data())) return sum;
  for (const wire_counters& one : each) {
    sum.produced += one.produced;
    sum.failed += one.failed;
    sum.failed_bytes += one.failed_bytes;
    sum.flows_untracked += one.flows_untracked;
    sum.missed += one.missed;
    sum.io_uring += one.io_uring;
    sum.calls_32bit += one.calls_32bit;
    sum.unix_sockets += one.unix_sockets;
    sum.quic += one.quic;
    sum.kernel_tls += one.kernel_tls;
    sum.opens_32bit += one.opens_32bit;
    sum.io_uring_opens += one.io_uring_opens;
    sum.files_filtered += one.files_filtered;
  }
  return sum;
}

}  // namespace tracer
