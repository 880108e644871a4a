// Whole runs, from plan to exit code, over a backend that says what the test tells it to.
#include "cli/trace.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "cli/no_ownership.h"
#include "cli/values.h"

namespace tracer::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

EventTime event_now() {
  return {static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now().time_since_epoch()).count())};
}

// What the fake backend does; set before each run.
struct Script {
  std::function<Result<Drained>(EventHandler&, int round)> on_drain = [](EventHandler&, int) { return Drained::idle; };
  BackendCounters counters;
  std::vector<AttachOutcome> outcomes{{"sys_enter_connect", true, {}}};
  std::string fentry_refuses;  // why fentry does not open; empty: it does
  int opened = 0;
  std::vector<std::uint16_t> ports;  // that it was opened with
};
Script script;

class FakeBackend final : public Backend {
 public:
  [[nodiscard]] int fd() const override { return event_.get(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t) override {
    return script.on_drain(handler, round_++);
  }
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  [[nodiscard]] BackendCounters counters() const override { return script.counters; }

 private:
  UniqueFd event_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  int round_ = 0;
};

Result<OpenedBackend> open_fake(const OpenRequest& request) {
  ++script.opened;
  script.ports.assign(request.ports.begin(), request.ports.end());
  if (request.mechanism == Mechanism::fentry && !script.fentry_refuses.empty()) {
    return fail(Errc::not_supported, script.fentry_refuses);
  }
  OpenedBackend opened;
  opened.backend = std::make_unique<FakeBackend>();
  opened.self_test_seen = true;
  opened.outcomes = script.outcomes;
  return opened;
}

constexpr BackendRow rows[] = {{BackendKind::ebpf, Mechanism::fentry, open_fake},
                               {BackendKind::ebpf, Mechanism::kprobe, open_fake},
                               {BackendKind::tracepoint, Mechanism::tp_btf, open_fake},
                               {BackendKind::tracepoint, Mechanism::syscall_tp, open_fake}};

// One connection of its own with one request and its answer, as its server saw them.
void transaction(EventHandler& handler, std::uint64_t flow, std::string_view path = "/x") {
  const auto endpoint = [](std::uint16_t port) { return Endpoint{parse_address_range("127.0.0.1")->address, port}; };
  const auto say = [&](auto body) { handler.on_event(Event{event_now(), {77, 77}, std::move(body)}); };
  const std::string request = "GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  constexpr std::string_view response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  FlowOpened opened;
  opened.flow = {flow};
  opened.local = endpoint(80);
  opened.remote = endpoint(static_cast<std::uint16_t>(10'000 + flow % 50'000));
  opened.role = Role::server;
  opened.tx_offset = opened.rx_offset = 0;
  say(opened);
  const auto data = [&](Direction direction, std::string_view text) {
    FlowData moved;
    moved.flow = {flow};
    moved.direction = direction;
    moved.moved = text.size();
    moved.bytes = as_bytes(text);
    say(moved);
  };
  data(Direction::rx, request);
  data(Direction::tx, response);
  FlowClosed closed;
  closed.flow = {flow};
  say(closed);
}

struct Outcome {
  int code = -1;
  std::vector<nlohmann::json> lines;
  std::string out, talk;
  [[nodiscard]] std::vector<std::string> types() const {
    std::vector<std::string> all;
    for (const auto& line : lines) all.push_back(line.at("event_type"));
    return all;
  }
};

class TraceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    script = {};
    for (std::size_t i = 0; i <= static_cast<std::size_t>(Capability::packet_socket); ++i) {
      report.answers.push_back({static_cast<Capability>(i), Verdict::supported, {}, {}});
    }
    times.patience = milliseconds(100);
    ASSERT_EQ(pipe2(out_ends, O_CLOEXEC), 0);
    ASSERT_EQ(pipe2(talk_ends, O_CLOEXEC | O_NONBLOCK), 0);
    fcntl(out_ends[0], F_SETFL, O_NONBLOCK);
  }
  void TearDown() override {
    for (const int fd : {out_ends[0], out_ends[1], talk_ends[0], talk_ends[1]}) close(fd);
  }

  static std::string read_all(int fd) {
    std::string all;
    char buffer[4096];
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<std::size_t>(n));
    return all;
  }

  Outcome run(std::vector<std::string> args, int output_fd = -1) {
    args.insert(args.end(), {"--format", "json-stream"});
    const auto options = parse_options(args);
    EXPECT_TRUE(options) << options.error().context;
    NoOwnership nobody;
    const Talk talk(options->quiet ? Talkative::quiet : Talkative::normal, talk_ends[1]);
    Outcome outcome;
    outcome.code = run_trace({*options,
                              report,
                              rows,
                              nobody,
                              nullptr,
                              output_fd >= 0 ? output_fd : out_ends[1],
                              talk,
                              steady_clock::now(),
                              times,
                              {}});
    outcome.out = read_all(out_ends[0]);
    outcome.talk = read_all(talk_ends[0]);
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);) outcome.lines.push_back(nlohmann::json::parse(line));
    return outcome;
  }

  CapabilityReport report;
  SessionTimes times;
  int out_ends[2] = {-1, -1};
  int talk_ends[2] = {-1, -1};
};

