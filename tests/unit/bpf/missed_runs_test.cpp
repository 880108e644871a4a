#include "backends/bpf/missed_runs.h"

#include <gtest/gtest.h>

#include <array>

namespace tracer {
namespace {

TEST(MissedRuns, ProgramsOfTheirOwnAddUp) {
  const std::array programs{ProgramMisses{"tracer_send_exit", 3}, ProgramMisses{"tracer_exec", 4}};
  EXPECT_EQ(untold_runs(programs), 7U);
  EXPECT_EQ(untold_runs({}), 0U);
}

TEST(MissedRuns, WhatHasACopyIsTheProgramsOwnBusiness) {
  const std::array programs{ProgramMisses{"tracer_send_exit", 300}, ProgramMisses{"tracer_send_exit_again", 9},
                            ProgramMisses{"tracer_send_exit_again_2", 1}, ProgramMisses{"tracer_send_enter", 5}};
  EXPECT_EQ(untold_runs(programs), 5U);
}

TEST(MissedRuns, WhatIsSeenWhenTheLockIsReleasedIsNotMissed) {
  const std::array programs{ProgramMisses{"tracer_receive_exit", 680}, ProgramMisses{"tracer_release", 2},
                            ProgramMisses{"tracer_splice_exit", 1}};
  EXPECT_EQ(untold_runs(programs), 3U);
  EXPECT_EQ(untold_runs(std::span(programs).first(1)), 680U);
}

}  // namespace
}  // namespace tracer
