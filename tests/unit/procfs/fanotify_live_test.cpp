// Opens of own children, as the kernel tells them.
#include "backends/procfs/fanotify.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>

#include "backends/procfs/fanotify_marks.h"
#include "backends/procfs/ownership.h"
#include "tests/unit/procfs/event_log.h"
#include "tests/unit/procfs/live_support.h"
#include "tests/unit/procfs/temporary_tree.h"

namespace tracer {
namespace {

class FanotifyLive : public testing::Test {
 protected:
  void SetUp() override {
    auto result = open_fanotify({});
    if (!result && (result.error().code == Errc::not_permitted || result.error().code == Errc::not_supported))
      GTEST_SKIP() << result.error().context;
    ASSERT_TRUE(result) << result.error().context;
    opened_ = *std::move(result);
  }
  [[nodiscard]] const EventLog::Entry* told(std::uint32_t pid, const std::string& path) const {
    for (const auto* entry : log_.all<FileOpened>())
      if (entry->event.who.tgid == pid && entry->text == path) return entry;
    return nullptr;
  }
  TemporaryTree tree_;
  OpenedBackend opened_;
  EventLog log_;
};

TEST_F(FanotifyLive, SaysWhatItCannotSee) {
  EXPECT_EQ(opened_.mechanism, Mechanism::fanotify);
  EXPECT_TRUE(opened_.self_test_seen);
  EXPECT_NE(std::ranges::find(opened_.missing, "errno"), opened_.missing.end());
  EXPECT_NE(std::ranges::find(opened_.missing, "flags"), opened_.missing.end());
  EXPECT_TRUE(opened_.outcomes.front().attached);
}

TEST_F(FanotifyLive, TellsWhoOpenedWhat) {
  const std::string path = tree_.file("a.pem", "x");
  ASSERT_EQ(::symlink("a.pem", (tree_ / "link.pem").c_str()), 0);
  const WaitingChild child([&] { return ::open((tree_ / "link.pem").c_str(), O_RDONLY) >= 0 ? "" : "open"; });
  ASSERT_EQ(child.said(), "");
  ASSERT_TRUE(drain_until(*opened_.backend, log_, [&] { return told(child.pid(), path) != nullptr; }));
  const auto& event = std::get<FileOpened>(told(child.pid(), path)->event.body);
  EXPECT_EQ(event.error, 0);
  EXPECT_FALSE(event.flags);
  EXPECT_TRUE(event.path_inferred);  // it is the file's name, not the one that was given
  EXPECT_FALSE(event.preexisting);
  EXPECT_FALSE(event.not_at_path);
}

TEST_F(FanotifyLive, InAChrootThePathIsTheProcesss) {
  tree_.file("jail/etc/key.pem", "x");
  const WaitingChild child([&]() -> std::string {
    if (::chroot((tree_ / "jail").c_str()) != 0) return not_allowed;
    return ::open("/etc/key.pem", O_RDONLY) >= 0 ? "" : "open";
  });
  if (child.said() == not_allowed) GTEST_SKIP() << "no chroot";
  ASSERT_EQ(child.said(), "");
  EXPECT_TRUE(drain_until(*opened_.backend, log_, [&] { return told(child.pid(), "/etc/key.pem") != nullptr; }));
}

TEST_F(FanotifyLive, FailuresFifosAndOwnOpensAreNotTold) {
  const std::string missing = tree_ / "missing.pem", fifo = tree_ / "fifo.pem", last = tree_.file("last.pem", "x");
  const std::string own = tree_.file("own.pem", "x");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0644), 0);
  const UniqueFd by_self(::open(own.c_str(), O_RDONLY | O_CLOEXEC));
  const WaitingChild child([&]() -> std::string {
    if (::open(missing.c_str(), O_RDONLY) >= 0) return "there";
    if (::open(fifo.c_str(), O_RDWR) < 0) return "fifo";
    return ::open(last.c_str(), O_RDONLY) >= 0 ? "" : "open";
  });
  ASSERT_EQ(child.said(), "");
  ASSERT_TRUE(drain_until(*opened_.backend, log_, [&] { return told(child.pid(), last) != nullptr; }));
  EXPECT_EQ(told(child.pid(), missing), nullptr);
  EXPECT_EQ(told(child.pid(), fifo), nullptr);
  EXPECT_EQ(told(static_cast<std::uint32_t>(::getpid()), own), nullptr);
  EXPECT_GT(opened_.backend->counters().self_events, 0U);
}