// Drains: `count` transactions in the first round, nothing later.
auto transactions(int count) {
  return [count](EventHandler& handler, int round) -> Result<Drained> {
    for (int i = 0; round == 0 && i < count; ++i) transaction(handler, static_cast<std::uint64_t>(i) + 1);
    return Drained::idle;
  };
}

TEST_F(TraceTest, BeginsWithTraceStartAndEndsWithTraceEnd) {
  script.on_drain = transactions(3);
  script.counters.produced = 14;
  script.counters.delivered = 12;
  script.counters.self_events = 2;
  const Outcome outcome = run({"-d", "0.3"});
  EXPECT_EQ(outcome.code, exit_ok);
  ASSERT_EQ(outcome.types(), (std::vector<std::string>{"trace_start", "http_transaction", "http_transaction",
                                                       "http_transaction", "trace_end"}))
      << outcome.out << outcome.talk;
  const auto& start = outcome.lines.front();
  EXPECT_EQ(start["self_test_seen"], true);
  EXPECT_EQ(start["plan"]["http"]["backend"], "ebpf");
  EXPECT_EQ(start["plan"]["http"]["mechanism"], "fentry");
  EXPECT_FALSE(start["version"].empty());
  const auto& last = outcome.lines.back();
  EXPECT_EQ(last["reason"], "duration");
  EXPECT_EQ(last["records_written"], 3);
  EXPECT_EQ(last["records_decoded"], 3);
  EXPECT_EQ(last["records_filtered"], 0);
  EXPECT_EQ(last["events_produced"], 14);
  EXPECT_EQ(last["events_delivered"], 12);
  EXPECT_GE(last["duration_ms"], 300.0);
  EXPECT_THAT(outcome.talk, HasSubstr("http, tls: ebpf/fentry\n"));
}

// 20 events a drain, of 1000 that lie in the buffer; each drain 5 more are made.
TEST_F(TraceTest, WhatWaitedAtTheEndAndWasNotReadIsALoss) {
  times.capture.last_drain = milliseconds(40);
  script.counters.produced = script.counters.unread = 1000;
  script.on_drain = [](EventHandler&, int round) -> Result<Drained> {
    if (round == 0) return Drained::idle;
    script.counters.produced += 5;
    script.counters.delivered += 20;
    script.counters.unread -= 15;
    std::this_thread::sleep_for(milliseconds(10));
    return Drained::more;
  };
  const Outcome outcome = run({"-d", "0.1"});
  ASSERT_EQ(outcome.types().back(), "trace_end") << outcome.out;
  const auto& last = outcome.lines.back();
  ASSERT_TRUE(last["lost"].contains("not_read")) << last;
  const std::uint64_t not_read = last["lost"]["not_read"]["events"];
  const std::uint64_t produced = last["events_produced"], delivered = last["events_delivered"];
  EXPECT_EQ(delivered + not_read, produced);
  EXPECT_GE(not_read, 500U);
  EXPECT_LT(produced, script.counters.produced) << "what was made after the end is not of the run";
}

