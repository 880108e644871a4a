#include "backends/bpf/load_times.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tracer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t ms = 1'000'000;

auto time_of(std::string_view program, double took_ms) {
  return testing::AllOf(testing::Field(&LoadTime::program, program), testing::Field(&LoadTime::ms, took_ms));
}

TEST(LoadTimes, AProgramIsLoadedUntilTheNextBegins) {
  // In the order of the object, which need not be that of loading.
  const auto times = load_times({{"second", 107 * ms}, {"first", 105 * ms}, {"third", 207 * ms}}, 100 * ms, 210 * ms);
  EXPECT_THAT(times, ElementsAre(time_of("first", 2), time_of("second", 100), time_of("third", 3)));
}

TEST(LoadTimes, OneAloneEndsWithTheLoading) {
  EXPECT_THAT(load_times({{"only", 101 * ms}}, 100 * ms, 103 * ms), ElementsAre(time_of("only", 2)));
  EXPECT_THAT(load_times({}, 0, 1), IsEmpty());
}

TEST(LoadTimes, WithoutAStampNothingIsKnown) {
  EXPECT_THAT(load_times({{"old", 0}, {"older", 0}}, 100 * ms, 103 * ms), IsEmpty());
}

TEST(LoadTimes, InATimeNamespaceTheLastIsNotKnown) {
  EXPECT_THAT(load_times({{"first", 5 * ms}, {"last", 9 * ms}}, 100 * ms, 110 * ms), ElementsAre(time_of("first", 4)));
  EXPECT_THAT(load_times({{"first", 505 * ms}, {"last", 509 * ms}}, 100 * ms, 110 * ms),
              ElementsAre(time_of("first", 4)));
}

}  // namespace
}  // namespace tracer
