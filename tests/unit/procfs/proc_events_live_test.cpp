// Both ways of hearing of processes, on own children.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "backends/procfs/ownership.h"
#include "backends/procfs/proc_events.h"
#include "tests/unit/procfs/event_log.h"
#include "tests/unit/procfs/live_support.h"

namespace tracer {
namespace {

std::uint32_t run_child(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(99);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return static_cast<std::uint32_t>(child);
}

const ProcessExited* exit_of(const EventLog& log, std::uint32_t pid) {
  for (const auto* entry : log.all<ProcessExited>())
    if (entry->event.who.tgid == pid) return std::get_if<ProcessExited>(&entry->event.body);
  return nullptr;
}

const EventLog::Entry* start_of(const EventLog& log, std::uint32_t pid) {
  for (const auto* entry : log.all<ProcessStarted>())
    if (entry->event.who.tgid == pid) return entry;
  return nullptr;
}

bool forked(const EventLog& log, std::uint32_t parent, std::uint32_t child) {
  for (const auto* entry : log.all<ProcessForked>())
    if (entry->event.who.tgid == parent && std::get<ProcessForked>(entry->event.body).child_tgid == child) return true;
  return false;
}

class ProcEventsLive : public testing::Test {
 protected:
  void SetUp() override {
    auto result = open_proc_events({});
    if (!result && result.error().code != Errc::os) GTEST_SKIP() << result.error().context;
    ASSERT_TRUE(result.has_value()) << result.error().context;
    opened_ = *std::move(result);
  }
  [[nodiscard]] bool drain_until_exit(std::uint32_t pid) {
    return drain_until(*opened_.backend, log_, [&] { return exit_of(log_, pid) != nullptr; });
  }
  OpenedBackend opened_;
  EventLog log_;
};

TEST_F(ProcEventsLive, TellsAChildWithItsExitCode) {
  EXPECT_EQ(opened_.mechanism, Mechanism::proc_events);
  EXPECT_TRUE(opened_.self_test_seen);
  const std::uint32_t child = run_child([] { ::_exit(7); });
  ASSERT_TRUE(drain_until_exit(child));
  EXPECT_TRUE(forked(log_, static_cast<std::uint32_t>(::getpid()), child));
  EXPECT_EQ(exit_of(log_, child)->exit_code, 7);
  EXPECT_FALSE(exit_of(log_, child)->signal);
}

TEST_F(ProcEventsLive, TellsAChildWithTheSignalThatEndedIt) {
  const std::uint32_t child = run_child([] { ::raise(SIGKILL); });
  ASSERT_TRUE(drain_until_exit(child));
  EXPECT_EQ(exit_of(log_, child)->signal, SIGKILL);
  EXPECT_FALSE(exit_of(log_, child)->exit_code);
}

TEST_F(ProcEventsLive, TellsAnExecWithProgramAndParent) {
  int hold[2];
  ASSERT_EQ(::pipe(hold), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(hold[0], 0);
    ::close(hold[1]);
    ::execl("/bin/cat", "cat", "-", "--", nullptr);
    ::_exit(99);
  }
  ::close(hold[0]);
  const auto pid = static_cast<std::uint32_t>(child);
  EXPECT_TRUE(drain_until(*opened_.backend, log_, [&] { return start_of(log_, pid) != nullptr; }));
  // The same asked of the system, for backends that do not say it.
  auto ownership = ProcOwnership::open({});
  ASSERT_TRUE(ownership);
  const auto asked = (*ownership)->arguments(pid, "cat");
  const auto of_another = (*ownership)->arguments(pid, "dog");
  ::close(hold[1]);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ASSERT_TRUE(drain_until_exit(pid));
  const auto* started = start_of(log_, pid);
  EXPECT_EQ(started->text, "cat");
  EXPECT_TRUE(started->more_text.ends_with("/cat")) << started->more_text;
  EXPECT_EQ(std::get<ProcessStarted>(started->event.body).parent_tgid, static_cast<std::uint32_t>(::getpid()));
  using namespace std::string_literals;
  EXPECT_EQ(started->arguments, "cat\0-\0--\0"s);
  EXPECT_EQ(std::get<ProcessStarted>(started->event.body).gid, ::getgid());
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->text, "cat\0-\0--\0"s);
  EXPECT_EQ(asked->gid, ::getgid());
  EXPECT_FALSE(of_another);
  EXPECT_EQ(exit_of(log_, pid)->exit_code, 0);
}

TEST_F(ProcEventsLive, SaysNothingOfThreads) {
  for (int i = 0; i < 50; ++i) std::thread([] { (void)::prctl(PR_SET_NAME, "a-thread"); }).join();
  const std::uint32_t child = run_child([] { ::_exit(0); });
  ASSERT_TRUE(drain_until_exit(child));
  const auto own = static_cast<std::uint32_t>(::getpid());
  for (const auto* entry : log_.all<ProcessExited>()) EXPECT_NE(entry->event.who.tgid, own);
  std::size_t own_forks = 0;
  for (const auto* entry : log_.all<ProcessForked>())
    if (entry->event.who.tgid == own) ++own_forks;
  EXPECT_EQ(own_forks, 1u);
}

TEST_F(ProcEventsLive, BeatsComeBackAndAreToldToNobody) {
  for (std::uint64_t beat = 1; beat <= 3; ++beat) {
    ASSERT_TRUE(opened_.backend->send_beat());
    ASSERT_TRUE(drain_until(*opened_.backend, log_, [&] { return opened_.backend->beats().seen == beat; }));
  }
  EXPECT_EQ(opened_.backend->beats().sent, 3u);
  EXPECT_GE(opened_.backend->counters().self_events, 3u);
}

TEST(ProcEventsOpening, FailsWithTheReasonInAnotherPidNamespace) {
  const std::string said = in_child([]() -> std::string {
    if (::unshare(CLONE_NEWPID) != 0) return not_allowed;
    return in_child([]() -> std::string {
      const auto result = open_proc_events({.self_test_ns_max = 50'000'000});
      if (result) return "it opened";
      return result.error().context.starts_with("proc connector: ") ? "" : result.error().context;
    });
  });
  if (said == not_allowed) GTEST_SKIP() << "pid namespaces are not allowed";
  EXPECT_EQ(said, "");
}

TEST(ProcessPollLive, TellsAChildThatStaysAndThatItIsGone) {
  auto result = open_process_poll({.interval_ns = 20'000'000});
  ASSERT_TRUE(result.has_value()) << result.error().context;
  EXPECT_EQ(result->mechanism, Mechanism::poll);
  EXPECT_EQ(result->missing.size(), 2u);
  EventLog log;
  std::uint32_t pid = 0;
  {
    const WaitingChild child([]() -> std::string {
      (void)::prctl(PR_SET_NAME, "renamed-child");
      return {};
    });
    pid = child.pid();
    ASSERT_TRUE(drain_until(*result->backend, log, [&] { return start_of(log, pid) != nullptr; }));
    EXPECT_EQ(start_of(log, pid)->text, "renamed-child");
    EXPECT_TRUE(forked(log, static_cast<std::uint32_t>(::getpid()), pid));
    EXPECT_EQ(exit_of(log, pid), nullptr);
  }
  ASSERT_TRUE(drain_until(*result->backend, log, [&] { return exit_of(log, pid) != nullptr; }));
  EXPECT_FALSE(exit_of(log, pid)->exit_code);
  EXPECT_FALSE(exit_of(log, pid)->signal);
}

TEST(ProcessPollLive, ABeatIsALook) {
  auto result = open_process_poll({.interval_ns = 3'600'000'000'000});
  ASSERT_TRUE(result.has_value()) << result.error().context;
  EventLog log;
  ASSERT_TRUE(result->backend->send_beat());
  ASSERT_TRUE(drain_until(*result->backend, log, [&] { return result->backend->beats().seen == 1; }));
}

}  // namespace
}  // namespace tracer
