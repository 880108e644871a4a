#include "core/time_marks.h"

#include <gtest/gtest.h>

namespace tracer {
namespace {

constexpr std::size_t marks_max = 8;

TEST(TimeMarks, AnswersWhenEachByteMoved) {
  TimeMarks marks;
  marks.add(100, 110, EventTime{1}, marks_max);
  marks.add(110, 130, EventTime{2}, marks_max);
  EXPECT_EQ(marks.time_of(100), EventTime{1});
  EXPECT_EQ(marks.time_of(109), EventTime{1});
  EXPECT_EQ(marks.time_of(110), EventTime{2});
  EXPECT_EQ(marks.time_of(130), std::nullopt);
  EXPECT_EQ(marks.time_of(99), std::nullopt);
}

TEST(TimeMarks, AHoleHasNoAnswer) {
  TimeMarks marks;
  marks.add(0, 10, EventTime{1}, marks_max);
  marks.add(20, 30, EventTime{2}, marks_max);
  EXPECT_EQ(marks.time_of(15), std::nullopt);
  marks.add(10, 20, EventTime{3}, marks_max);
  EXPECT_EQ(marks.time_of(15), EventTime{3});
  EXPECT_EQ(marks.time_of(25), EventTime{2});
}

TEST(TimeMarks, TheFirstTimeOfAByteStays) {
  TimeMarks marks;
  marks.add(0, 10, EventTime{1}, marks_max);
  marks.add(5, 15, EventTime{2}, marks_max);
  EXPECT_EQ(marks.time_of(7), EventTime{1});
  EXPECT_EQ(marks.time_of(12), EventTime{2});
  marks.add(0, 10, EventTime{3}, marks_max);
  EXPECT_EQ(marks.time_of(7), EventTime{1});
}

TEST(TimeMarks, AFullListForgetsItsMiddle) {
  TimeMarks marks;
  std::size_t forgotten = 0;
  for (std::uint64_t i = 0; i < 100; ++i) forgotten += marks.add(i * 10, i * 10 + 10, EventTime{i}, marks_max);
  EXPECT_LE(marks.size(), marks_max);
  EXPECT_EQ(forgotten + marks.size(), 100U);
  EXPECT_EQ(marks.time_of(0), EventTime{0});
  EXPECT_EQ(marks.time_of(500), std::nullopt);
  EXPECT_EQ(marks.time_of(999), EventTime{99});
}

TEST(TimeMarks, PruningKeepsWhatCrossesTheBorder) {
  TimeMarks marks;
  for (std::uint64_t i = 0; i < 50; ++i) {
    marks.add(i * 10, i * 10 + 10, EventTime{i}, marks_max);
    marks.prune(i * 10 + 5);
    ASSERT_EQ(marks.size(), 1U);
    ASSERT_EQ(marks.time_of(i * 10 + 7), EventTime{i});
  }
  marks.prune(500);
  EXPECT_EQ(marks.size(), 0U);
}

}  // namespace
}  // namespace tracer
