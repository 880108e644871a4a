// Files that own children open and map, found by looking.
#include "backends/procfs/file_poll.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>

#include "backends/procfs/poll.h"
#include "tests/unit/procfs/event_log.h"
#include "tests/unit/procfs/live_support.h"
#include "tests/unit/procfs/temporary_tree.h"

namespace tracer {
namespace {

constexpr std::uint64_t short_interval_ns = 20'000'000;

std::string map_executable(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "open";
  return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? "mmap" : "";
}

class FilePollLive : public testing::Test {
 protected:
  void open(bool use_proc_events, std::uint64_t interval_ns = short_interval_ns) {
    auto result = open_file_poll({.facets = {Facet::file, Facet::library},
                                  .interval_ns = interval_ns,
                                  .cost_factor = 1,
                                  .use_proc_events = use_proc_events});
    ASSERT_TRUE(result) << result.error().context;
    opened_ = *std::move(result);
  }
  template <typename Body>
  [[nodiscard]] std::ptrdiff_t count(std::uint32_t pid, const std::string& path) const {
    const auto all = log_.all<Body>();
    return std::ranges::count_if(
        all, [&](const auto* entry) { return entry->event.who.tgid == pid && entry->text == path; });
  }
  TemporaryTree tree_;
  OpenedBackend opened_;
  EventLog log_;
};

TEST_F(FilePollLive, TellsWhatIsNewAndOnlyOnce) {
  const std::string library = tree_.file("libssl.so.3", std::string(8192, 'x'));
  const std::string before = tree_.file("before.so", std::string(8192, 'x'));
  const std::string certificate = tree_.file("a.pem", "x");
  const WaitingChild old([&] { return map_executable(before); });
  open(false);
  EXPECT_NE(std::ranges::find(opened_.missing, "errno"), opened_.missing.end());
  const WaitingChild child(
      [&] { return ::open(certificate.c_str(), O_RDONLY) >= 0 ? map_executable(library) : std::string("open"); });
  ASSERT_EQ(child.said(), "");
  ASSERT_TRUE(drain_until(*opened_.backend, log_, [&] {
    return count<LibraryMapped>(child.pid(), library) > 0 && count<FileOpened>(child.pid(), certificate) > 0;
  }));
  const auto sent = opened_.backend->send_beat();
  ASSERT_TRUE(sent);
  ASSERT_TRUE(drain_until(*opened_.backend, log_, [&] { return opened_.backend->beats().seen == 1; }));
  ASSERT_TRUE(opened_.backend->send_beat());
  ASSERT_TRUE(drain_until(*opened_.backend, log_, [&] { return opened_.backend->beats().seen == 2; }));
  EXPECT_EQ(count<LibraryMapped>(child.pid(), library), 1);
  EXPECT_EQ(count<FileOpened>(child.pid(), certificate), 1);
  EXPECT_EQ(count<LibraryMapped>(old.pid(), before), 0);
  for (const auto* entry : log_.all<FileOpened>()) {
    const auto& event = std::get<FileOpened>(entry->event.body);
    EXPECT_FALSE(event.preexisting);
    EXPECT_TRUE(event.flags.has_value()) << entry->text;
  }
}

TEST_F(FilePollLive, ANewProgramIsLookedAtEarly) {
  constexpr std::uint64_t an_hour_ns = 3'600'000'000'000;
  open(true, an_hour_ns);
  const auto early = std::ranges::find(opened_.outcomes, "early looks at new programs", &AttachOutcome::what);
  ASSERT_NE(early, opened_.outcomes.end());
  if (!early->attached) GTEST_SKIP() << early->reason;
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/sleep", "sleep", "5", nullptr);
    ::_exit(99);
  }
  const auto pid = static_cast<std::uint32_t>(child);
  EXPECT_TRUE(drain_until(*opened_.backend, log_, [&] {
    const auto all = log_.all<LibraryMapped>();
    return std::ranges::any_of(all, [&](const auto* entry) {
      return entry->event.who.tgid == pid && entry->text.find("/libc") != std::string::npos;
    });
  }));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(PollLive, ProcessesAndFilesAsOneBackend) {
  PollOptions options;
  options.files.facets = {Facet::process, Facet::library};
  options.files.interval_ns = short_interval_ns;
  auto opened = open_poll(std::move(options));
  ASSERT_TRUE(opened) << opened.error().context;
  EXPECT_NE(std::ranges::find(opened->missing, "exit_code"), opened->missing.end());
  EventLog log;
  TemporaryTree tree;
  const std::string library = tree.file("libssl.so.3", std::string(8192, 'x'));
  const WaitingChild child([&] { return map_executable(library); });
  EXPECT_TRUE(drain_until(*opened->backend, log, [&] {
    const auto forks = log.all<ProcessForked>();
    const auto libraries = log.all<LibraryMapped>();
    return std::ranges::any_of(forks,
                               [&](const auto* entry) {
                                 return std::get<ProcessForked>(entry->event.body).child_tgid == child.pid();
                               }) &&
           std::ranges::any_of(libraries, [&](const auto* entry) { return entry->text == library; });
  }));
  ASSERT_TRUE(opened->backend->send_beat());
  EXPECT_TRUE(drain_until(*opened->backend, log, [&] { return opened->backend->beats().seen == 1; }));
}

}  // namespace
}  // namespace tracer
