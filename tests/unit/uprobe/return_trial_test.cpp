// A function whose return is watched, in a process that filters its system calls.
#include "backends/ebpf/return_trial.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace tracer {
namespace {

Result<UniqueFd> nothing() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

// As try_return_under_filter() asks: does this kernel have the call that returns use?
bool has_the_call() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::syscall(335) < 0 && errno == ENOSYS ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status != 0;
}

TEST(ReturnTrial, WhatLivesIsSafe) {
  EXPECT_TRUE(try_return_under_filter(nothing, [] {}).has_value());
}

TEST(ReturnTrial, WhatDiesIsNot) {
  const auto tried = try_return_under_filter(nothing, [] { ::raise(SIGSEGV); });
  if (!has_the_call()) {
    EXPECT_TRUE(tried.has_value()) << "asked though returns make no call here";
    return;
  }
  ASSERT_FALSE(tried.has_value());
  EXPECT_EQ(tried.error().code, Errc::not_supported);
}

TEST(ReturnTrial, WhatCannotBeWatchedIsTold) {
  if (!has_the_call()) GTEST_SKIP() << "nothing is tried here: returns make no system call";
  const auto refused = []() -> Result<UniqueFd> { return fail(Errc::not_permitted, "no"); };
  const auto tried = try_return_under_filter(refused, [] {});
  ASSERT_FALSE(tried.has_value());
  EXPECT_EQ(tried.error().code, Errc::not_permitted);
}

}  // namespace
}  // namespace tracer
