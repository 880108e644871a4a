// Real files of real processes: own ones, in a chroot, in mount namespaces, of another user, and ended.
#include "backends/procfs/file_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cstring>

#include "backends/procfs/ownership.h"
#include "tests/unit/procfs/live_support.h"
#include "tests/unit/procfs/temporary_tree.h"

namespace tracer {
namespace {

using ::testing::HasSubstr;

std::string text_of(const std::optional<std::vector<std::byte>>& bytes) {
  return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : "<nothing>";
}

// Both ways to walk must give the same answers.
class FileSourceTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    auto opened = open_file_source({.use_openat2 = GetParam(), .now_ns = [this] { return now_ns_; }});
    ASSERT_TRUE(opened) << opened.error().context;
    files_ = *std::move(opened);
  }
  [[nodiscard]] std::string contents(const FileQuestion& question) {
    const FileStat found = files_->stat(question);
    if (found.kind != FileKind::regular) return "<" + found.reason + ">";
    return text_of(files_->read(question, found.identity, 0, 1000));
  }
  TemporaryTree tree_;
  std::uint64_t now_ns_ = 1'000'000'000;
  std::unique_ptr<ProcFileSource> files_;
  std::uint32_t self_ = static_cast<std::uint32_t>(::getpid());
};
INSTANTIATE_TEST_SUITE_P(, FileSourceTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Kernel" : "ByHand"; });

TEST_P(FileSourceTest, OwnFilesByPathDirectoryAndDescriptor) {
  const std::string path = tree_.file("dir/a.pem", "certificate");
  EXPECT_EQ(files_->stat({0, path, {}}).kind, FileKind::gone);  // whoever that is
  EXPECT_EQ(contents({self_, path, {}}), "certificate");
  EXPECT_EQ(files_->stat({self_, path, {}}).path, path);
  EXPECT_EQ(files_->stat({self_, path, {}}).identity.size, 11U);
  EXPECT_EQ(contents({self_, tree_.path() + "/dir/../dir/./a.pem", {}}), "certificate");

  const UniqueFd directory(::open((tree_ / "dir").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(contents({self_, "a.pem", directory.get()}), "certificate");
  EXPECT_EQ(contents({self_, "../dir/a.pem", directory.get()}), "certificate");
  const WaitingChild child([&] { return ::chdir((tree_ / "dir").c_str()) == 0 ? "" : "chdir"; });
  ASSERT_EQ(child.said(), "");
  EXPECT_EQ(contents({child.pid(), "a.pem", {}}), "certificate");
  EXPECT_EQ(files_->stat({child.pid(), "a.pem", {}}).path, path);
}

TEST_P(FileSourceTest, LinksAreFollowedToTheirEnd) {
  const std::string path = tree_.file("real.pem", "certificate");
  ASSERT_EQ(::symlink("real.pem", (tree_ / "relative").c_str()), 0);
  ASSERT_EQ(::symlink((tree_ / "relative").c_str(), (tree_ / "absolute").c_str()), 0);
  ASSERT_EQ(::symlink("circle", (tree_ / "circle").c_str()), 0);
  EXPECT_EQ(contents({self_, tree_ / "absolute", {}}), "certificate");
  EXPECT_EQ(files_->stat({self_, tree_ / "absolute", {}}).path, path);
  EXPECT_EQ(files_->stat({self_, tree_ / "circle", {}}).kind, FileKind::unreadable);
}

TEST_P(FileSourceTest, WhatIsNotThere) {
  const std::string path = tree_.file("a.pem", "x");
  EXPECT_EQ(files_->stat({self_, tree_ / "b.pem", {}}).kind, FileKind::gone);
  EXPECT_EQ(files_->stat({self_, path + "/b.pem", {}}).kind, FileKind::gone);
  EXPECT_EQ(files_->stat({self_, "", {}}).kind, FileKind::gone);
  EXPECT_EQ(files_->stat({self_, path, {}, true}).kind, FileKind::gone);
  EXPECT_EQ(files_->stat({self_, std::string(5000, 'a'), {}}).kind, FileKind::unreadable);
  std::string deep = tree_.path();
  for (int i = 0; i < 1000; ++i) deep += "/..";
  EXPECT_NE(files_->stat({self_, deep + path, {}}).kind, FileKind::other);
}

TEST_P(FileSourceTest, FifosDevicesSocketsAndDirectoriesAreNeverOpened) {
  const std::string fifo = tree_ / "fifo.pem";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0644), 0);
  EXPECT_EQ(files_->stat({self_, fifo, {}}).kind, FileKind::other);
  EXPECT_EQ(files_->stat({self_, fifo, {}}).reason, "a FIFO");
  EXPECT_FALSE(files_->read({self_, fifo, {}}, files_->stat({self_, fifo, {}}).identity, 0, 10));
  EXPECT_LT(::open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC), 0);
  EXPECT_EQ(errno, ENXIO);  // no reader
  EXPECT_EQ(files_->stat({self_, tree_.path(), {}}).kind, FileKind::other);
  EXPECT_EQ(files_->stat({self_, "/dev/null", {}}).kind, FileKind::other);
  if (::mknod((tree_ / "device.pem").c_str(), S_IFCHR | 0644, ::makedev(1, 3)) == 0) {
    EXPECT_EQ(files_->stat({self_, tree_ / "device.pem", {}}).reason, "a device");
  }
}

