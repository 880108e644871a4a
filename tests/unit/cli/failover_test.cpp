// Backends that die in mid-run: what takes over, what is told of it, and that nothing is told twice.
//
// The world makes one transaction each 2 ms, on a connection of its own. A backend brings those that happened since it
// was opened, until the test kills it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "cli/no_ownership.h"
#include "cli/trace.h"
#include "cli/values.h"
#include "core/base/unique_fd.h"

namespace tracer::cli {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

constexpr milliseconds period{2};

// What the test does to the backends of one kind; times since the start of the test.
struct Fate {
  std::optional<milliseconds> stall_at, detach_at, lossy_from;
  std::optional<milliseconds> back_at;  // instances opened from then on are well
  bool opens = true;
  std::set<Facet> refuses;
  std::set<Facet> refuses_later;  // after back_at
  std::vector<Facet> sheds;       // what it can spare
  milliseconds takes_to_close{0};
};

struct World {
  steady_clock::time_point start = steady_clock::now();
  std::map<BackendKind, Fate> fates;
  std::vector<std::pair<BackendKind, std::vector<Facet>>> opened;
  [[nodiscard]] steady_clock::time_point at(milliseconds ms) const { return start + ms; }
};
World world;

EventTime event_time(steady_clock::time_point time) {
  return {static_cast<std::uint64_t>(duration_cast<nanoseconds>(time.time_since_epoch()).count())};
}

// Transaction `number`, as its server saw it, at once.
void transaction(EventHandler& handler, std::uint64_t number) {
  const EventTime when = event_time(world.at(period * static_cast<int>(number)));
  const auto endpoint = [](std::uint16_t port) { return Endpoint{parse_address_range("127.0.0.1")->address, port}; };
  const auto say = [&](auto body) { handler.on_event(Event{when, {77, 77}, std::move(body)}); };
  FlowOpened opened;
  opened.flow = {number + 1};
  opened.local = endpoint(80);
  opened.remote = endpoint(static_cast<std::uint16_t>(10'000 + number % 50'000));
  opened.role = Role::server;
  opened.tx_offset = opened.rx_offset = 0;
  say(opened);
  const std::string request = "GET /" + std::to_string(number) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  const auto data = [&](Direction direction, std::string_view text) {
    FlowData moved;
    moved.flow = opened.flow;
    moved.direction = direction;
    moved.moved = text.size();
    moved.bytes = as_bytes(text);
    say(moved);
  };
  data(Direction::rx, request);
  data(Direction::tx, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  FlowClosed closed;
  closed.flow = opened.flow;
  say(closed);
}

class FakeBackend final : public Backend {
 public:
  ~FakeBackend() override { std::this_thread::sleep_for(fate_.takes_to_close); }
  explicit FakeBackend(BackendKind kind) : kind_(kind), fate_(world.fates[kind]), next_(number_now()) {
    if (fate_.back_at && steady_clock::now() >= world.at(*fate_.back_at)) fate_ = {};
  }
  [[nodiscard]] int fd() const override { return event_.get(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t) override {
    if (is_past(fate_.detach_at)) return fail(Errc::os, "the device is gone");
    if (is_past(fate_.stall_at)) return Drained::idle;
    beats_.seen = beats_.sent;
    if (kind_ == BackendKind::procfs) return Drained::idle;
    for (; next_ < number_now(); ++next_) {
      counters_.produced += 200;
      if (is_past(fate_.lossy_from)) {
        counters_.lost_ring_full += 200;
        handler.on_event(Event{event_time(steady_clock::now()), {}, Lost{200, GapCause::ring_full}});
      } else {
        counters_.delivered += 200;
        transaction(handler, next_);
      }
    }
    return Drained::idle;
  }
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  [[nodiscard]] BackendCounters counters() const override { return counters_; }
  [[nodiscard]] Result<void> send_beat() override {
    ++beats_.sent;
    return {};
  }
  [[nodiscard]] Beats beats() const override { return beats_; }
  [[nodiscard]] std::vector<Facet> shed() override { return std::exchange(fate_.sheds, {}); }

 private:
  static std::uint64_t number_now() {
    return static_cast<std::uint64_t>((steady_clock::now() - world.start) / period) + 1;
  }
  static bool is_past(const std::optional<milliseconds>& time) {
    return time && steady_clock::now() >= world.at(*time);
  }

  BackendKind kind_;
  Fate fate_;
  std::uint64_t next_;
  BackendCounters counters_;
  Beats beats_;
  UniqueFd event_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
};

template <BackendKind kind>
Result<OpenedBackend> open_fake(const OpenRequest& request) {
  world.opened.emplace_back(kind, std::vector<Facet>(request.facets.begin(), request.facets.end()));
  if (!world.fates[kind].opens) return fail(Errc::not_supported, "it does not open");
  OpenedBackend opened;
  opened.self_test_seen = true;
  const Fate& fate = world.fates[kind];
  const bool back = fate.back_at && steady_clock::now() >= world.at(*fate.back_at);
  for (const Facet facet : request.facets)
    if ((back ? fate.refuses_later : fate.refuses).contains(facet))
      opened.refused.push_back({facet, "its program did not load"});
  opened.backend = std::make_unique<FakeBackend>(kind);
  return opened;
}

constexpr BackendRow rows[] = {
    {BackendKind::tracepoint, Mechanism::tp_btf, open_fake<BackendKind::tracepoint>},
    {BackendKind::pcap, Mechanism::af_packet, open_fake<BackendKind::pcap>},
    {BackendKind::procfs, Mechanism::sock_diag, open_fake<BackendKind::procfs>},
    {BackendKind::procfs, Mechanism::poll, open_fake<BackendKind::procfs>},
};
constexpr BackendRow rows_with_uprobes[] = {
    {BackendKind::ebpf, Mechanism::fentry, open_fake<BackendKind::ebpf>},
    {BackendKind::tracepoint, Mechanism::tp_btf, open_fake<BackendKind::tracepoint>},
    {BackendKind::procfs, Mechanism::sock_diag, open_fake<BackendKind::procfs>},
};

struct Outcome {
  int code = -1;
  std::vector<nlohmann::json> lines;
  std::string talk;
  // Of all facets but tls, which goes where http goes.
  [[nodiscard]] std::vector<nlohmann::json> switches() const {
    std::vector<nlohmann::json> found = of_type("backend_switch");
    std::erase_if(found, [](const nlohmann::json& change) { return change["facet"] == "tls"; });
    return found;
  }
  [[nodiscard]] std::vector<nlohmann::json> of_type(std::string_view type) const {
    std::vector<nlohmann::json> found;
    for (const auto& line : lines)
      if (line.at("event_type") == type) found.push_back(line);
    return found;
  }
  // The numbers of the transactions that were told. Fails where one was told twice.
  [[nodiscard]] std::set<int> told() const {
    std::set<int> numbers;
    for (const auto& record : of_type("http_transaction")) {
      const std::string url = record["request"]["url"];
      EXPECT_TRUE(numbers.insert(std::stoi(url.substr(1))).second) << url << " was told twice";
    }
    return numbers;
  }
};

class FailoverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world = {};
    for (std::size_t i = 0; i <= static_cast<std::size_t>(Capability::proc_events); ++i)
      report.answers.push_back({static_cast<Capability>(i), Verdict::supported, {}, {}});
    times.capture.health.beat = milliseconds(40);
    times.capture.health.loss_window = milliseconds(50);
    times.capture.retry = milliseconds(100);
    times.capture.standby = milliseconds(200);
  }

  Outcome run(std::vector<std::string> args) {
    char out_path[] = "/tmp/failover_test.XXXXXX";
    const UniqueFd out(mkostemp(out_path, O_CLOEXEC));
    unlink(out_path);
    int talk_ends[2];
    EXPECT_EQ(pipe2(talk_ends, O_CLOEXEC | O_NONBLOCK), 0);
    const UniqueFd talk_reader(talk_ends[0]), talk_writer(talk_ends[1]);
    args.insert(args.end(), {"--format", "json-stream"});
    const auto options = parse_options(args);
    EXPECT_TRUE(options) << options.error().context;
    NoOwnership nobody;
    const Talk talk(Talkative::normal, talk_writer.get());
    Outcome outcome;
    outcome.code =
        run_trace({*options, report, built, nobody, nullptr, out.get(), talk, steady_clock::now(), times, {}});
    const auto read_all = [](int fd) {
      std::string all;
      char buffer[4096];
      for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<std::size_t>(n));
      return all;
    };
    lseek(out.get(), 0, SEEK_SET);
    std::istringstream lines(read_all(out.get()));
    for (std::string line; std::getline(lines, line);) outcome.lines.push_back(nlohmann::json::parse(line));
    outcome.talk = read_all(talk_reader.get());
    return outcome;
  }