TEST_F(TraceTest, WhatIsMadeAfterTheEndIsNoLoss) {
  script.on_drain = [](EventHandler&, int) -> Result<Drained> {
    script.counters.produced += 7;  // on a busy machine there is always something new
    script.counters.unread += 7;
    return Drained::idle;
  };
  const auto last = run({"-d", "0.1"}).lines.back();
  EXPECT_EQ(last["lost"], nlohmann::json::object());
  EXPECT_EQ(last["events_produced"], last["events_delivered"]);
}

TEST_F(TraceTest, CountEndsTheRunAtThatManyRecords) {
  script.on_drain = transactions(10);
  const Outcome outcome = run({"--count", "4", "-d", "20"});
  EXPECT_EQ(outcome.code, exit_ok);
  EXPECT_EQ(outcome.lines.size(), 6u);
  EXPECT_EQ(outcome.lines.back()["reason"], "count");
  EXPECT_EQ(outcome.lines.back()["records_written"], 4);
}

TEST_F(TraceTest, SignalsDrainAndEnd) {
  for (const int signal : {SIGINT, SIGTERM}) {
    script.on_drain = [signal](EventHandler& handler, int round) -> Result<Drained> {
      if (round == 1) kill(getpid(), signal);
      if (round == 2) transaction(handler, 1);  // what was on its way when the signal came
      return Drained::idle;
    };
    const Outcome outcome = run({"-d", "20"});
    EXPECT_EQ(outcome.code, 128 + signal);
    EXPECT_EQ(outcome.types(), (std::vector<std::string>{"trace_start", "http_transaction", "trace_end"}));
    EXPECT_EQ(outcome.lines.back()["reason"], signal == SIGINT ? "signal SIGINT" : "signal SIGTERM");
  }
}

TEST_F(TraceTest, FiltersCountWhatTheyDropAndSilenceNamesTheCulprit) {
  script.on_drain = transactions(2);
  times.silence_first = milliseconds(250);
  const Outcome outcome = run({"-d", "0.4", "--status", "404", "--port", "80"});
  EXPECT_EQ(outcome.types(), (std::vector<std::string>{"trace_start", "trace_end"}));
  EXPECT_EQ(outcome.lines.back()["records_filtered"], 2);
  EXPECT_THAT(outcome.talk, HasSubstr("filters dropped 2; --status let none of them pass"));
}

TEST_F(TraceTest, WhatAPortKeptInTheKernelIsSaid) {
  script.on_drain = [](EventHandler& handler, int round) -> Result<Drained> {
    FlowData kept_back;
    kept_back.flow = {1};
    kept_back.moved = 100;
    kept_back.rest = GapCause::filter;
    if (round == 0) handler.on_event(Event{event_now(), {77, 77}, kept_back});
    return Drained::idle;
  };
  times.silence_first = milliseconds(100);
  const Outcome outcome = run({"-d", "0.3", "--port", "80,8080"});
  EXPECT_EQ(script.ports, (std::vector<std::uint16_t>{80, 8080}));
  EXPECT_THAT(outcome.talk,
              HasSubstr("0 HTTP/1 or TLS handshakes yet; 0 flows; filters dropped 0; --port left out 1 flows"));
  EXPECT_EQ(outcome.lines.back()["flows_filtered"], 1);
  EXPECT_THAT(run({"-d", "0.1", "--port", "80", "--no-meta"}).talk, HasSubstr("0 filtered; --port left out 1 flows"));
}

TEST_F(TraceTest, SilenceIsToldOnceAndNotWhenQuiet) {
  times.silence_first = milliseconds(20);
  const Outcome outcome = run({"-d", "0.2"});
  const auto first = outcome.talk.find("0 HTTP/1 or TLS handshakes yet");
  EXPECT_NE(first, std::string::npos) << outcome.talk;
  EXPECT_EQ(outcome.talk.find("0 HTTP/1 or TLS handshakes yet", first + 1), std::string::npos);
  EXPECT_EQ(run({"-q", "-d", "0.1"}).talk, "");
}