TEST_P(FileSourceTest, ProcIsNotRead) {
  for (const char* path : {"/proc/self/status", "/proc/1/status", "/proc/self/root/etc/passwd", "/proc/self/exe",
                           "/proc/self/fd/0", "/proc/thread-self/status"}) {
    const FileStat found = files_->stat({self_, path, {}});
    EXPECT_NE(found.kind, FileKind::regular) << path;
    EXPECT_FALSE(found.reason.empty()) << path;
  }
  EXPECT_EQ(files_->stat({self_, "/sys/kernel/uevent_seqnum", {}}).kind, FileKind::unreadable);
}

TEST_P(FileSourceTest, AFileThatChangedIsNotRead) {
  const std::string path = tree_.file("a.pem", "first");
  const FileStat before = files_->stat({self_, path, {}});
  tree_.file("a.pem", "second");
  EXPECT_FALSE(files_->read({self_, path, {}}, before.identity, 0, 100));
  tree_.file("b.pem", "first");
  ASSERT_EQ(::rename((tree_ / "b.pem").c_str(), path.c_str()), 0);
  EXPECT_FALSE(files_->read({self_, path, {}}, before.identity, 0, 100));
  const FileStat now = files_->stat({self_, path, {}});
  EXPECT_EQ(text_of(files_->read({self_, path, {}}, now.identity, 2, 2)), "rs");
  EXPECT_EQ(text_of(files_->read({self_, path, {}}, now.identity, 5, 2)), "");
  EXPECT_EQ(text_of(files_->read({self_, path, {}}, now.identity, 500, 2)), "");
}

TEST_P(FileSourceTest, AccessTimesStay) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const std::string path = tree_.file("a.pem", "certificate");
  const timespec long_ago[2] = {{1000, 0}, {2000, 0}};  // read before it was written: any read would change that
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), long_ago, 0), 0);
  EXPECT_EQ(contents({self_, path, {}}), "certificate");
  struct stat facts{};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_atim.tv_sec, 1000);
}

TEST_P(FileSourceTest, InAChrootPathsMeanWhatTheyMeanThere) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root for chroot";
  tree_.file("etc/key.pem", "outside");
  tree_.file("jail/etc/key.pem", "inside");
  ASSERT_EQ(::symlink("/etc/key.pem", (tree_ / "jail/absolute").c_str()), 0);
  ASSERT_EQ(::symlink("../../../../../../etc/key.pem", (tree_ / "jail/escape").c_str()), 0);
  const WaitingChild child([&]() -> std::string {
    if (::chroot((tree_ / "jail").c_str()) != 0 || ::chdir("/etc") != 0) return std::strerror(errno);
    return "";
  });
  ASSERT_EQ(child.said(), "");
  for (const char* path : {"/etc/key.pem", "/absolute", "/escape", "key.pem", "../../../etc/key.pem"}) {
    EXPECT_EQ(contents({child.pid(), path, {}}), "inside") << path;
    EXPECT_EQ(files_->stat({child.pid(), path, {}}).path, "/etc/key.pem") << path;
  }
  EXPECT_EQ(files_->stat({child.pid(), "/etc/passwd", {}}).kind, FileKind::gone);
}