  // Every transaction from first to last was told once, but for as many as fit into `blind_ms`.
  static void expect_complete(const Outcome& outcome, double blind_ms) {
    const std::set<int> told = outcome.told();
    ASSERT_GT(told.size(), 20u) << outcome.talk;
    const int missing = *told.rbegin() - *told.begin() + 1 - static_cast<int>(told.size());
    EXPECT_LE(missing, blind_ms / static_cast<double>(period.count()) + 2) << outcome.talk;
  }

  // As where breakpoints can be set in programs.
  void have_uprobes() {
    report.answers.push_back({Capability::uprobe, Verdict::supported, {}, {}});
    built = rows_with_uprobes;
  }

  CapabilityReport report;
  SessionTimes times;
  std::span<const BackendRow> built = rows;
};

TEST_F(FailoverTest, AnErrorSwitchesAtOnce) {
  world.fates[BackendKind::tracepoint].detach_at = milliseconds(200);
  const Outcome outcome = run({"-d", "0.5"});
  EXPECT_EQ(outcome.code, exit_ok);
  const auto changes = outcome.switches();
  ASSERT_EQ(changes.size(), 1u) << outcome.talk;
  EXPECT_EQ(changes[0]["facet"], "http");
  EXPECT_EQ(changes[0]["from_backend"], "tracepoint");
  EXPECT_EQ(changes[0]["to_backend"], "pcap");
  EXPECT_EQ(changes[0]["reason"], "the device is gone");
  EXPECT_LT(changes[0]["unwatched_ms"], 150.0);
  expect_complete(outcome, changes[0]["unwatched_ms"]);
  EXPECT_GE(*outcome.told().rbegin(), 230) << "it went on to the end";
  EXPECT_THAT(outcome.talk, HasSubstr("http: tracepoint/tp_btf -> pcap/af_packet (the device is gone)"));
  const auto& last = outcome.lines.back();
  EXPECT_EQ(last["reason"], "duration");
  EXPECT_EQ(last["records_written"], outcome.told().size());
  EXPECT_GE(last["events_delivered"], 200 * outcome.told().size()) << "the counters of both are in the sum";
}

