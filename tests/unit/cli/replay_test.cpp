// Whole runs of `replay`, over an input that the test makes up.
#include "cli/replay.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "cli/exit_code.h"
#include "cli/values.h"
#include "core/base/unique_fd.h"

namespace tracer::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

// `transactions` on connections of their own, then the end, or damage.
class FakeFile final : public Backend {
 public:
  FakeFile(int transactions, bool damaged) : transactions_(transactions), damaged_(damaged) {}
  [[nodiscard]] int fd() const override { return -1; }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override {
    for (std::size_t events = 0; next_ < transactions_; events += 4) {
      if (events >= budget) return Drained::more;
      transaction(handler, static_cast<std::uint64_t>(next_++));
    }
    if (damaged_) return fail(Errc::malformed, "the file is cut off");
    return Drained::ended;
  }
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  [[nodiscard]] BackendCounters counters() const override { return {}; }

 private:
  static void transaction(EventHandler& handler, std::uint64_t number) {
    const EventTime when{1'000'000'000 + number * 1'000'000};
    const auto endpoint = [](std::uint16_t port) { return Endpoint{parse_address_range("10.0.0.1")->address, port}; };
    const auto say = [&](auto body) { handler.on_event(Event{when, {}, std::move(body)}); };
    FlowOpened opened;
    opened.flow = {number + 1};
    opened.local = endpoint(80);
    opened.remote = endpoint(static_cast<std::uint16_t>(10'000 + number % 50'000));
    opened.role = Role::server;
    opened.tx_offset = opened.rx_offset = 0;
    say(opened);
    const auto data = [&](Direction direction, std::string_view text) {
      FlowData moved;
      moved.flow = opened.flow;
      moved.direction = direction;
      moved.moved = text.size();
      moved.bytes = as_bytes(text);
      say(moved);
    };
    data(Direction::rx, "GET /" + std::to_string(number) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    data(Direction::tx, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    FlowClosed closed;
    closed.flow = opened.flow;
    say(closed);
  }
  int transactions_, next_ = 0;
  bool damaged_;
};

struct Outcome {
  int code = -1;
  std::vector<nlohmann::json> lines;
  std::string talk;
};

std::string read_all(int fd, milliseconds pause = {}) {
  std::string all;
  char buffer[65536];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) {
    all.append(buffer, static_cast<std::size_t>(n));
    if (pause.count() != 0) std::this_thread::sleep_for(pause);
  }
  return all;
}

// The reader waits before it begins, and takes a little at a time.
Outcome run(int transactions, bool damaged, std::vector<std::string> more = {}, milliseconds reader_waits = {}) {
  int out_ends[2], talk_ends[2];
  EXPECT_EQ(pipe2(out_ends, O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(talk_ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd out_reader(out_ends[0]), talk_reader(talk_ends[0]), talk_writer(talk_ends[1]);
  UniqueFd out_writer(out_ends[1]);
  std::vector<std::string> args{"replay", "x.pcap", "-f", "json-stream"};
  args.insert(args.end(), more.begin(), more.end());
  const auto options = parse_options(args);
  EXPECT_TRUE(options) << options.error().context;
  const Talk talk(Talkative::normal, talk_writer.get());
  Outcome outcome;
  std::string out;
  std::thread reader([&] {
    std::this_thread::sleep_for(reader_waits);
    out = read_all(out_reader.get(), reader_waits / 1000);
  });
  outcome.code = run_replay({*options,
                             [&](const std::string& path) -> Result<OpenedBackend> {
                               EXPECT_EQ(path, "x.pcap");
                               if (transactions < 0) return fail(Errc::not_found, "x.pcap: No such file or directory");
                               OpenedBackend opened;
                               opened.backend = std::make_unique<FakeFile>(transactions, damaged);
                               opened.clock = ClockDomain::file;
                               return opened;
                             },
                             out_writer.get(), talk, steady_clock::now()});
  out_writer.reset();
  reader.join();
  outcome.talk = read_all(talk_reader.get());
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) outcome.lines.push_back(nlohmann::json::parse(line));
  return outcome;
}

TEST(Replay, EndsWithItsInput) {
  const Outcome outcome = run(100, false);
  EXPECT_EQ(outcome.code, exit_ok) << outcome.talk;
  ASSERT_EQ(outcome.lines.size(), 102u);
  EXPECT_EQ(outcome.lines.front()["plan"]["http"]["mechanism"], "file");
  EXPECT_THAT(outcome.lines.front()["scope"].dump(), HasSubstr("x.pcap"));
  EXPECT_EQ(outcome.lines[1]["mechanism"], "file");
  EXPECT_EQ(outcome.lines[1]["timestamp"], "1970-01-01T00:00:01.000000Z");
  EXPECT_EQ(outcome.lines.back()["reason"], "end of input");
  EXPECT_EQ(outcome.lines.back()["records_written"], 100);
}

TEST(Replay, DamageComesAfterWhatWasBeforeIt) {
  const Outcome outcome = run(50, true);
  EXPECT_EQ(outcome.code, exit_error);
  EXPECT_EQ(outcome.lines.size(), 52u);
  EXPECT_EQ(outcome.lines.back()["reason"], "input failed: the file is cut off");
  EXPECT_THAT(outcome.talk, HasSubstr("tracer: the file is cut off"));
}

TEST(Replay, AFileThatDoesNotOpenIsAnError) {
  const Outcome outcome = run(-1, false);
  EXPECT_EQ(outcome.code, exit_error);
  EXPECT_TRUE(outcome.lines.empty());
  EXPECT_THAT(outcome.talk, HasSubstr("No such file"));
}

TEST(Replay, ASlowReaderLosesNothing) {
  constexpr int many = 20'000;                                        // some 20 MB of records
  const Outcome outcome = run(many, false, {}, milliseconds(1'500));  // longer than the patience of a live run
  EXPECT_EQ(outcome.code, exit_ok) << outcome.talk;
  EXPECT_EQ(outcome.lines.size(), many + 2u);
  EXPECT_EQ(outcome.lines.back()["lost"].dump(), "{}");
}

TEST(Replay, FiltersAndCountWork) {
  EXPECT_EQ(run(20, false, {"--path", "/1?"}).lines.size(), 12u);
  EXPECT_EQ(run(20, false, {"--count", "5"}).lines.size(), 7u);
  EXPECT_EQ(run(20, false, {"--show", "connection", "--no-meta"}).lines.size(), 20u);
  EXPECT_EQ(run(20, false, {"--show", "process"}).code, exit_usage);
}

}  // namespace
}  // namespace tracer::cli
