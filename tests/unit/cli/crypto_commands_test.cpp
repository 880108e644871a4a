// The commands of the crypto side as whole runs, over backends that say what the test tells them to.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "cli/snapshot.h"
#include "cli/trace.h"

namespace tracer::cli {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

EventTime event_now() {
  return {static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now().time_since_epoch()).count())};
}

using Drain = std::function<Result<Drained>(EventHandler&, int round)>;
Result<Drained> nothing(EventHandler&, int) { return Drained::idle; }

struct Opened {
  std::vector<Facet> facets;
  std::optional<FileFilter> files;
  bool everybody = true;
  std::uint32_t newcomer = 0;
};
struct Script {
  Drain on_drain = nothing, on_scan = nothing;
  std::vector<Opened> opened;      // of the plan
  std::vector<Facet> scanned;      // what the scan was asked for
  std::vector<std::string> order;  // of openings
  std::vector<BlindSpot> scan_blind;
};
Script script;

class FakeBackend final : public Backend {
 public:
  FakeBackend(Drain drain, std::vector<BlindSpot> blind) : drain_(std::move(drain)), blind_(std::move(blind)) {}
  [[nodiscard]] int fd() const override { return event_.get(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t) override { return drain_(handler, round_++); }
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  [[nodiscard]] BackendCounters counters() const override { return {}; }
  [[nodiscard]] std::vector<BlindSpot> blind() const override { return blind_; }

 private:
  UniqueFd event_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  Drain drain_;
  std::vector<BlindSpot> blind_;
  int round_ = 0;
};

Result<OpenedBackend> open_fake(const OpenRequest& request) {
  Opened& opened = script.opened.emplace_back();
  opened.facets.assign(request.facets.begin(), request.facets.end());
  if (request.files != nullptr) opened.files = *request.files;
  opened.everybody = request.processes == nullptr;
  if (request.processes != nullptr) opened.newcomer = request.processes->newcomer();
  script.order.emplace_back(to_string(request.mechanism));
  OpenedBackend backend;
  // The calls come by a backend of their own; the script is the other one's.
  const bool main = request.mechanism != Mechanism::uprobe;
  backend.backend = std::make_unique<FakeBackend>(main ? script.on_drain : nothing, std::vector<BlindSpot>{});
  backend.self_test_seen = true;
  return backend;
}

Result<OpenedBackend> scan_fake(std::span<const Facet> facets, const ProcessSelection*) {
  script.scanned.assign(facets.begin(), facets.end());
  script.order.emplace_back("scan");
  OpenedBackend backend;
  backend.backend = std::make_unique<FakeBackend>(script.on_scan, script.scan_blind);
  return backend;
}

constexpr BackendRow rows[] = {{BackendKind::ebpf, Mechanism::fentry, open_fake},
                               {BackendKind::ebpf, Mechanism::uprobe, open_fake}};

constexpr std::uint32_t nginx = 500, child = 501, stranger = 600;

class FakeOwnership final : public Ownership {
 public:
  std::optional<ProcessFacts> process(std::uint32_t tgid) override {
    for (const ProcessFacts& facts : all_processes())
      if (facts.tgid == tgid) return facts;
    return std::nullopt;
  }
  std::optional<std::uint32_t> local_pid(std::uint32_t tgid) override { return tgid; }
  std::vector<ProcessFacts> all_processes() override {
    std::vector<ProcessFacts> all{facts(nginx, "nginx"), facts(child, "worker"), facts(stranger, "sshd")};
    std::erase_if(all, [&](const ProcessFacts& each) { return each.tgid == gone; });
    return all;
  }
  FdAnswer descriptor(std::uint32_t, int) override { return {FdKind::unreadable, {}}; }
  std::uint64_t network_namespace(std::uint32_t) override { return 0; }
  std::vector<OwnedSocket> all_tcp_descriptors() override { return {}; }
  std::uint32_t gone = 0;

