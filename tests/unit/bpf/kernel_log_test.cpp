#include "backends/bpf/kernel_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace tracer {
namespace {

// A file that can be written to while it is read, as the kernel's is; one write is one record only there.
class KernelLogTest : public testing::Test {
 protected:
  KernelLogTest() {
    path = testing::TempDir() + "kernel-log-" + std::to_string(::getpid());
    ::unlink(path.c_str());
    writer = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  }
  ~KernelLogTest() override { ::unlink(path.c_str()); }
  void write(std::string_view text) {
    ASSERT_EQ(::write(writer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string path;
  UniqueFd writer;
};

TEST_F(KernelLogTest, TellsOnlyWhatCameSinceAndOnlyTheMessage) {
  write("6,1,10,-;old news\n");
  KernelLog log(path.c_str());
  EXPECT_EQ(log.fresh(), "");
  write("5,2,11,-;Lockdown: tracer: use of bpf to read kernel RAM is restricted\n SUBSYSTEM=none\n");
  EXPECT_EQ(log.fresh(), "Lockdown: tracer: use of bpf to read kernel RAM is restricted\n");
  EXPECT_EQ(log.fresh(), "");
  write("no record at all");
  EXPECT_EQ(log.fresh(), "\n");
}

TEST_F(KernelLogTest, LogThatCannotBeReadIsEmpty) {
  KernelLog log((path + "-absent").c_str());
  EXPECT_EQ(log.fresh(), "");
}

TEST_F(KernelLogTest, OneThatNeverEndsIsReadInPieces) {
  ::unlink(path.c_str());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  KernelLog log(path.c_str());
  writer = UniqueFd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(writer);
  EXPECT_EQ(log.fresh(), "");  // it does not wait
  write("6,1,10,-;now\n");
  EXPECT_EQ(log.fresh(), "now\n");
  KernelLog endless("/dev/zero");
  const std::string read = endless.fresh();
  EXPECT_LE(static_cast<std::size_t>(std::ranges::count(read, '\n')), kernel_log_records_max);
}

}  // namespace
}  // namespace tracer