TEST_F(TraceTest, NoMetaLeavesOnlyRecords) {
  script.on_drain = transactions(1);
  const Outcome outcome = run({"--no-meta", "-d", "0.2"});
  EXPECT_EQ(outcome.types(), (std::vector<std::string>{"http_transaction"}));
  EXPECT_THAT(outcome.talk, HasSubstr("duration: 1 records written"));
}

TEST_F(TraceTest, WhatDoesNotOpenIsPlannedAround) {
  report.answers.push_back({Capability::uprobe, Verdict::supported, {}, {}});
  script.fentry_refuses = "attach sys_enter: the verifier said no";
  const Outcome outcome = run({"-d", "0.05"});
  EXPECT_EQ(outcome.code, exit_ok);
  ASSERT_FALSE(outcome.lines.empty());
  const auto& http = outcome.lines.front()["plan"]["http"];
  EXPECT_EQ(http["mechanism"], "kprobe");
  EXPECT_THAT(http["rejected"].dump(), HasSubstr("the verifier said no"));
  EXPECT_EQ(script.opened, 2);
  const Outcome strict = run({"-d", "0.05", "--strict"});
  EXPECT_EQ(strict.code, exit_start);
  EXPECT_TRUE(strict.lines.empty()) << "nothing is said on standard output by a run that did not start";
}

TEST_F(TraceTest, AProgramThatDoesNotRunIsNamedOnTheScreen) {
  script.outcomes.push_back({"tracer_destroy", false, "Permission denied: the verifier's last words"});
  const Outcome outcome = run({"-d", "0.05"});
  EXPECT_EQ(outcome.code, exit_ok);
  EXPECT_THAT(outcome.talk, HasSubstr("not running: tracer_destroy: Permission denied: the verifier's last words\n"));
  EXPECT_THAT(outcome.lines.front()["blind"].dump(), HasSubstr("tracer_destroy: Permission denied"));
  EXPECT_EQ(run({"-q", "-d", "0.05"}).talk, "");
}

TEST_F(TraceTest, WhatCannotBeCapturedHasItsExitCode) {
  script.fentry_refuses = "broken";
  EXPECT_EQ(run({"--mechanism", "fentry"}).code, exit_start);
  script.fentry_refuses.clear();
  EXPECT_EQ(run({"--backend", "pcap"}).code, exit_kernel);
  EXPECT_EQ(run({"--require", "https"}).code, exit_start);
  EXPECT_EQ(run({"--without", "bpf_syscall"}).code, exit_kernel);
}

TEST_F(TraceTest, WithoutPrivilegesTheFirstLineSaysWhatToType) {
  for (Answer& answer : report.answers) {
    answer = {answer.capability, Verdict::unknown, "not permitted: needs CAP_BPF", "sudo tracer"};
  }
  const Outcome outcome = run({});
  EXPECT_EQ(outcome.code, exit_privileges);
  EXPECT_THAT(outcome.talk, StartsWith("http, tls, https: not visible ("));
  EXPECT_THAT(outcome.talk.substr(0, outcome.talk.find('\n')), ::testing::EndsWith(": sudo tracer"));
  EXPECT_EQ(script.opened, 0);
  EXPECT_EQ(outcome.out, "");
  const Outcome quiet = run({"-q"});
  EXPECT_EQ(quiet.code, exit_privileges);
  EXPECT_THAT(quiet.talk, HasSubstr("sudo tracer")) << "an error is said in any case";
}