TEST_F(FailoverTest, SilenceSwitchesByTheHeartbeatAndTheGapIsNotUnderstated) {
  world.fates[BackendKind::tracepoint].stall_at = milliseconds(200);
  const Outcome outcome = run({"-d", "0.6"});
  const auto changes = outcome.switches();
  ASSERT_EQ(changes.size(), 1u) << outcome.talk;
  EXPECT_THAT(std::string(changes[0]["reason"]), HasSubstr("no heartbeat"));
  const double unwatched = changes[0]["unwatched_ms"];
  // What was missed lies between the last transaction of the one and the first of the other.
  const std::set<int> told = outcome.told();
  int gap = 0;
  for (auto it = told.begin(); std::next(it) != told.end(); ++it) gap = std::max(gap, *std::next(it) - *it);
  EXPECT_GE(unwatched, (gap - 1) * static_cast<double>(period.count()));
  EXPECT_LE(unwatched, 200.0);
  expect_complete(outcome, unwatched);
}

TEST_F(FailoverTest, SustainedLossSwitchesWhileTheOldOneGoesOn) {
  world.fates[BackendKind::tracepoint].lossy_from = milliseconds(150);
  const Outcome outcome = run({"-d", "0.6"});
  const auto changes = outcome.switches();
  ASSERT_EQ(changes.size(), 1u) << outcome.talk;
  EXPECT_THAT(std::string(changes[0]["reason"]), HasSubstr("it loses 100 % of the events"));
  EXPECT_EQ(changes[0]["unwatched_ms"], 0.0);
  EXPECT_FALSE(outcome.told().empty());
  EXPECT_GT(outcome.lines.back()["lost"]["ring_full"]["events"], 0);
  world.fates[BackendKind::tracepoint].lossy_from = milliseconds(0);
  EXPECT_TRUE(run({"-d", "0.4", "--loss-threshold", "100"}).switches().empty());
}

