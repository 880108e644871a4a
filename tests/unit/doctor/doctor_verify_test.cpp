// The trial's own traffic, and a trial of backends that see nothing.
#include "cli/doctor_verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "cli/doctor_traffic.h"
#include "cli/no_ownership.h"
#include "cli/source.h"
#include "tests/unit/plan/reports.h"

namespace tracer::cli {
namespace {

std::string name_of(std::uint32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

TEST(TrialTraffic, TheProgramRunsUntilItIsLetGo) {
  const auto traffic = TrialTraffic::start("/x", {"/bin/echo", "hello"});
  ASSERT_TRUE(traffic) << traffic.error().context;
  EXPECT_NE(traffic->port(), 0);
  for (int i = 0; i < 500 && name_of(traffic->executed()) != "echo"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(name_of(traffic->executed()), "echo");
}

TEST(TrialTraffic, LeavesNoProcessBehind) {
  {
    ASSERT_TRUE(TrialTraffic::start("/x", {"/bin/echo", "hello"}));
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

class Blind final : public Backend {
 public:
  int fd() const override { return -1; }
  Result<Drained> drain(EventHandler&, std::size_t) override { return Drained::idle; }
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  BackendCounters counters() const override { return {}; }
};

TEST(Verify, ABackendThatSeesNothingIsFoundOut) {
  const CapabilityReport report =
      test::with(test::everything_supported(), {Capability::uprobe, Verdict::unsupported, "no uprobes", {}});
  const BackendRow rows[] = {
      {BackendKind::ebpf, Mechanism::fentry,
       [](const OpenRequest&) -> Result<OpenedBackend> { return fail(Errc::not_supported, "verifier: no"); }},
      {BackendKind::tracepoint, Mechanism::tp_btf, [](const OpenRequest&) -> Result<OpenedBackend> {
         OpenedBackend opened;
         opened.backend = std::make_unique<Blind>();
         opened.outcomes = {{"tracer_enter", true, {}}};
         return opened;
       }}};
  PlanRequest plan;
  plan.facets = {Facet::http, Facet::https};
  OpenRequest how;
  how.report = &report;
  NoOwnership nobody;
  VerifyRequest request{rows, plan, how, nobody};
  request.wait = std::chrono::milliseconds(0);
  request.program = {"/bin/echo", "hello"};
  const Verification result = verify(request);
  ASSERT_EQ(result.rows.size(), 2U);
  EXPECT_EQ(result.rows[0].mechanism, Mechanism::tp_btf);
  EXPECT_EQ(result.rows[0].expected, trial_requests);
  EXPECT_EQ(result.rows[0].seen, 0U);
  EXPECT_FALSE(result.rows[1].backend);
  EXPECT_FALSE(result.anything_seen());
  EXPECT_FALSE(result.everything_seen());
  ASSERT_EQ(result.opened.size(), 1U);
  EXPECT_EQ(result.opened[0].outcomes.size(), 1U);
  EXPECT_EQ(result.plan.facets[0].rejected[0].reason, "verifier: no");
}

std::vector<std::uint32_t> own_children() {
  std::vector<std::uint32_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string pid, name, state;
    long parent = 0;
    if (file >> pid >> name >> state >> parent && parent == ::getpid())
      found.push_back(static_cast<std::uint32_t>(std::stoul(pid)));
  }
  return found;
}

// Tells of every child of this process what the kernel's process connector tells: forked by us, executed, ended.
class TellsChildren final : public Backend {
 public:
  int fd() const override { return -1; }
  Result<Drained> drain(EventHandler& handler, std::size_t) override {
    const auto self = static_cast<std::uint32_t>(::getpid());
    for (const std::uint32_t child : own_children()) {
      if (std::ranges::find(told_, child) != told_.end()) continue;
      told_.push_back(child);
      const EventTime now = Instant::now().monotonic;
      handler.on_event({now, {self, self}, ProcessForked{child}});
      handler.on_event({now, {child, child}, ProcessStarted{"/bin/echo", "echo", self}});
      handler.on_event({now, {child, child}, ProcessExited{0, {}}});
    }
    return Drained::idle;
  }
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  BackendCounters counters() const override { return {}; }

 private:
  std::vector<std::uint32_t> told_;
};

TEST(Verify, TheTrialsOwnProcessesAreNotTheTracers) {
  const CapabilityReport report = test::everything_supported();
  const BackendRow rows[] = {
      {BackendKind::procfs, Mechanism::proc_events, [](const OpenRequest&) -> Result<OpenedBackend> {
         OpenedBackend opened;
         opened.backend = std::make_unique<TellsChildren>();
         return opened;
       }}};
  PlanRequest plan;
  plan.facets = {Facet::process};
  plan.backends = {BackendKind::procfs};
  OpenRequest how;
  how.report = &report;
  NoOwnership nobody;
  VerifyRequest request{rows, plan, how, nobody};
  request.wait = std::chrono::milliseconds(0);
  request.program = {"/bin/echo", "hello"};
  const Verification result = verify(request);
  ASSERT_EQ(result.rows.size(), 1U);
  EXPECT_EQ(result.rows[0].seen, 2U);
  EXPECT_TRUE(result.everything_seen());
}

TEST(TrialTraffic, OpensAFileThatIsThere) {
  std::error_code ignored;
  EXPECT_EQ(trial_file(), std::filesystem::read_symlink("/proc/self/exe", ignored));
  EXPECT_TRUE(std::ifstream(trial_file()).good());
}

}  // namespace
}  // namespace tracer::cli
