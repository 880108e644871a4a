// When a backend counts as dead, and what is given up over a budget.
#include "cli/supervisor.h"

#include <gtest/gtest.h>

#include <vector>

namespace tracer::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr SteadyTime start{std::chrono::hours(1)};
SteadyTime at(int ms) { return start + milliseconds(ms); }

struct HealthTest : ::testing::Test {
  // One turn of the loop as a session does it: drain, then a heartbeat if one is due.
  void turn(int ms, bool idle = true, std::optional<SteadyTime> bytes_at = std::nullopt) {
    if (answers) beats.seen = beats.sent;
    health.on_drained(at(ms), idle, beats, bytes_at);
    if (health.beat_due(at(ms))) {
      health.on_beat(at(ms), can_send, beats, counters);
      if (can_send) ++beats.sent;
    }
  }
  void turns(int from_ms, int until_ms, bool idle = true) {
    for (int ms = from_ms; ms < until_ms && !health.dead(); ms += 10) turn(last = ms, idle);
  }

  HealthLimits limits;
  BackendCounters counters;
  Beats beats;
  Health health{limits, start, counters};
  bool answers = true, can_send = true;
  int last = 0;
};

TEST_F(HealthTest, LivesWhileItsHeartbeatsComeBack) {
  turns(0, 60'000);
  EXPECT_FALSE(health.dead());
  EXPECT_GT(health.alive_at(), at(59'000));
}

TEST_F(HealthTest, TwoMissedHeartbeatsAreDeath) {
  turns(0, 2'000);
  answers = false;
  turns(2'000, 10'000);
  ASSERT_TRUE(health.dead());
  EXPECT_LE(last, 3'510) << "so that another can take over within two seconds";
  EXPECT_LE(health.alive_at(), at(2'000)) << "the last sign of life is from before the silence";
  EXPECT_GE(health.alive_at(), at(1'490));
  EXPECT_NE(health.dead()->find("no heartbeat"), std::string::npos) << *health.dead();
  EXPECT_FALSE(health.only_lossy());
}

TEST_F(HealthTest, OneMissedHeartbeatIsForgiven) {
  turns(0, 2'000);
  answers = false;
  turns(2'000, 2'520);
  answers = true;
  turns(2'520, 10'000);
  EXPECT_FALSE(health.dead());
}

TEST_F(HealthTest, WhatWaitsInALongQueueIsNotMissing) {
  answers = false;
  turns(0, 30'000, /*idle=*/false);
  EXPECT_FALSE(health.dead());
  turns(30'000, 40'000, /*idle=*/true);
  EXPECT_TRUE(health.dead());
}

TEST_F(HealthTest, AHeartbeatThatCannotBeSentSaysNothing) {
  answers = can_send = false;
  turns(0, 30'000);
  EXPECT_FALSE(health.dead());
  EXPECT_EQ(health.alive_at(), at(29'990)) << "nothing but drains without an error are known of it";
}

TEST_F(HealthTest, AHeartbeatAmongLostEventsIsNoEvidence) {
  answers = false;
  for (int ms = 0; ms < 30'000; ms += 10) {
    counters.lost_ring_full += 1;
    turn(ms);
  }
  EXPECT_FALSE(health.dead());
}

TEST_F(HealthTest, BytesProveLifeAtTheTimeTheyWereMoved) {
  turn(0);
  answers = false;
  turn(400, true, at(350));
  EXPECT_EQ(health.alive_at(), at(350));
  turn(410, true, at(100));
  EXPECT_EQ(health.alive_at(), at(350));
}

TEST_F(HealthTest, OfTwoHeartbeatsUnderWayTheEarlierIsTakenToHaveComeBack) {
  answers = false;
  turns(0, 1'000, /*idle=*/false);  // sent at 0 and at 500; one of them comes back
  beats.seen = 1;
  health.on_drained(at(990), false, beats, std::nullopt);
  EXPECT_EQ(health.alive_at(), at(0));
}

TEST_F(HealthTest, AnErrorIsDeathAtOnce) {
  turns(0, 100);
  health.on_error("the ring is gone");
  ASSERT_TRUE(health.dead());
  EXPECT_EQ(*health.dead(), "the ring is gone");
  health.on_error("later");
  EXPECT_EQ(*health.dead(), "the ring is gone") << "the first reason stays";
}

TEST_F(HealthTest, SustainedLossIsDeathAndShortLossIsNot) {
  const auto second = [&](int s, std::uint64_t lost, std::uint64_t delivered) {
    counters.lost_ring_full += lost;
    counters.delivered += delivered;
    ASSERT_TRUE(health.count_due(at(s * 1000)));
    health.on_counters(at(s * 1000), counters);
  };
  second(1, 900, 100);
  second(2, 900, 100);
  second(3, 0, 1000);
  second(4, 900, 100);
  second(5, 900, 100);
  EXPECT_FALSE(health.dead());
  second(6, 900, 100);
  ASSERT_TRUE(health.dead());
  EXPECT_EQ(*health.dead(), "it loses 90 % of the events");
  EXPECT_TRUE(health.only_lossy());
}

TEST_F(HealthTest, WhatOutlivesItsLossDiesOfEverythingElse) {
  const auto lose_for = [&](int from_s, int until_s) {
    for (int s = from_s; s < until_s; ++s) {
      counters.lost_ring_full += 1'000;
      health.on_counters(at(s * 1000), counters);
    }
  };
  lose_for(1, 4);
  ASSERT_TRUE(health.only_lossy());
  health.outlive_loss();
  EXPECT_FALSE(health.dead());
  EXPECT_FALSE(health.only_lossy());
  lose_for(4, 20);
  EXPECT_FALSE(health.dead()) << "of everything there was";
  health.on_error("the ring is gone");
  health.outlive_loss();
  EXPECT_TRUE(health.dead());
}

TEST_F(HealthTest, LossAtTheThresholdOrOfAFewEventsIsBorne) {
  for (int s = 1; s < 20; ++s) {
    counters.lost_user += 250;
    counters.delivered += 750;
    health.on_counters(at(s * 1000), counters);
  }
  EXPECT_FALSE(health.dead()) << "25 % is not above 25 %";
  for (int s = 20; s < 40; ++s) {
    counters.lost_user += 99;
    health.on_counters(at(s * 1000), counters);
  }
  EXPECT_FALSE(health.dead()) << "99 events say nothing";
}

TEST(Dearest, GivesUpTheDearestThatDoesNotShowTheFirstFacet) {
  const std::vector<SourceCost> costs{{true, 9'000'000, 10}, {false, 1'000, 900}, {false, 2'000, 5}};
  EXPECT_EQ(dearest(costs), 2u);
  const std::vector<SourceCost> unmeasured{
      {true, std::nullopt, 10}, {false, std::nullopt, 5}, {false, std::nullopt, 9}};
  EXPECT_EQ(dearest(unmeasured), 2u);
}

TEST(Dearest, NeverGivesUpTheLast) {
  const std::vector<SourceCost> one{{false, 9'000'000, 10}};
  EXPECT_EQ(dearest(one), std::nullopt);
  EXPECT_EQ(dearest({}), std::nullopt);
  const std::vector<SourceCost> two{{true, 5, 10}, {false, 1, 1}};
  EXPECT_EQ(dearest(two), 1u) << "also where it is the cheaper one";
}

TEST(Budget, IsOverAfterThreeSecondsInARow) {
  Budget budget(10, start, 0);
  std::uint64_t spent = 0;
  const auto second = [&](int s, int percent) {
    spent += static_cast<std::uint64_t>(percent) * 10'000'000;
    EXPECT_TRUE(budget.due(at(s * 1000)));
    return budget.over(at(s * 1000), spent);
  };
  EXPECT_FALSE(budget.due(at(999)));
  EXPECT_FALSE(second(1, 50));
  EXPECT_FALSE(second(2, 50));
  EXPECT_FALSE(second(3, 10)) << "10 % is not over 10 %";
  EXPECT_FALSE(second(4, 11));
  EXPECT_FALSE(second(5, 11));
  EXPECT_TRUE(second(6, 12));
  EXPECT_DOUBLE_EQ(budget.percent(), 12);
  EXPECT_FALSE(second(7, 12)) << "the count begins anew";
}

}  // namespace
}  // namespace tracer::cli