 private:
  static ProcessFacts facts(std::uint32_t pid, std::string comm) {
    ProcessFacts process;
    process.tgid = pid;
    process.local_pid = pid;
    process.uid = 0;
    process.executable = "/usr/sbin/" + comm;
    process.comm = std::move(comm);
    process.start_ticks = pid;
    return process;
  }
};

// A .pem is a certificate, and libssl is OpenSSL.
class FakeLookup final : public CryptoLookup {
 public:
  [[nodiscard]] bool is_candidate(std::string_view path) const override { return path.ends_with(".pem"); }
  [[nodiscard]] FileFinding look_into(const FileQuestion& question, bool opened) override {
    FileFinding finding;
    finding.path = question.path;
    if (!opened) return finding;
    finding.file_type = "certificate";
    finding.contents_seen = true;
    FileAsset asset;
    asset.type = "certificate";
    asset.evidence = {EvidenceKind::bytes, "PEM label CERTIFICATE", "pem.certificate"};
    finding.assets.push_back(std::move(asset));
    return finding;
  }
  [[nodiscard]] std::optional<LibraryFinding> library(const FileQuestion& question) override {
    if (!question.path.contains("libssl")) return std::nullopt;
    return LibraryFinding{"OpenSSL", "3.0.17", {}, {}, {{EvidenceKind::path_rule, "libssl.so.3", "openssl"}}};
  }
};

template <typename Body>
void say(EventHandler& handler, std::uint32_t pid, Body body) {
  handler.on_event(Event{event_now(), {pid, pid}, std::move(body)});
}
void open_file(EventHandler& handler, std::uint32_t pid, std::string_view path, std::int32_t error = 0,
               bool preexisting = false) {
  FileOpened opened;
  opened.path = path;
  opened.flags = 0;
  opened.error = error;
  opened.preexisting = preexisting;
  say(handler, pid, opened);
}
void map_library(EventHandler& handler, std::uint32_t pid, std::string_view path, bool preexisting = false) {
  LibraryMapped mapped;
  mapped.path = path;
  mapped.preexisting = preexisting;
  say(handler, pid, mapped);
}
void found_running(EventHandler& handler, std::uint32_t pid, std::string_view comm) {
  ProcessStarted started;
  started.executable = comm;
  started.comm = comm;
  started.parent_tgid = 1;
  started.preexisting = true;
  say(handler, pid, started);
}
Drain once(std::function<void(EventHandler&)> what) {
  return [what = std::move(what)](EventHandler& handler, int round) -> Result<Drained> {
    if (round == 0) what(handler);
    return Drained::idle;
  };
}

struct Outcome {
  int code = -1;
  std::string out, talk;
  [[nodiscard]] json document() const {
    EXPECT_TRUE(json::accept(out)) << out << talk;
    return json::parse(out, nullptr, false);
  }
  [[nodiscard]] std::vector<json> records(std::string_view type) const {
    std::vector<json> found;
    std::istringstream lines(out);
    for (std::string line; std::getline(lines, line);)
      if (json record = json::parse(line); record.at("event_type") == type) found.push_back(std::move(record));
    return found;
  }
};

class CryptoCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    script = {};
    for (std::size_t i = 0; i <= static_cast<std::size_t>(Capability::uprobe); ++i)
      report.answers.push_back({static_cast<Capability>(i), Verdict::supported, {}, {}});
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
  Outcome run(const std::vector<std::string>& args, int output_fd = -1) {
    const auto options = parse_options(args);
    EXPECT_TRUE(options) << options.error().context;
    const Talk talk(Talkative::normal, talk_ends[1]);
    const int fd = output_fd >= 0 ? output_fd : out_ends[1];
    const auto parent_of = [this](std::uint32_t pid) -> std::optional<std::uint32_t> {
      const auto facts = ownership.process(pid);
      if (!facts) return std::nullopt;
      return pid == child ? nginx : 1;
    };
    FileFilter filter;
    filter.all = false;
    filter.suffixes = {".pem"};
    Outcome outcome;
    if (options->command == Command::snapshot) {
      outcome.code = run_snapshot({*options, scan_fake, ownership, &lookup, fd, talk, steady_clock::now(), times});
    } else {
      outcome.code = run_trace({*options,
                                report,
                                rows,
                                ownership,
                                nullptr,
                                fd,
                                talk,
                                steady_clock::now(),
                                times,
                                {},
                                &lookup,
                                &filter,
                                scan_fake,
                                parent_of,
                                {}});
    }
    outcome.out = read_all(out_ends[0]);
    outcome.talk = read_all(talk_ends[0]);
    return outcome;
  }

