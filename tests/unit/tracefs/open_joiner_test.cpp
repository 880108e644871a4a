// Opens: halves joined by thread, and a path that is told only if it must be the right one.
#include "backends/tracepoint/open_joiner.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "tests/unit/tracefs/trace_support.h"

namespace tracer {
namespace {

class OpenJoinerTest : public testing::Test {
 protected:
  OpenJoiner joiner_{[this](std::uint32_t, std::uint32_t, std::optional<std::uint32_t>) {
                       ++looks_;
                       return path_;
                     },
                     [this] { return now_ns_; }};
  std::optional<std::string> path_ = "/etc/hosts";
  std::uint64_t now_ns_ = 1000;
  int looks_ = 0;
  EventRecorder seen_;
};

TEST_F(OpenJoinerTest, ASuccessIsLookedUpAndToldWhenNothingCanHaveComeBetween) {
  joiner_.entered(11, O_RDWR, std::nullopt);
  joiner_.returned(11, 10, 3, 900);
  joiner_.tell(1000, seen_);
  EXPECT_TRUE(seen_.all.empty());  // what happened until the look is not known yet
  EXPECT_EQ(joiner_.waiting_since(), 900U);
  joiner_.tell(1001, seen_);
  ASSERT_EQ(seen_.all.size(), 1U);
  const auto* opened = seen_.get<FileOpened>(0);
  ASSERT_NE(opened, nullptr);
  EXPECT_EQ(seen_.all[0].text, "/etc/hosts");
  EXPECT_TRUE(opened->path_inferred);
  EXPECT_EQ(opened->flags, static_cast<std::uint32_t>(O_RDWR));
  EXPECT_EQ(opened->error, 0);
  EXPECT_EQ(seen_.all[0].event.who, (ProcessRef{10, 11}));
  EXPECT_EQ(seen_.all[0].event.at.ns, 900U);
  EXPECT_FALSE(joiner_.waiting_since());
}

TEST_F(OpenJoinerTest, ADescriptorThatWasGivenOutAgainBeforeTheLookHasNoPath) {
  joiner_.entered(11, O_RDONLY, std::nullopt);
  joiner_.returned(11, 10, 3, 900);
  joiner_.entered(12, O_RDONLY, std::nullopt);
  now_ns_ = 1100;
  joiner_.returned(12, 10, 3, 950);  // before 1000: the first look saw this one
  joiner_.tell(2000, seen_);
  ASSERT_EQ(seen_.all.size(), 2U);
  EXPECT_EQ(seen_.all[0].text, "");
  EXPECT_FALSE(seen_.get<FileOpened>(0)->path_inferred);
  EXPECT_EQ(seen_.all[1].text, "/etc/hosts");
  EXPECT_EQ(joiner_.counters().paths_unknown, 1U);
}

TEST_F(OpenJoinerTest, OfAnotherProcessOrLaterItDoesNotMatter) {
  joiner_.entered(11, O_RDONLY, std::nullopt);
  joiner_.returned(11, 10, 3, 900);
  joiner_.entered(21, O_RDONLY, std::nullopt);
  joiner_.returned(21, 20, 3, 950);
  joiner_.entered(12, O_RDONLY, std::nullopt);
  joiner_.returned(12, 10, 3, 1050);
  joiner_.tell(2000, seen_);
  ASSERT_EQ(seen_.all.size(), 3U);
  EXPECT_EQ(seen_.all[0].text, "/etc/hosts");
}

TEST_F(OpenJoinerTest, AFailureHasItsErrorAndNoPath) {
  joiner_.entered(11, O_RDONLY, std::nullopt);
  joiner_.returned(11, 10, -ENOENT, 900);
  joiner_.tell(901, seen_);
  ASSERT_EQ(seen_.all.size(), 1U);
  EXPECT_EQ(seen_.get<FileOpened>(0)->error, ENOENT);
  EXPECT_EQ(seen_.all[0].text, "");
  EXPECT_EQ(looks_, 0);
  EXPECT_EQ(joiner_.counters().paths_unknown, 0U);
}

TEST_F(OpenJoinerTest, APathInTheRecordIsNoGuess) {
  joiner_.entered(11, std::nullopt, "relative/name");
  joiner_.returned(11, 10, -EACCES, 900);
  joiner_.entered(11, O_RDONLY, "/etc/passwd");
  joiner_.returned(11, 10, 4, 950);
  joiner_.tell(951, seen_);
  ASSERT_EQ(seen_.all.size(), 2U);
  EXPECT_EQ(seen_.all[0].text, "relative/name");
  EXPECT_FALSE(seen_.get<FileOpened>(0)->flags.has_value());
  EXPECT_EQ(seen_.all[1].text, "/etc/passwd");
  EXPECT_FALSE(seen_.get<FileOpened>(1)->path_inferred);
  EXPECT_EQ(looks_, 0);
}

TEST_F(OpenJoinerTest, HalvesWithoutTheOtherAreNotTold) {
  joiner_.returned(11, 10, 3, 900);  // was under way when the tracer came
  joiner_.entered(12, O_RDONLY, std::nullopt);
  joiner_.thread_ended(12);
  joiner_.returned(12, 10, 3, 950);
  joiner_.tell(2000, seen_);
  EXPECT_TRUE(seen_.all.empty());
  EXPECT_EQ(joiner_.counters().unpaired, 2U);
}

TEST(PathOfDescriptor, OnlyOfAFileThatIsThereAndOpenedLikeThat) {
  const auto own = static_cast<std::uint32_t>(::getpid());
  const std::string file = std::filesystem::temp_directory_path() / ("tracer-path-" + std::to_string(own));
  std::ofstream(file) << "x";
  const int fd = ::open(file.c_str(), O_RDONLY);
  ASSERT_GE(fd, 0);
  const auto descriptor = static_cast<std::uint32_t>(fd);
  EXPECT_EQ(path_of_descriptor("/proc", own, descriptor, O_RDONLY), file);
  EXPECT_EQ(path_of_descriptor("/proc", own, descriptor, std::nullopt), file);
  EXPECT_FALSE(path_of_descriptor("/proc", own, descriptor, O_WRONLY).has_value());
  ::unlink(file.c_str());
  EXPECT_FALSE(path_of_descriptor("/proc", own, descriptor, O_RDONLY).has_value());
  ::close(fd);
  EXPECT_FALSE(path_of_descriptor("/proc", own, descriptor, O_RDONLY).has_value());
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_FALSE(path_of_descriptor("/proc", own, static_cast<std::uint32_t>(ends[0]), O_RDONLY).has_value());
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace tracer