TEST_F(FanotifyLive, TheHeartbeatComesBack) {
  ASSERT_TRUE(opened_.backend->send_beat());
  EXPECT_EQ(opened_.backend->beats().sent, 1U);
  EXPECT_TRUE(drain_until(*opened_.backend, log_, [&] { return opened_.backend->beats().seen == 1; }));
}

// More opens than the kernel's queue holds while nobody reads: the opener is not held up, the loss is told, and what
// comes later is seen again.
TEST_F(FanotifyLive, OverflowIsALossAndNothingHangs) {
  constexpr int files = 17'000;  // all different: equal ones are merged. The queue holds 16,384 by default
  const std::uint64_t began_ns = procfs::monotonic_now_ns();
  const std::string said = in_child([&]() -> std::string {
    for (int i = 0; i < files; ++i) {
      const std::string name = tree_ / std::to_string(i);
      const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
      if (fd < 0) return "open";
      ::close(fd);
    }
    return "";
  });
  ASSERT_EQ(said, "");
  EXPECT_LT(procfs::monotonic_now_ns() - began_ns, 60'000'000'000U);
  const WaitingChild child([] { return ""; });
  const auto lost = [&] { return opened_.backend->counters().lost_ring_full; };
  ASSERT_TRUE(drain_until(*opened_.backend, log_, [&] { return lost() > 0; }));
  EXPECT_FALSE(log_.all<Lost>().empty());
  const std::string path = tree_.file("after.pem", "x");
  const WaitingChild after([&] { return ::open(path.c_str(), O_RDONLY) >= 0 ? "" : "open"; });
  EXPECT_TRUE(drain_until(*opened_.backend, log_, [&] { return told(after.pid(), path) != nullptr; }));
  const BackendCounters counters = opened_.backend->counters();
  EXPECT_EQ(counters.delivered, log_.all<FileOpened>().size());
}

TEST_F(FanotifyLive, ADrainIsBoundedByItsBudget) {
  const std::string said = in_child([&]() -> std::string {
    for (int i = 0; i < 200; ++i) {
      const int fd = ::open((tree_ / std::to_string(i)).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
      if (fd < 0) return "open";
    }
    return "";
  });
  ASSERT_EQ(said, "");
  const auto drained = opened_.backend->drain(log_, 10);
  ASSERT_TRUE(drained);
  EXPECT_EQ(*drained, Drained::more);
  EXPECT_EQ(log_.all<FileOpened>().size(), 10U);
}

TEST(FanotifyMarks, OnlyFilesThatSomebodyWrote) {
  using procfs::worth_a_mark;
  for (const char* yes : {"ext4", "xfs", "btrfs", "tmpfs", "overlay", "rootfs", "zfs", "vfat", "virtiofs"})
    EXPECT_TRUE(worth_a_mark(yes)) << yes;
  for (const char* no : {"proc", "sysfs", "cgroup2", "tracefs", "nfs4", "fuse.sshfs", "autofs", "devpts", "mqueue"})
    EXPECT_FALSE(worth_a_mark(no)) << no;
  // The root directory even where no list names it.
  const auto mounts = procfs::mounts_to_mark({{0, 5, "/", "/proc", "proc"}});
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].mount_point, "/");
}

TEST(FanotifyMarks, RefusalsAreNamedAndBounded) {
  std::vector<procfs::MountLine> mounts;
  for (std::uint32_t i = 0; i < 40; ++i) mounts.push_back({0, i, "/", "/no/such/" + std::to_string(i), "ext4"});
  const auto marked = procfs::mark_mounts(-1, mounts, 100);
  EXPECT_EQ(marked.marked, 0U);
  ASSERT_EQ(marked.outcomes.size(), 17U);
  EXPECT_EQ(marked.outcomes[0].what, "opens below /no/such/0");
  EXPECT_EQ(marked.outcomes[16].what, "opens on 24 more file systems");
}

}  // namespace
}  // namespace tracer