TEST_P(FileSourceTest, OfAnEndedProcessOnlyWhereItsRootIsKnown) {
  const std::string path = tree_.file("a.pem", "certificate");
  std::uint32_t pid = 0, never_seen = 0;
  {
    const WaitingChild child([] { return ""; });
    const WaitingChild other([] { return ""; });
    pid = child.pid();
    never_seen = other.pid();
    files_->look_at(pid);
  }
  EXPECT_EQ(contents({pid, path, {}}), "certificate");
  EXPECT_EQ(files_->stat({pid, "a.pem", {}}).kind, FileKind::gone);
  EXPECT_EQ(files_->stat({never_seen, path, {}}).kind, FileKind::gone);
  files_->adopt(self_, never_seen);
  EXPECT_EQ(contents({never_seen, path, {}}), "certificate");
  now_ns_ += 61'000'000'000;
  EXPECT_EQ(files_->stat({pid, path, {}}).kind, FileKind::gone);
}

TEST_P(FileSourceTest, OfAnEndedProcessInAnotherMountNamespaceNothing) {
  const std::string path = tree_.file("a.pem", "certificate");
  std::uint32_t pid = 0;
  {
    const WaitingChild child([]() -> std::string { return ::unshare(CLONE_NEWNS) == 0 ? "" : not_allowed; });
    if (child.said() == not_allowed) GTEST_SKIP() << "no mount namespaces here";
    pid = child.pid();
    EXPECT_EQ(contents({pid, path, {}}), "certificate");
  }
  EXPECT_EQ(files_->stat({pid, path, {}}).kind, FileKind::gone);
  EXPECT_THAT(files_->stat({pid, path, {}}).reason, HasSubstr("another"));
}

TEST_P(FileSourceTest, AFileSystemThatNeverAnswersIsNotTouched) {
  const std::string point = tree_ / "fuse";
  ASSERT_EQ(::mkdir(point.c_str(), 0755), 0);
  tree_.file("good.pem", "certificate");
  ASSERT_EQ(::symlink("fuse/key.pem", (tree_ / "link.pem").c_str()), 0);
  const WaitingChild child([&]() -> std::string {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return not_allowed;
    const int device = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);  // and nobody ever reads a question from it
    if (device < 0) return not_allowed;
    const std::string how = "fd=" + std::to_string(device) + ",rootmode=40000,user_id=0,group_id=0";
    return ::mount("tracer-test", point.c_str(), "fuse", 0, how.c_str()) == 0 ? "" : not_allowed;
  });
  if (child.said() == not_allowed) GTEST_SKIP() << "FUSE cannot be mounted here";
  const std::uint64_t began_ns = procfs::monotonic_now_ns();
  for (const char* name : {"fuse/key.pem", "fuse", "link.pem"}) {
    const FileStat found = files_->stat({child.pid(), tree_ / name, {}});
    EXPECT_EQ(found.kind, FileKind::unreadable) << name;
    EXPECT_THAT(found.reason, HasSubstr("never answer")) << name;
  }
  EXPECT_EQ(contents({child.pid(), tree_ / "good.pem", {}}), "certificate");
  EXPECT_LT(procfs::monotonic_now_ns() - began_ns, 5'000'000'000U);
}

TEST_P(FileSourceTest, AnotherUsersProcessIsUnreadable) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  const std::string path = tree_.file("a.pem", "certificate");
  const WaitingChild of_root([] { return ""; });
  EXPECT_EQ(in_child([&]() -> std::string {
              constexpr uid_t nobody = 65534;
              if (::setgid(nobody) != 0 || ::setuid(nobody) != 0) return "setuid";
              const FileStat found = files_->stat({of_root.pid(), path, {}});
              if (found.kind != FileKind::unreadable) return "kind: " + found.reason;
              const FileStat own = files_->stat({static_cast<std::uint32_t>(::getpid()), path, {}});
              return own.kind == FileKind::regular ? "" : "own: " + own.reason;
            }),
            "");
}

}  // namespace
}  // namespace tracer
