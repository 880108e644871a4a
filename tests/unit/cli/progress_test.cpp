#include "cli/progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "core/base/unique_fd.h"

namespace tracer::cli {
namespace {

using std::chrono::milliseconds;

class ProgressTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    reader_ = UniqueFd(ends[0]);
    writer_ = UniqueFd(ends[1]);
  }
  std::string said() const {
    char buffer[4096];
    const ssize_t got = read(reader_.get(), buffer, sizeof buffer);
    return {buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }
  // What is said within five seconds; empty: nothing.
  std::string waited_for() const {
    for (int i = 0; i < 500; ++i) {
      if (std::string text = said(); !text.empty()) return text;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return {};
  }

  UniqueFd reader_, writer_;
};

TEST_F(ProgressTest, WhatIsDoneSoonIsNotWorthAWord) {
  const Talk talk(Talkative::normal, writer_.get());
  const auto began = std::chrono::steady_clock::now();
  {
    const Progress progress(talk, "attaching", {milliseconds(60'000), milliseconds(60'000)});
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(30'000)) << "its end waits for nothing";
  EXPECT_EQ(said(), "");
}

TEST_F(ProgressTest, WhatTakesLongIsSaidAgainAndAgain) {
  const Talk talk(Talkative::normal, writer_.get());
  Progress progress(talk, "attaching a", {milliseconds(20), milliseconds(20)});
  EXPECT_THAT(waited_for(), ::testing::StartsWith("attaching a: 0 s so far\n"));
  progress.now("attaching b");
  said();
  EXPECT_THAT(waited_for(), ::testing::StartsWith("attaching b: 0 s so far\n"));
}

}  // namespace
}  // namespace tracer::cli