TEST_F(FailoverTest, LossAloneEndsNothingWhereNothingElseShowsAsMuch) {
  world.fates[BackendKind::tracepoint].lossy_from = milliseconds(100);
  world.fates[BackendKind::pcap].refuses = {Facet::http};
  for (const char* demand : {"--backend=tracepoint", "--backend=tracepoint,pcap", "--strict"}) {
    world.start = steady_clock::now();
    const Outcome outcome = run({"-d", "0.5", "--show", "http", demand});
    EXPECT_EQ(outcome.code, exit_ok) << demand << outcome.talk;
    EXPECT_TRUE(outcome.switches().empty()) << demand;
    EXPECT_EQ(outcome.lines.back()["reason"], "duration");
    const std::string told = "tracepoint/tp_btf: it loses 100 % of the events; it goes on";
    ASSERT_THAT(outcome.talk, HasSubstr(told)) << demand;
    EXPECT_EQ(outcome.talk.find(told), outcome.talk.rfind(told)) << "said once: " << outcome.talk;
  }
}

TEST_F(FailoverTest, NobodyWaitsForTheOldOneToClose) {
  world.fates[BackendKind::tracepoint].detach_at = milliseconds(100);
  world.fates[BackendKind::tracepoint].takes_to_close = milliseconds(3000);
  const Outcome outcome = run({"-d", "0.5", "--backend", "tracepoint,pcap"});
  const auto changes = outcome.switches();
  ASSERT_EQ(changes.size(), 1u) << outcome.talk;
  expect_complete(outcome, changes[0]["unwatched_ms"]);
  // A record is written out at the latest with the next tick, so that its own time says nothing; the loop's does.
  EXPECT_LT(outcome.lines.back()["duration_ms"], 2500.0) << "the loop stood still";
  EXPECT_THAT(outcome.talk, HasSubstr("detaching")) << "what the end waits for is said";
}

TEST_F(FailoverTest, StrictShowsNothingInstead) {
  const Outcome outcome = run({"--backend", "procfs", "--strict", "-d", "0.1"});
  EXPECT_NE(outcome.code, exit_ok) << outcome.talk;
  EXPECT_TRUE(world.opened.empty());
}

TEST_F(FailoverTest, TwoInARow) {
  world.fates[BackendKind::tracepoint].detach_at = milliseconds(100);
  world.fates[BackendKind::pcap].detach_at = milliseconds(200);
  const Outcome outcome = run({"-d", "0.4", "--no-meta"});
  EXPECT_EQ(outcome.code, exit_ok);
  EXPECT_TRUE(outcome.switches().empty()) << "--no-meta";
  EXPECT_THAT(outcome.talk, HasSubstr("http: tracepoint/tp_btf -> pcap/af_packet (the device is gone); nobody"));
  EXPECT_THAT(outcome.talk, HasSubstr("http: pcap/af_packet -> not visible any more (the device is gone); nobody"));
}

