#include "cli/unattached.h"

#include <gtest/gtest.h>

namespace tracer::cli {
namespace {

using Lines = std::vector<std::string>;

TEST(Unattached, WhatRunsIsNotNamed) {
  const AttachOutcome outcomes[] = {{"tracer_send_enter", true, {}}, {"tracer_send_exit", true, {}}};
  EXPECT_EQ(describe_unattached(outcomes), Lines{});
  EXPECT_EQ(describe_unattached({}), Lines{});
}

TEST(Unattached, EveryProgramIsNamedWithItsReason) {
  const AttachOutcome outcomes[] = {
      {"tracer_send_enter", true, {}},
      {"tracer_destroy", false, "Permission denied: R1 type=scalar expected=fp | math between pkt pointer"},
      {"tracer_accept_exit", false, "attach to inet_csk_accept: Operation not permitted"},
      {"tracer_fork", false, {}}};
  EXPECT_EQ(
      describe_unattached(outcomes),
      (Lines{"not running: tracer_destroy: Permission denied: R1 type=scalar expected=fp | math between pkt pointer",
             "not running: tracer_accept_exit: attach to inet_csk_accept: Operation not permitted",
             "not running: tracer_fork: no reason is known"}));
}

// The floor has some fifty events; those that an old kernel does not have fail alike.
TEST(Unattached, ThoseWithOneReasonShareALine) {
  const AttachOutcome outcomes[] = {{"syscalls:close_range", false, "attach: No such file or directory"},
                                    {"sched/sched_process_exec", false, "other fields"},
                                    {"syscalls:pidfd_getfd", false, "attach: No such file or directory"}};
  EXPECT_EQ(describe_unattached(outcomes),
            (Lines{"not running: syscalls:close_range, syscalls:pidfd_getfd: attach: No such file or directory",
                   "not running: sched/sched_process_exec: other fields"}));
}

TEST(Unattached, OfManyTheFirstAreNamed) {
  std::vector<AttachOutcome> outcomes;
  for (int i = 0; i < 30; ++i) outcomes.push_back({"lib" + std::to_string(i), false, "no symbols"});
  const Lines lines = describe_unattached(outcomes);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(lines[0].starts_with("not running: lib0, lib1, ")) << lines[0];
  EXPECT_TRUE(lines[0].ends_with(", lib23 and 6 more: no symbols")) << lines[0];
}

}  // namespace
}  // namespace tracer::cli