TEST_F(TraceTest, LossIsReportedAndFailsOnDemand) {
  script.counters.lost_ring_full = 5;
  script.counters.lost_bytes = 1234;
  const Outcome calm = run({"-d", "0.05"});
  EXPECT_EQ(calm.code, exit_ok);
  EXPECT_THAT(calm.lines.back()["lost"].dump(), HasSubstr("ring_full"));
  EXPECT_THAT(calm.lines.back()["lost"].dump(), HasSubstr("1234"));
  EXPECT_EQ(run({"-d", "0.05", "--fail-on-loss"}).code, exit_loss);
  script.counters = {};
  EXPECT_EQ(run({"-d", "0.05", "--fail-on-loss"}).code, exit_ok);
}

TEST_F(TraceTest, RunsThatTheKernelSkippedAreALoss) {
  times.loss_report = milliseconds(10);
  script.counters.missed_runs = 7;
  const Outcome unmeasured = run({"-d", "0.05", "--fail-on-loss"});
  EXPECT_EQ(unmeasured.code, exit_ok) << "a number that means nothing is not a loss";
  EXPECT_EQ(unmeasured.lines.back()["missing"].dump(), R"(["missed_runs"])");
  script.counters.missed_runs_measured = true;
  const Outcome measured = run({"-d", "0.05", "--fail-on-loss"});
  EXPECT_EQ(measured.code, exit_loss);
  EXPECT_EQ(measured.types(), (std::vector<std::string>{"trace_start", "loss", "trace_end"})) << "told once";
  EXPECT_EQ(measured.lines[1]["cause"], "missed_runs");
  EXPECT_EQ(measured.lines[1]["where"], "kernel");
  EXPECT_EQ(measured.lines[1]["events"], 7);
  EXPECT_EQ(measured.lines.back()["missed_runs"], 7);
  EXPECT_EQ(measured.lines.back()["lost"]["missed_runs"]["events"], 7);
  EXPECT_THAT(run({"-d", "0.05", "--no-meta"}).talk, HasSubstr("loss: missed_runs: 7 events"));
}

TEST_F(TraceTest, AReaderThatLeavesEndsAnIdleRun) {
  close(out_ends[0]);
  out_ends[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const auto began = steady_clock::now();
  EXPECT_EQ(run({"-d", "20"}).code, exit_ok);
  EXPECT_LT(steady_clock::now() - began, milliseconds(5'000));
}

TEST_F(TraceTest, AFullDiskIsAnErrorThatCounts) {
  script.on_drain = transactions(2);
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  const Outcome outcome = run({"-d", "20"}, full.get());
  EXPECT_EQ(outcome.code, exit_error);
  EXPECT_THAT(outcome.talk, HasSubstr("No space left"));
  EXPECT_THAT(outcome.talk, HasSubstr("not written: "));
}

TEST_F(TraceTest, AReaderThatDoesNotReadDelaysNothingAndGetsWholeLines) {
  script.on_drain = [](EventHandler& handler, int round) -> Result<Drained> {
    for (std::uint64_t i = 0; round < 4 && i < 100; ++i)
      transaction(handler, static_cast<std::uint64_t>(round) * 100 + i + 1);
    return Drained::idle;
  };
  const auto began = steady_clock::now();
  const Outcome outcome = run({"-d", "0.5"});  // run() reads only afterwards, and parses every line
  EXPECT_LT(steady_clock::now() - began, milliseconds(5'000));
  EXPECT_EQ(outcome.code, exit_error);
  EXPECT_EQ(outcome.out.back(), '\n');
  EXPECT_GT(outcome.lines.size(), 10u);
  EXPECT_THAT(outcome.talk, HasSubstr("not written: "));
}

TEST_F(TraceTest, ABackendThatDiesEndsTheRunWithItsReason) {
  script.on_drain = [](EventHandler&, int) -> Result<Drained> { return fail(Errc::os, "ring buffer: gone"); };
  const Outcome outcome = run({});
  EXPECT_EQ(outcome.code, exit_error);
  EXPECT_THAT(outcome.talk, HasSubstr("ring buffer: gone"));
  EXPECT_EQ(outcome.lines.back()["reason"], "backend failed: ring buffer: gone");
}

}  // namespace
}  // namespace tracer::cli