  CapabilityReport report;
  SessionTimes times;
  FakeOwnership ownership;
  FakeLookup lookup;
  int out_ends[2] = {-1, -1};
  int talk_ends[2] = {-1, -1};
};

TEST_F(CryptoCommands, AProfileIsOneDocumentOfWhatWasThereAndWhatCame) {
  script.on_scan = once([](EventHandler& handler) {
    found_running(handler, nginx, "nginx");
    map_library(handler, nginx, "/lib/libssl.so.3", true);
    map_library(handler, stranger, "/lib/libssl.so.3", true);
  });
  script.on_drain = once([](EventHandler& handler) {
    open_file(handler, nginx, "/etc/a.pem");
    open_file(handler, nginx, "/etc/a.pem");
    open_file(handler, stranger, "/etc/b.pem");
    open_file(handler, nginx, "/etc/passwd");
  });
  const Outcome outcome = run({"profile", "--name", "NGINX", "-d", "0.3"});
  EXPECT_EQ(outcome.code, exit_ok) << outcome.talk;
  const json document = outcome.document();
  EXPECT_EQ(document["profile_version"], "1.0");
  EXPECT_EQ(document["process"]["pid"], nginx);
  ASSERT_EQ(document["libraries"].size(), 1u) << document;
  ASSERT_EQ(document["files_accessed"].size(), 1u) << document;
  EXPECT_EQ(document["files_accessed"][0]["path"], "/etc/a.pem");
  EXPECT_EQ(document["files_accessed"][0]["access_count"], 2);
  EXPECT_EQ(outcome.out.back(), '\n');
}

TEST_F(CryptoCommands, TheScanIsOpenedLastAndNeverEndsTheRun) {
  const auto began = steady_clock::now();
  const Outcome outcome = run({"monitor", "-d", "0.3", "-f", "json-stream"});
  EXPECT_GE(steady_clock::now() - began, milliseconds(300));
  EXPECT_EQ(outcome.code, exit_ok);
  EXPECT_EQ(script.order.back(), "scan");
  EXPECT_THAT(script.scanned, ElementsAre(Facet::file, Facet::library));
  EXPECT_EQ(outcome.records("trace_end").at(0)["reason"], "duration");
  EXPECT_EQ(outcome.records("trace_start").at(0)["self_test_seen"], true) << "the scan has no self-test to see";
  run({"files", "-d", "0.05", "-f", "json-stream"});
  EXPECT_NE(script.order.back(), "scan") << "what is open already was not opened now";
}

TEST_F(CryptoCommands, WhatTheScanCouldNotSeeIsToldAtTheEnd) {
  script.scan_blind = {{"unreadable_processes", 7}};
  const Outcome outcome = run({"libs", "-d", "0.2", "-f", "json-stream"});
  EXPECT_THAT(outcome.records("trace_end").at(0)["blind"].dump(), HasSubstr("\"unreadable_processes\":{\"count\":7}"));
}

TEST_F(CryptoCommands, AScanThatFailsCostsOnlyWhatItWouldTell) {
  script.on_scan = [](EventHandler&, int) -> Result<Drained> { return fail(Errc::os, "read /proc: no"); };
  script.on_drain = [](EventHandler& handler, int round) -> Result<Drained> {
    if (round == 5) map_library(handler, nginx, "/lib/libssl.so.3");
    return Drained::idle;
  };
  const Outcome outcome = run({"libs", "-d", "0.5", "-f", "json-stream"});
  EXPECT_EQ(outcome.code, exit_ok);
  EXPECT_THAT(outcome.talk, HasSubstr("what was there before: read /proc: no"));
  EXPECT_EQ(outcome.records("lib_load").size(), 1u);
  EXPECT_THAT(outcome.records("backend_switch"), IsEmpty());
}

