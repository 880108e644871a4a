#include "cli/run_end.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "cli/no_ownership.h"

namespace tracer::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds patience{10};

std::optional<int> wait_for(Child& child) {
  const auto until = steady_clock::now() + patience;
  while (!child.status() && steady_clock::now() < until) std::this_thread::sleep_for(milliseconds(2));
  return child.status();
}

std::string read_all(int fd) {
  std::string text(4096, '\0');
  const ssize_t got = read(fd, text.data(), text.size());
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

struct Pipe {
  Pipe() { EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0); }
  ~Pipe() {
    for (const int fd : ends) close(fd);
  }
  int ends[2] = {-1, -1};
};

TEST(Child, DoesNothingBeforeItIsReleased) {
  Pipe out;
  auto child = Child::start({"echo", "hello"}, out.ends[1]);
  ASSERT_TRUE(child) << child.error().context;
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_FALSE(child->status());
  fcntl(out.ends[0], F_SETFL, O_NONBLOCK);
  EXPECT_EQ(read_all(out.ends[0]), "");
  ASSERT_TRUE(child->release());
  const auto status = wait_for(*child);
  ASSERT_TRUE(status);
  EXPECT_TRUE(WIFEXITED(*status));
  EXPECT_EQ(read_all(out.ends[0]), "hello\n");
}

TEST(Child, SaysWhyItCannotRun) {
  auto child = Child::start({"/no/such/program"}, STDERR_FILENO);
  ASSERT_TRUE(child);
  const auto released = child->release();
  ASSERT_FALSE(released);
  EXPECT_NE(released.error().context.find("cannot run '/no/such/program'"), std::string::npos)
      << released.error().context;
  EXPECT_NE(released.error().context.find("No such file"), std::string::npos) << released.error().context;
  EXPECT_TRUE(child->status()) << "it was awaited";
}

TEST(Child, NeverRunsIfItIsNeverReleased) {
  Pipe out;
  pid_t pid = 0;
  {
    auto child = Child::start({"echo", "hello"}, out.ends[1]);
    ASSERT_TRUE(child);
    pid = child->pid();
  }
  EXPECT_EQ(kill(pid, 0), -1) << "it is gone, and awaited";
  fcntl(out.ends[0], F_SETFL, O_NONBLOCK);
  EXPECT_EQ(read_all(out.ends[0]), "");
}

TEST(Child, IsNotDisturbedByWhatTheTracerIgnores) {
  Pipe out;
  std::signal(SIGPIPE, SIG_IGN);
  auto child = Child::start({"grep", "SigIgn", "/proc/self/status"}, out.ends[1]);
  std::signal(SIGPIPE, SIG_DFL);
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->release());
  ASSERT_TRUE(wait_for(*child));
  const std::string ignored = read_all(out.ends[0]);
  ASSERT_NE(ignored.find("SigIgn:\t"), std::string::npos) << ignored;
  EXPECT_EQ(std::stoull(ignored.substr(8), nullptr, 16) & (1u << (SIGPIPE - 1)), 0u) << ignored;
}

// The processes are those that have not ended.
class Family final : public Ownership {
 public:
  std::optional<ProcessFacts> process(std::uint32_t tgid) override {
    if (kill(static_cast<pid_t>(tgid), 0) != 0) return std::nullopt;
    ProcessFacts facts;
    facts.tgid = tgid;
    facts.local_pid = tgid;
    return facts;
  }
  std::vector<ProcessFacts> all_processes() override { return {*process(root)}; }
  FdAnswer descriptor(std::uint32_t, int) override { return {FdKind::unreadable, {}}; }
  std::uint64_t network_namespace(std::uint32_t) override { return 0; }
  std::vector<OwnedSocket> all_tcp_descriptors() override { return {}; }
  std::uint32_t root = 0;
};

struct CommandRun {
  explicit CommandRun(std::vector<std::string> words) : child(*Child::start(std::move(words), STDERR_FILENO)) {
    family.root = static_cast<std::uint32_t>(child.pid());
    SelectionOptions options;
    options.pids = {family.root};
    options.follow_children = true;
    selection.emplace(std::move(options), family, ParentOf{});
    end.emplace(*selection, &child, RunEnd::Times{milliseconds(1), milliseconds(20)});
  }
  std::optional<std::string> wait() {
    const auto until = steady_clock::now() + patience;
    while (steady_clock::now() < until) {
      if (auto reason = end->over(steady_clock::now())) return reason;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return std::nullopt;
  }
  Child child;
  Family family;
  std::optional<Selection> selection;
  std::optional<RunEnd> end;
};

TEST(RunEnd, IsThatOfTheCommand) {
  CommandRun run({"true"});
  ASSERT_TRUE(run.child.release());
  EXPECT_EQ(run.wait(), "the command ended");
}

TEST(RunEnd, ASignalGoesToTheCommandAndTheSecondOneEndsTheRun) {
  CommandRun run({"sleep", "60"});
  ASSERT_TRUE(run.child.release());
  EXPECT_FALSE(run.end->over(steady_clock::now()));
  EXPECT_TRUE(run.end->defers(SIGTERM));
  EXPECT_EQ(run.wait(), "signal SIGTERM");
  EXPECT_FALSE(run.end->defers(SIGTERM));
  const auto status = run.child.status();
  ASSERT_TRUE(status);
  EXPECT_TRUE(WIFSIGNALED(*status));
}

TEST(RunEnd, ACommandThatDoesNotCareDoesNotHoldTheTracer) {
  CommandRun run({"sh", "-c", "trap '' TERM; while :; do :; done"});
  ASSERT_TRUE(run.child.release());
  EXPECT_TRUE(run.end->defers(SIGTERM));
  EXPECT_FALSE(run.end->defers(SIGTERM)) << "the second one is the tracer's";
  run.child.signal(SIGKILL);
}

TEST(RunEnd, WithoutACommandSignalsAreTheTracersOwn) {
  Family family;
  family.root = static_cast<std::uint32_t>(getpid());
  SelectionOptions options;
  options.pids = {family.root};
  Selection selection(std::move(options), family, {});
  RunEnd end(selection, nullptr, {});
  EXPECT_FALSE(end.defers(SIGINT));
  EXPECT_FALSE(end.over(steady_clock::now()));
}

}  // namespace
}  // namespace tracer::cli
