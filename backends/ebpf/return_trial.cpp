#include "backends/ebpf/return_trial.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace tracer {
namespace {

constexpr long uretprobe_call = 335;  // x86-64 only; arch/x86/entry/syscalls/syscall_64.tbl

// The status as wait(2) gives it; -1: no child could be made. `deed` may only do what is safe after a fork.
int in_a_child(const std::function<int()>& deed) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::_exit(deed());
  }
  int status = -1;
  if (child < 0) return -1;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// False: there are no such filters here.
bool deny_the_call() {
  const auto denied = static_cast<std::uint32_t>(SECCOMP_RET_ERRNO | EPERM);
  sock_filter steps[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, uretprobe_call},
      {BPF_RET | BPF_K, 0, 0, denied},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  const sock_fprog program{std::size(steps), steps};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

Result<void> try_return_under_filter(const std::function<Result<UniqueFd>()>& watch_return, void (*function)()) {
#ifndef __x86_64__
  static_cast<void>(watch_return);
  static_cast<void>(function);
  return {};
#else
  // Where it exists the kernel ends a process that makes it by itself.
  const int unknown = in_a_child([] { return ::syscall(uretprobe_call) < 0 && errno == ENOSYS ? 0 : 1; });
  if (unknown == 0) return {};
  const auto watched = watch_return();
  if (!watched) return std::unexpected(watched.error());
  const int status = in_a_child([&] {
    if (deny_the_call()) function();
    return 0;
  });
  if (status == 0) return {};
  return fail(Errc::not_supported,
              "on this kernel a watched function's return kills processes that filter their system calls (seccomp); "
              "Linux 6.14 has that mended");
#endif
}

}  // namespace tracer