TEST_F(FailoverTest, CountAndDurationHoldAcrossASwitch) {
  world.fates[BackendKind::tracepoint].detach_at = milliseconds(100);
  const Outcome outcome = run({"--count", "120", "-d", "20"});
  EXPECT_EQ(outcome.code, exit_ok);
  EXPECT_EQ(outcome.lines.back()["reason"], "count");
  EXPECT_EQ(outcome.told().size(), 120u);
  EXPECT_EQ(outcome.switches().size(), 1u);
}

TEST_F(FailoverTest, WhatThePlanSaysIsMissingIsMissingInTheRecords) {
  const Outcome outcome = run({"-d", "0.2", "--show", "http,connection", "--backend", "pcap"});
  const auto planned = outcome.lines.front()["plan"]["connection"]["missing"];
  EXPECT_FALSE(planned.empty());
  ASSERT_FALSE(outcome.of_type("connection").empty()) << outcome.talk;
  for (const auto& field : planned)
    EXPECT_THAT(outcome.of_type("connection").front()["missing"], ::testing::Contains(field));
}

TEST_F(FailoverTest, BackWithLessThanItHadTakesNothingAway) {
  world.fates[BackendKind::tracepoint].detach_at = milliseconds(100);
  world.fates[BackendKind::tracepoint].back_at = milliseconds(150);
  world.fates[BackendKind::tracepoint].refuses_later = {Facet::connection};
  const Outcome outcome = run({"-d", "0.9", "--show", "http,connection", "--backend", "tracepoint,pcap"});
  const auto changes = outcome.switches();
  ASSERT_EQ(changes.size(), 2u) << outcome.talk;
  for (const auto& change : changes) EXPECT_EQ(change["to_backend"], "pcap");
  EXPECT_EQ(outcome.of_type("connection").back()["backend"], "pcap");
}

TEST_F(FailoverTest, BackToTheBetterOneWhenItIsHealthyAgain) {
  world.fates[BackendKind::tracepoint].detach_at = milliseconds(100);
  world.fates[BackendKind::tracepoint].back_at = milliseconds(150);
  const Outcome outcome = run({"-d", "0.9"});
  const auto changes = outcome.switches();
  ASSERT_EQ(changes.size(), 2u) << outcome.talk;
  EXPECT_EQ(changes[1]["from_backend"], "pcap");
  EXPECT_EQ(changes[1]["to_backend"], "tracepoint");
  EXPECT_EQ(changes[1]["unwatched_ms"], 0.0);
  EXPECT_THAT(std::string(changes[1]["reason"]), HasSubstr("healthy for 200 ms"));
  expect_complete(outcome, changes[0]["unwatched_ms"]);
  EXPECT_EQ(outcome.of_type("http_transaction").back()["backend"], "tracepoint");
}

TEST_F(FailoverTest, WhatDoesNotComeBackIsTriedAgainAndAgain) {
  world.fates[BackendKind::tracepoint].detach_at = milliseconds(50);
  const Outcome outcome = run({"-d", "0.6"});
  EXPECT_EQ(outcome.switches().size(), 1u) << "a standby that dies takes nothing over";
  const auto opened = std::ranges::count(world.opened, BackendKind::tracepoint, [](const auto& o) { return o.first; });
  EXPECT_GE(opened, 3);
  EXPECT_LE(opened, 8);
}

TEST_F(FailoverTest, WhereNothingOfItIsLeftConnectionsAreShownInstead) {
  for (const BackendKind kind : {BackendKind::tracepoint, BackendKind::pcap})
    world.fates[kind].detach_at = milliseconds(100);
  const Outcome outcome = run({"-d", "0.4"});
  EXPECT_EQ(outcome.code, exit_ok);
  const auto changes = outcome.switches();
  ASSERT_EQ(changes.size(), 2u) << outcome.talk;
  EXPECT_FALSE(changes[1].contains("to_backend"));
  EXPECT_THAT(outcome.talk, HasSubstr("http: pcap/af_packet -> not visible any more"));
  EXPECT_THAT(outcome.talk, HasSubstr("connection: shown instead, by procfs/sock_diag"));
  EXPECT_EQ(outcome.lines.back()["reason"], "duration");
}