TEST_F(CryptoCommands, WhatIsSeenToBeLoadedIsNotFoundLoaded) {
  script.on_drain = once([](EventHandler& handler) { map_library(handler, nginx, "/lib/libssl.so.3"); });
  script.on_scan = once([](EventHandler& handler) {
    map_library(handler, nginx, "/lib/libssl.so.3", true);
    map_library(handler, stranger, "/lib/libssl.so.3", true);
  });
  const auto loads = run({"libs", "-d", "0.2", "-f", "json-stream"}).records("lib_load");
  ASSERT_EQ(loads.size(), 2u);
  EXPECT_FALSE(loads[0].contains("already_loaded"));
  EXPECT_EQ(loads[1]["pid"], stranger);
  EXPECT_EQ(loads[1]["already_loaded"], true);
}

TEST_F(CryptoCommands, BackendsAreToldWhomAndWhichFilesTheRunIsAbout) {
  run({"monitor", "-d", "0.05", "-f", "json-stream"});
  ASSERT_EQ(script.opened.size(), 2u) << "one for the calls, one for all else";
  EXPECT_TRUE(script.opened[0].everybody);
  ASSERT_TRUE(script.opened[0].files);
  EXPECT_THAT(script.opened[0].files->suffixes, ElementsAre(".pem"));
  script.opened.clear();
  run({"monitor", "--pid", std::to_string(nginx), "--follow-children", "-d", "0.05", "-f", "json-stream"});
  EXPECT_FALSE(script.opened[0].everybody);
  EXPECT_THAT(script.opened[0].facets, ::testing::Contains(Facet::process)) << "forks must be seen";
}

TEST_F(CryptoCommands, ProcessesThatAreOnlyFollowedAreNotTold) {
  script.on_drain = once([](EventHandler& handler) {
    say(handler, nginx, ProcessForked{child});
    say(handler, child, ProcessExited{0, {}});
    open_file(handler, child, "/etc/a.pem");
    open_file(handler, stranger, "/etc/b.pem");
  });
  const std::vector<std::string> words{"files", "--pid", std::to_string(nginx), "--follow-children", "-d",
                                       "0.2",   "-f",    "json-stream"};
  const Outcome outcome = run(words);
  EXPECT_THAT(outcome.records("process_exit"), IsEmpty());
  const auto opens = outcome.records("file_open");
  ASSERT_EQ(opens.size(), 1u) << outcome.out;
  EXPECT_EQ(opens[0]["pid"], child);
}

