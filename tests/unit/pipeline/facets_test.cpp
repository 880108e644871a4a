// What a pipeline tells beside transactions: processes, files, connections of mechanisms that only count.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/pipeline/events.h"
#include "tests/unit/pipeline/line_analyzer.h"

namespace tracer::test {
namespace {

PipelineOptions counting() {
  PipelineOptions options;
  options.transactions = false;
  options.connections = ConnectionRecords::all;
  return options;
}

FlowData counted(FlowId flow, Direction direction, std::uint64_t offset, std::uint64_t moved) {
  FlowData it = sizes(flow, direction, offset, moved);
  it.rest = GapCause::no_payload;
  return it;
}

TEST(Facets, ProcessesAreToldOnlyWhereAskedFor) {
  for (const bool asked : {true, false}) {
    PipelineOptions options;
    options.processes = asked;
    options.missing = {"signal", "client.process", "flags"};
    World world(options);
    world.ownership.alive[client].local_pid = 7;
    world.ownership.alive[server].local_pid = 8;
    world.pipeline.on_event({EventTime{0}, {server, server}, ProcessForked{client}});
    world.send(1 * ms, client, ProcessStarted{"./tool", "tool", server});
    world.send(2 * ms, client, ProcessExited{3, {}});
    world.pipeline.on_event({EventTime{3 * ms}, {server, server + 1}, ProcessExited{0, {}}});  // a thread
    world.send(4 * ms, 999, ProcessExited{{}, {}});
    if (!asked) {
      EXPECT_TRUE(world.records.empty());
      continue;
    }
    ASSERT_EQ(world.records.size(), 3U);
    const auto& exec = std::get<ProcessExec>(world.records[0]->body);
    EXPECT_EQ(exec.executable, "./tool");
    EXPECT_EQ(exec.parent, 8U);
    EXPECT_EQ(exec.process->local_pid, 7U);
    EXPECT_TRUE(world.records[0]->missing.empty());
    const auto& exit = std::get<ProcessExit>(world.records[1]->body);
    EXPECT_EQ(exit.exit_code, 3);
    EXPECT_EQ(exit.process->tgid, client);
    EXPECT_EQ(world.records[1]->missing, std::vector<std::string_view>{"signal"});
    const auto& unknown = std::get<ProcessExit>(world.records[2]->body);
    EXPECT_EQ(unknown.process->tgid, 999U);
    EXPECT_EQ(world.records[2]->missing, (std::vector<std::string_view>{"signal", "exit_code"}));
  }
}

TEST(Facets, AProcessFromBeforeIsKnownWhenItEnds) {
  PipelineOptions options;
  options.processes = true;
  World world(options);
  ProcessFacts facts;
  facts.tgid = 4711;
  facts.local_pid = 4711;
  facts.uid = 33;
  facts.comm = "nginx";
  facts.executable = "/usr/sbin/nginx";
  world.pipeline.know(facts);
  world.send(1 * ms, 4711, ProcessExited{0, {}});
  ASSERT_EQ(world.records.size(), 1U);
  const auto& exit = std::get<ProcessExit>(world.records[0]->body);
  EXPECT_EQ(exit.process->comm, "nginx");
  EXPECT_EQ(exit.process->executable, "/usr/sbin/nginx");
  EXPECT_EQ(exit.process->uid, 33U);
}

TEST(Facets, FilesAreToldWithFlagsAndResult) {
  PipelineOptions options;
  options.files = true;
  World world(options);
  FileOpened open;
  open.path = "/etc/passwd";
  open.flags = 02000000U;
  open.error = 2;
  world.send(1 * ms, client, open);
  open = {};
  open.path = "/found/later";
  open.path_inferred = true;
  world.send(2 * ms, client, open);
  ASSERT_EQ(world.records.size(), 2U);
  const auto& first = std::get<FileOpen>(world.records[0]->body);
  EXPECT_EQ(first.file, "/etc/passwd");
  EXPECT_EQ(first.flags, (std::vector<std::string>{"O_RDONLY", "O_CLOEXEC"}));
  EXPECT_EQ(first.result, "ENOENT");
  EXPECT_EQ(first.process->comm, "client");
  const auto& second = std::get<FileOpen>(world.records[1]->body);
  EXPECT_EQ(second.flags, std::nullopt);
  EXPECT_EQ(second.result, std::nullopt);
  EXPECT_EQ(world.records[1]->inferred, std::vector<std::string_view>{"file"});
}

// Counts how often the operating system is asked.
class CountingOwnership final : public Ownership {
 public:
  std::size_t asked = 0;
  std::optional<ProcessFacts> process(std::uint32_t tgid) override {
    ++asked;
    ProcessFacts facts;
    facts.tgid = tgid;
    facts.local_pid = tgid;
    return facts;
  }
  std::vector<ProcessFacts> all_processes() override { return {}; }
  FdAnswer descriptor(std::uint32_t, int) override { return {}; }
  std::uint64_t network_namespace(std::uint32_t) override { return 0; }
  std::vector<OwnedSocket> all_tcp_descriptors() override { return {}; }
};

// Takes files below /etc/ssl, which is also where relative paths lead; counts what it is asked.
class CountingLookup final : public CryptoLookup {
 public:
  std::size_t looks = 0, ticks = 0, ticks_at_look = 0;
  std::uint32_t pid = 0;
  void tick() override { ++ticks; }
  bool is_candidate(std::string_view path) const override { return path.starts_with("/etc/ssl/"); }
  FileFinding look_into(const FileQuestion& question, bool) override {
    ++looks;
    pid = question.pid;
    ticks_at_look = ticks;
    FileFinding finding;
    finding.path =
        question.path.starts_with('/') ? std::string(question.path) : "/etc/ssl/" + std::string(question.path);
    return finding;
  }
  std::optional<LibraryFinding> library(const FileQuestion&) override { return std::nullopt; }
};

struct WatchedFiles {
  CountingOwnership ownership;
  CountingLookup lookup;
  World records;  // only keeps them
  Pipeline pipeline;
  explicit WatchedFiles(std::vector<std::string> patterns = {})
      : pipeline(options(lookup, std::move(patterns)), Router({}), Timeline::of_monotonic(0), ownership, records,
                 records) {}
  static PipelineOptions options(CryptoLookup& lookup, std::vector<std::string> patterns) {
    PipelineOptions options;
    options.files = true;
    options.crypto = &lookup;
    options.file_patterns = std::move(patterns);
    return options;
  }
  void open(std::uint64_t at_ns, std::uint32_t tgid, std::string_view path) {
    FileOpened opened;
    opened.path = path;
    opened.uid = 33;
    pipeline.on_event(Event{EventTime{at_ns}, {tgid, tgid}, opened});
  }
};

TEST(Facets, NobodyIsAskedAboutOpensThatNobodyWants) {
  WatchedFiles files;
  for (std::uint32_t tgid = 100; tgid < 200; ++tgid) files.open(1 * ms, tgid, "/etc/passwd");
  EXPECT_EQ(files.ownership.asked, 0U);
  EXPECT_EQ(files.lookup.looks, 0U);
  EXPECT_EQ(files.pipeline.counters().files_passed_over, 100U);
  files.open(2 * ms, 100, "/etc/ssl/server.pem");
  EXPECT_EQ(files.ownership.asked, 1U);
  EXPECT_EQ(files.lookup.pid, 100U);
  ASSERT_EQ(files.records.records.size(), 1U);
  EXPECT_EQ(std::get<FileOpen>(files.records.records[0]->body).process->uid, 33U);
}

TEST(Facets, TheLookupHearsOfTimeBeforeItIsAsked) {
  WatchedFiles files;
  files.open(100 * ms, 100, "/etc/ssl/server.pem");
  const std::size_t before = files.lookup.ticks;
  for (std::uint64_t at = 101; at < 124; ++at) files.open(at * ms, 100, "/etc/ssl/server.pem");
  EXPECT_EQ(files.lookup.ticks, before) << "25 ms are one tick";
  files.lookup.ticks_at_look = 0;
  files.open(10'000 * ms, 100, "/etc/ssl/server.pem");
  EXPECT_GT(files.lookup.ticks_at_look, before) << "long after the open before";
  const std::size_t then = files.lookup.ticks;
  files.pipeline.advance(EventTime{10'030 * ms});
  EXPECT_GT(files.lookup.ticks, then) << "time passes without events too";
}

TEST(Facets, ARelativePathIsResolvedInItsProcess) {
  WatchedFiles files({"/etc/ssl/*.pem"});
  files.open(1 * ms, 100, "server.pem");
  EXPECT_EQ(files.lookup.pid, 100U);
  files.open(1 * ms, 101, "notes.txt");
  EXPECT_EQ(files.ownership.asked, 2U);
  ASSERT_EQ(files.records.records.size(), 1U);
  EXPECT_EQ(std::get<FileOpen>(files.records.records[0]->body).process->local_pid, 100U);
}

TEST(Facets, CountersMakeOneConnectionOfBothEndsAndAssertNoProtocol) {
  World world(counting());
  for (const FlowId flow : {client_flow, server_flow}) {
    const bool first = flow == client_flow;
    FlowOpened open = opened(flow, first ? Role::client : Role::server);
    open.local = first ? lan(1, 40'000) : lan(1, 80);
    open.remote = first ? lan(1, 80) : lan(1, 40'000);
    world.send(1 * ms, first ? client : server, open);
  }
  world.send(100 * ms, 0, counted(client_flow, Direction::tx, 0, 50));
  world.send(100 * ms, 0, counted(server_flow, Direction::tx, 0, 700));
  world.send(100 * ms, 0, FlowMeasured{client_flow, 1, 57, 2});
  world.send(100 * ms, 0, FlowMeasured{server_flow, 8, 99, {}});
  world.send(100 * ms, 0, counted(server_flow, Direction::rx, 0, 50));
  world.send(200 * ms, 0, counted(client_flow, Direction::rx, 0, 800));
  world.send(200 * ms, 0, counted(server_flow, Direction::tx, 700, 100));
  for (const FlowId flow : {client_flow, server_flow}) {
    FlowClosed end = closed(flow);
    end.kernel_tx_bytes = flow == client_flow ? 50 : 800;
    end.kernel_rx_bytes = flow == client_flow ? 800 : 50;
    world.send(300 * ms, 0, end);
  }
  world.pipeline.finish();
  ASSERT_EQ(world.records.size(), 1U);
  const auto& it = std::get<ConnectionSummary>(world.records[0]->body);
  EXPECT_EQ(it.protocol, std::nullopt);
  EXPECT_EQ(it.transactions, std::nullopt);
  EXPECT_EQ(it.client_to_server->moved, 50U);
  EXPECT_EQ(it.server_to_client->moved, 800U);
  EXPECT_EQ(it.server_to_client->gaps[static_cast<std::size_t>(GapCause::no_payload)], 800U);
  EXPECT_EQ(it.server_to_client->witnessed, 800U);
  EXPECT_EQ(it.flow.client.process->comm, "client");
  EXPECT_EQ(it.flow.server.process->comm, "server");
  EXPECT_EQ(it.rtt_ms, 0.057);
  EXPECT_EQ(it.tcp_state, "ESTABLISHED");
  EXPECT_EQ(it.retransmits, 2U);
  TraceEnd end;
  world.pipeline.fill(end);
  EXPECT_TRUE(end.blind.empty());
  EXPECT_TRUE(end.lost.empty());
  EXPECT_EQ(end.ledger_mismatch, 0U);
  EXPECT_EQ(end.unwitnessed, 0U);
  EXPECT_EQ(end.coverage.bytes_flowed, 850U);
  EXPECT_EQ(end.coverage.bytes_without_payload, 850U);
}

// Polling meets a connection some time after it was opened, or only when it is over.
TEST(Facets, AnOpeningThatWasNotWatchedIsDeducedOrUnknown) {
  for (const OpeningTime opening : {OpeningTime::exact, OpeningTime::by_then, OpeningTime::unknown}) {
    World world(counting());
    FlowOpened open = opened(client_flow, Role::client);
    open.opening = opening;
    world.send(1 * ms, client, open);
    world.send(100 * ms, 0, counted(client_flow, Direction::tx, 0, 50));
    world.send(301 * ms, 0, closed(client_flow));
    world.pipeline.finish();
    ASSERT_EQ(world.records.size(), 1U);
    const auto& it = std::get<ConnectionSummary>(world.records[0]->body);
    const auto& inferred = world.records[0]->inferred;
    const bool deduced = std::ranges::find(inferred, "duration_ms") != inferred.end();
    EXPECT_EQ(it.opened_at.has_value(), opening != OpeningTime::unknown);
    EXPECT_EQ(it.duration_ms.has_value(), opening != OpeningTime::unknown);
    EXPECT_EQ(deduced, opening == OpeningTime::by_then);
  }
}

TEST(Facets, WithoutTransactionsNothingIsParsedAndTheKernelGoesOnCounting) {
  World world(counting());
  world.send(1 * ms, client, opened_by_sequence(client_flow, Role::client));
  EXPECT_EQ(world.verdict(client_flow, Direction::tx).mode, StreamVerdict::Mode::quiet);
  world.send(2 * ms, client, data(client_flow, Direction::tx, first_sequence, "REQ 1 0\n"));
  FlowClosed end = closed(client_flow);
  end.tx_end = first_sequence + 100;
  end.rx_end = first_sequence + 30;
  world.send(3 * ms, client, end);
  world.pipeline.finish();
  ASSERT_EQ(world.records.size(), 1U);
  const auto& it = std::get<ConnectionSummary>(world.records[0]->body);
  EXPECT_EQ(it.protocol, std::nullopt);
  EXPECT_EQ(it.client_to_server->moved, 100U);
  EXPECT_EQ(it.server_to_client->moved, 30U);
  TraceEnd last;
  world.pipeline.fill(last);
  EXPECT_EQ(last.coverage.bytes_flowed, 130U);
  EXPECT_EQ(last.coverage.bytes_lost, 0U);
  World counter(counting());
  counter.send(1 * ms, client, opened(client_flow, Role::client));
  EXPECT_EQ(counter.verdict(client_flow, Direction::tx).mode, StreamVerdict::Mode::sizes);
}

TEST(Facets, WhereNothingTellsOfBytesTheLedgersAreAbsent) {
  PipelineOptions options = counting();
  options.missing = {"client_to_server", "server_to_client", "exit_code"};
  World world(options);
  world.send(1 * ms, client, opened(client_flow, Role::client));
  world.send(3 * ms, client, closed(client_flow));
  world.pipeline.finish();
  ASSERT_EQ(world.records.size(), 1U);
  EXPECT_EQ(std::get<ConnectionSummary>(world.records[0]->body).client_to_server, std::nullopt);
  EXPECT_EQ(world.records[0]->missing, (std::vector<std::string_view>{"client_to_server", "server_to_client"}));
}

TEST(Facets, WhatIsOlderThanTheTracerIsABlindSpot) {
  World world;
  FlowOpened old = opened(client_flow, Role::client);
  old.preexisting = true;
  world.send(1 * ms, client, old);
  FlowData file = data(client_flow, Direction::tx, 0, "");
  file.moved = 4000;
  file.rest = GapCause::zero_copy;
  world.send(2 * ms, client, file);
  world.pipeline.finish();
  TraceEnd end;
  world.pipeline.fill(end);
  EXPECT_EQ(end.blind_row("preexisting").flows, 1U);
  EXPECT_EQ(end.blind_row("zero_copy").flows, 1U);
  EXPECT_EQ(end.blind_row("zero_copy").bytes, 4000U);
}

}  // namespace
}  // namespace tracer::test