TEST_F(FailoverTest, WhereNothingAtAllIsLeftTheRunEnds) {
  world.fates[BackendKind::tracepoint].detach_at = milliseconds(50);
  const Outcome outcome = run({"--backend", "tracepoint", "-d", "20"});
  EXPECT_EQ(outcome.code, exit_error);
  EXPECT_EQ(outcome.switches().size(), 1u);
  EXPECT_EQ(outcome.lines.back()["reason"], "backend failed: the device is gone");
  EXPECT_THAT(outcome.talk, HasSubstr("try: tracer --auto    # anything else may take over"));
}

TEST_F(FailoverTest, AFacetThatAnotherOneShowsLivesOn) {
  world.fates[BackendKind::tracepoint].refuses = {Facet::connection};
  world.fates[BackendKind::tracepoint].detach_at = milliseconds(100);
  const Outcome outcome = run({"-d", "0.3", "--backend", "tracepoint,procfs", "--show", "http,connection"});
  EXPECT_EQ(outcome.code, exit_ok) << outcome.talk;
  EXPECT_EQ(outcome.lines.front()["plan"]["http"]["backend"], "tracepoint");
  EXPECT_EQ(outcome.lines.front()["plan"]["connection"]["backend"], "procfs");
  EXPECT_THAT(outcome.lines.front()["plan"]["connection"]["rejected"].dump(), HasSubstr("its program did not load"));
  ASSERT_EQ(outcome.switches().size(), 1u);
  EXPECT_EQ(outcome.switches()[0]["facet"], "http");
  EXPECT_EQ(outcome.lines.back()["reason"], "duration");
}

TEST_F(FailoverTest, StrictAndRequireDoNotFallBackInMidRun) {
  world.fates[BackendKind::tracepoint].detach_at = milliseconds(50);
  for (const std::vector<std::string>& demand :
       {std::vector<std::string>{"--require", "http=tracepoint", "--backend", "tracepoint,pcap"},
        std::vector<std::string>{"--strict", "--backend", "tracepoint,pcap", "--show", "http"}}) {
    world.start = steady_clock::now();
    std::vector<std::string> args = demand;
    args.insert(args.end(), {"-d", "20"});
    const Outcome outcome = run(args);
    ASSERT_EQ(outcome.code, exit_error) << demand.front() << outcome.talk;
    EXPECT_EQ(outcome.lines.back()["reason"], "backend failed: the device is gone");
  }
}

TEST_F(FailoverTest, ARequirementThatCannotBeMetIsExitFive) {
  EXPECT_EQ(run({"--require", "http=ebpf"}).code, exit_start);
  EXPECT_EQ(run({"--require", "https"}).code, exit_start);
  world.fates[BackendKind::tracepoint].opens = false;
  EXPECT_EQ(run({"--require", "http=tracepoint", "--backend", "tracepoint"}).code, exit_start);
  EXPECT_EQ(run({"--require", "http=pcap", "--backend", "pcap", "-d", "0.05"}).code, exit_ok);
}

TEST_F(FailoverTest, OverTheBudgetTheDearestIsGivenUp) {
  world.fates[BackendKind::tracepoint].refuses = {Facet::connection};
  const Outcome outcome =
      run({"-d", "4.3", "--backend", "tracepoint,procfs", "--show", "http,connection", "--max-overhead", "0.0001"});
  const auto changes = outcome.switches();
  ASSERT_EQ(changes.size(), 1u) << outcome.talk;
  EXPECT_EQ(changes[0]["facet"], "connection");
  EXPECT_FALSE(changes[0].contains("to_backend"));
  EXPECT_THAT(std::string(changes[0]["reason"]), HasSubstr("over --max-overhead"));
  EXPECT_GE(*outcome.told().rbegin(), 2000) << "http goes on";
}

