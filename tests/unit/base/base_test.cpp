#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/base/unique_fd.h"
#include "core/capability.h"

namespace tracer {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
UniqueFd open_null() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

TEST(UniqueFdTest, ClosesAtItsEnd) {
  int number = -1;
  {
    const UniqueFd fd = open_null();
    ASSERT_TRUE(fd);
    number = fd.get();
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFdTest, MovingLeavesNothingBehind) {
  UniqueFd first = open_null();
  const int number = first.get();
  UniqueFd second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): empty is what a moved-from one promises to be
  EXPECT_EQ(second.get(), number);

  UniqueFd third = open_null();
  const int replaced = third.get();
  third = std::move(second);
  EXPECT_FALSE(is_open(replaced));
  EXPECT_EQ(third.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(UniqueFdTest, SelfAssignmentKeepsIt) {
  UniqueFd fd = open_null();
  UniqueFd& same = fd;
  fd = std::move(same);
  EXPECT_TRUE(fd);
  EXPECT_TRUE(is_open(fd.get()));
}

TEST(UniqueFdTest, ReleaseGivesItAway) {
  UniqueFd fd = open_null();
  const UniqueFd owner(fd.release());
  EXPECT_FALSE(fd);
  fd.reset();
  EXPECT_TRUE(is_open(owner.get()));
}

TEST(Errors, PermissionIsNotAbsence) {
  EXPECT_EQ(errc_of(EPERM), Errc::not_permitted);
  EXPECT_EQ(errc_of(EACCES), Errc::not_permitted);
  EXPECT_EQ(errc_of(ENOENT), Errc::not_found);
  EXPECT_EQ(errc_of(ESRCH), Errc::not_found);
  EXPECT_EQ(errc_of(ENOSYS), Errc::not_supported);
  EXPECT_EQ(errc_of(EOPNOTSUPP), Errc::not_supported);
  EXPECT_EQ(errc_of(EPROTONOSUPPORT), Errc::not_supported);
  EXPECT_EQ(errc_of(EAFNOSUPPORT), Errc::not_supported);
  EXPECT_EQ(errc_of(ENOMEM), Errc::exhausted);
  EXPECT_EQ(errc_of(EMFILE), Errc::exhausted);
  EXPECT_EQ(errc_of(ENOSPC), Errc::exhausted);
  EXPECT_EQ(errc_of(EINVAL), Errc::os);
}

TEST(Errors, KeepErrnoAndSayWhatWasTried) {
  const Error error = os_failure(ENOENT, "open /nowhere");
  EXPECT_EQ(error.os_error, ENOENT);
  EXPECT_EQ(error.context, "open /nowhere: No such file or directory");
  const Result<int> result = fail(Errc::malformed, "line 3", "remove it");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::malformed);
  EXPECT_EQ(result.error().os_error, 0);
  EXPECT_EQ(result.error().suggestion, "remove it");
}

TEST(BytesTest, TextAndBackWithoutACopy) {
  const std::string text("a\0\xff", 3);
  const Bytes bytes = as_bytes(text);
  ASSERT_EQ(bytes.size(), 3U);
  EXPECT_EQ(bytes[2], std::byte{0xff});
  EXPECT_EQ(as_text(bytes).data(), text.data());
  EXPECT_EQ(as_text(bytes), text);
  EXPECT_TRUE(as_text({}).empty());
}

// The spelling is part of the output format and of the command line.
TEST(Spelling, IsWhatTheDocumentsSay) {
  std::string facets, backends, mechanisms;
  for (std::uint8_t i = 0; !to_string(static_cast<Facet>(i)).empty(); ++i)
    facets += std::string(to_string(static_cast<Facet>(i))) + " ";
  for (std::uint8_t i = 0; !to_string(static_cast<BackendKind>(i)).empty(); ++i)
    backends += std::string(to_string(static_cast<BackendKind>(i))) + " ";
  for (std::uint8_t i = 0; !to_string(static_cast<Mechanism>(i)).empty(); ++i)
    mechanisms += std::string(to_string(static_cast<Mechanism>(i))) + " ";
  EXPECT_EQ(facets, "http tls https process file library crypto_api connection ");
  EXPECT_EQ(backends, "ebpf tracepoint pcap procfs ");
  EXPECT_EQ(
      mechanisms,
      "fentry kprobe uprobe tp_btf raw_tp syscall_tp tracefs af_packet file sock_diag proc_net proc_events fanotify "
      "poll ");
}

}  // namespace
}  // namespace tracer