TEST_F(CryptoCommands, AProfileOfNobodySaysSo) {
  const Outcome by_name = run({"profile", "--name", "apache", "-d", "0.2"});
  EXPECT_EQ(by_name.code, exit_error);
  EXPECT_EQ(by_name.out, "");
  EXPECT_THAT(by_name.talk, HasSubstr("no process was seen that fits --name apache"));
  const auto began = steady_clock::now();
  const Outcome by_pid = run({"profile", "--pid", "4000000"});
  EXPECT_EQ(by_pid.code, exit_error);
  EXPECT_THAT(by_pid.talk, HasSubstr("there is no process 4000000"));
  EXPECT_LT(steady_clock::now() - began, milliseconds(5'000)) << "at once";
}

TEST_F(CryptoCommands, AProfileEndsWithItsProcess) {
  script.on_scan = once([](EventHandler& handler) { found_running(handler, nginx, "nginx"); });
  script.on_drain = [](EventHandler& handler, int round) -> Result<Drained> {
    if (round == 3) open_file(handler, nginx, "/etc/a.pem");
    if (round == 4) say(handler, nginx, ProcessExited{0, {}});
    return Drained::idle;
  };
  const auto began = steady_clock::now();
  const Outcome outcome = run({"profile", "--pid", std::to_string(nginx), "-d", "30"});
  EXPECT_LT(steady_clock::now() - began, milliseconds(10'000));
  EXPECT_EQ(outcome.code, exit_ok) << outcome.talk;
  EXPECT_EQ(outcome.document()["files_accessed"].size(), 1u);
}

TEST_F(CryptoCommands, SignalsEndAProfileWithItsDocument) {
  script.on_scan = once([](EventHandler& handler) { found_running(handler, nginx, "nginx"); });
  script.on_drain = [](EventHandler&, int round) -> Result<Drained> {
    if (round == 3) kill(getpid(), SIGINT);
    return Drained::idle;
  };
  const Outcome outcome = run({"profile", "--name", "nginx"});
  EXPECT_EQ(outcome.code, 130);
  EXPECT_EQ(outcome.document()["process"]["pid"], nginx);
}

TEST_F(CryptoCommands, ASnapshotIsOverWhenTheScanIs) {
  script.scan_blind = {{"unreadable_processes", 3}};
  script.on_scan = [](EventHandler& handler, int round) -> Result<Drained> {
    if (round == 0) found_running(handler, nginx, "nginx");
    if (round == 1) map_library(handler, nginx, "/lib/libssl.so.3", true);
    return round < 2 ? Drained::more : Drained::idle;
  };
  const Outcome outcome = run({"snapshot", "--pid", "1"});
  EXPECT_EQ(outcome.code, exit_ok) << outcome.talk;
  EXPECT_THAT(outcome.talk, HasSubstr("ignored: --pid"));
  const json document = outcome.document();
  EXPECT_EQ(document["snapshot_version"], "1.0");
  ASSERT_EQ(document["processes"].size(), 1u) << document;
  EXPECT_THAT(document.dump(), HasSubstr("unreadable_processes"));
  EXPECT_THAT(script.scanned, ElementsAre(Facet::process, Facet::file, Facet::library));
}

TEST_F(CryptoCommands, ADocumentWaitsForASlowReader) {
  script.on_scan = once([](EventHandler& handler) {
    for (std::uint32_t i = 0; i < 3'000; ++i)
      open_file(handler, nginx, "/etc/" + std::string(80, 'x') + std::to_string(i) + ".pem", 0, true);
    found_running(handler, nginx, "nginx");
  });
  times.patience = milliseconds(1);
  int ends[2] = {-1, -1};
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  std::string read_slowly;
  std::thread reader([&] {
    std::this_thread::sleep_for(milliseconds(400));
    char buffer[4096];
    for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
      read_slowly.append(buffer, static_cast<std::size_t>(n));
  });
  const Outcome outcome = run({"snapshot"}, ends[1]);
  close(ends[1]);
  reader.join();
  close(ends[0]);
  EXPECT_EQ(outcome.code, exit_ok) << outcome.talk;
  EXPECT_TRUE(json::accept(read_slowly));
  EXPECT_GT(read_slowly.size(), 65'536u) << "more than a pipe holds";
}

TEST_F(CryptoCommands, ADocumentThatCannotBeWrittenIsAnError) {
  script.on_scan = once([](EventHandler& handler) { found_running(handler, nginx, "nginx"); });
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  const Outcome outcome = run({"snapshot"}, full.get());
  EXPECT_EQ(outcome.code, exit_error);
  EXPECT_THAT(outcome.talk, HasSubstr("No space left"));
}

TEST_F(CryptoCommands, FormatsOfTheOneDocument) {
  script.on_scan = once([](EventHandler& handler) {
    found_running(handler, nginx, "nginx");
    map_library(handler, nginx, "/lib/libssl.so.3", true);
  });
  const std::string line = run({"snapshot", "-f", "json-stream", "--no-meta"}).out;
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
  EXPECT_EQ(json::parse(line)["snapshot_version"], "1.0");
  EXPECT_EQ(run({"snapshot", "-f", "cyclonedx"}).document()["bomFormat"], "CycloneDX");
  EXPECT_THAT(run({"snapshot", "-f", "summary"}).out, HasSubstr("nginx"));
  EXPECT_THAT(run({"snapshot", "-f", "text"}).out, HasSubstr("libssl.so.3 OpenSSL 3.0.17"));
  const json array = run({"libs", "-d", "0.1", "-f", "json-array"}).document();
  ASSERT_TRUE(array.is_array());
  EXPECT_EQ(array.back()["event_type"], "trace_end");
  EXPECT_TRUE(run({"libs", "-d", "0.1", "-f", "json-pretty", "--no-meta"}).document().is_array());
}

TEST_F(CryptoCommands, SilenceNamesTheFilterOfFiles) {
  script.on_drain = once([](EventHandler& handler) { open_file(handler, nginx, "/etc/a.pem"); });
  times.silence_first = milliseconds(100);
  const Outcome outcome = run({"files", "-d", "0.4", "--name", "apache", "-f", "json-stream"});
  EXPECT_THAT(outcome.talk, HasSubstr("--name let none of them pass"));
}

}  // namespace
}  // namespace tracer::cli