TEST_F(FailoverTest, OverTheBudgetBreakpointsInProgramsGoFirst) {
  have_uprobes();
  world.fates[BackendKind::tracepoint].refuses = {Facet::connection};
  world.fates[BackendKind::tracepoint].sheds = {Facet::https};
  const Outcome outcome = run(
      {"-d", "4.3", "--backend", "tracepoint,procfs", "--show", "http,https,connection", "--max-overhead", "0.0001"});
  EXPECT_EQ(outcome.lines.front()["plan"]["https"]["mechanism"], "tp_btf");
  const auto changes = outcome.switches();
  ASSERT_EQ(changes.size(), 1u) << outcome.talk;
  EXPECT_EQ(changes[0]["facet"], "https");
  EXPECT_EQ(changes[0]["from_backend"], "tracepoint");
  EXPECT_FALSE(changes[0].contains("to_backend"));
  EXPECT_EQ(changes[0]["unwatched_ms"], 0.0);
  EXPECT_THAT(std::string(changes[0]["reason"]), HasSubstr("over --max-overhead"));
  EXPECT_THAT(outcome.talk, HasSubstr("https: tracepoint/tp_btf -> not visible any more (over --max-overhead"));
  EXPECT_GE(*outcome.told().rbegin(), 2000) << "http goes on";
}

TEST_F(FailoverTest, WhatWasSparedDoesNotComeBackWithTheBetterBackend) {
  have_uprobes();
  world.fates[BackendKind::tracepoint].detach_at = milliseconds(200);
  world.fates[BackendKind::tracepoint].back_at = milliseconds(4000);
  world.fates[BackendKind::ebpf].sheds = {Facet::https};
  const Outcome outcome =
      run({"-d", "5.3", "--backend", "tracepoint,ebpf", "--show", "http,https", "--max-overhead", "0.0001"});
  std::vector<std::string> told;
  for (const auto& change : outcome.switches())
    told.push_back(std::string(change["facet"]) + " " +
                   (change.contains("to_backend") ? std::string(change["to_backend"]) : "nothing"));
  EXPECT_THAT(told, ::testing::ElementsAre("http ebpf", "https ebpf", "https nothing", "http tracepoint"))
      << outcome.talk;
  ASSERT_FALSE(world.opened.empty());
  EXPECT_EQ(world.opened.back().first, BackendKind::tracepoint);
  EXPECT_EQ(world.opened.back().second, std::vector{Facet::http});
}

TEST_F(FailoverTest, WhatIsWantedFirstIsNotSpared) {
  have_uprobes();
  world.fates[BackendKind::tracepoint].sheds = {Facet::https};
  const Outcome outcome = run({"-d", "3.6", "--backend", "tracepoint", "--show", "https", "--max-overhead", "0.0001"});
  EXPECT_TRUE(outcome.switches().empty()) << outcome.talk;
  EXPECT_THAT(outcome.talk, HasSubstr("nothing more can be given up"));
}

TEST_F(FailoverTest, WhatIsRequiredIsNotGivenUpInSilence) {
  have_uprobes();
  world.fates[BackendKind::tracepoint].sheds = {Facet::https};
  const Outcome outcome =
      run({"-d", "20", "--backend", "tracepoint", "--show", "http", "--require", "https", "--max-overhead", "0.0001"});
  EXPECT_EQ(outcome.code, exit_error) << outcome.talk;
  EXPECT_THAT(std::string(outcome.lines.back()["reason"]), HasSubstr("backend failed: over --max-overhead"));
}

// What runs without the breakpoints is not opened once more, each lesser way, for the sake of them.
TEST_F(FailoverTest, BreakpointsThatOneBackendCannotCarryNoOtherIsAskedFor) {
  have_uprobes();
  world.fates[BackendKind::ebpf].refuses = {Facet::https};
  const Outcome outcome = run({"-d", "0.1", "--show", "http,https"});
  ASSERT_EQ(world.opened.size(), 1u);
  const auto& plan = outcome.lines.front()["plan"];
  EXPECT_EQ(plan["http"]["mechanism"], "fentry");
  EXPECT_EQ(plan["https"]["backend"], nullptr);
  for (const auto& rejected : plan["https"]["rejected"]) EXPECT_EQ(rejected["reason"], "its program did not load");
}

}  // namespace
}  // namespace tracer::cli
