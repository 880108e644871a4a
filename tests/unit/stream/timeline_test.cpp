#include "core/timeline.h"

#include <gtest/gtest.h>

namespace tracer {
namespace {

TEST(Timeline, MonotonicIsRunTimeAndMapsToWallTimeByTheOffset) {
  const Timeline timeline = Timeline::of_monotonic(1'700'000'000'000'000'000);
  EXPECT_EQ(timeline.to_run(EventTime{123}).ns, 123U);
  EXPECT_EQ(timeline.to_wall(EventTime{123}).ns, 1'700'000'000'000'000'123);
}

TEST(Timeline, AnotherClockIsBroughtToRunTimeByItsAnchor) {
  const Timeline timeline(ClockDomain::realtime, ClockAnchor{EventTime{1'000'000}, 500, WallTime{1'000'000}});
  EXPECT_EQ(timeline.to_run(EventTime{1'000'100}).ns, 600U);
  EXPECT_EQ(timeline.to_wall(EventTime{600}).ns, 1'000'100);
}

TEST(Timeline, BeforeTheRunIsZeroAndNotTheFarFuture) {
  const Timeline timeline(ClockDomain::realtime, ClockAnchor{EventTime{1'000'000}, 500, WallTime{1'000'000}});
  EXPECT_EQ(timeline.to_run(EventTime{10}).ns, 0U);
}

TEST(Timeline, AFileNeedsNoAnchor) {
  const Timeline timeline = Timeline::of_wall_clock(ClockDomain::file);
  EXPECT_EQ(timeline.to_wall(timeline.to_run(EventTime{42})).ns, 42);
}

}  // namespace
}  // namespace tracer
