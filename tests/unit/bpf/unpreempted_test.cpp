// Whether the kernel preempts, and that nothing stays of what is done against it.
#include "backends/bpf/unpreempted.h"

#include <gtest/gtest.h>
#include <sched.h>

namespace tracer {
namespace {

TEST(Unpreempted, ByTheKernelsVersionAndTheModeOfThisBoot) {
  EXPECT_TRUE(may_preempt_in_kernel("#1 SMP PREEMPT_RT Debian 6.12.117-1 (2026-11-12)", ""));
  EXPECT_TRUE(may_preempt_in_kernel("#1 SMP PREEMPT RT Debian 4.19.208-1 (2021-09-29)", ""));
  EXPECT_FALSE(may_preempt_in_kernel("#1 SMP Debian 5.10.262-1 (2026-07-31)", ""));
  constexpr std::string_view chosen_at_boot = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)";
  EXPECT_TRUE(may_preempt_in_kernel(chosen_at_boot, "")) << "nobody says that it does not";
  EXPECT_TRUE(may_preempt_in_kernel(chosen_at_boot, "none voluntary (full)"));
  EXPECT_TRUE(may_preempt_in_kernel(chosen_at_boot, "full (lazy)"));
  EXPECT_FALSE(may_preempt_in_kernel(chosen_at_boot, "none (voluntary) full"));
}

TEST(Unpreempted, LeavesThePolicyAsItWas) {
  const int before = ::sched_getscheduler(0);
  for (int round = 0; round < 2; ++round) {
    const Unpreempted unpreempted;
    EXPECT_TRUE(::sched_getscheduler(0) == before || ::sched_getscheduler(0) == SCHED_FIFO);
  }
  EXPECT_EQ(::sched_getscheduler(0), before);
}

}  // namespace
}  // namespace tracer
