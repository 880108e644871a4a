// The faults that builds for tests can be told to have.
#include "cli/faults.h"

#include <gtest/gtest.h>

namespace tracer::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Inner final : Backend {
  [[nodiscard]] int fd() const override { return -1; }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t) override {
    for (int i = 0; i < 10; ++i) {
      FlowData data;
      data.moved = 100;
      handler.on_event(Event{{1}, {}, data});
    }
    counted.produced += 10;
    counted.delivered += 10;
    beat.seen = beat.sent;
    return Drained::idle;
  }
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  [[nodiscard]] BackendCounters counters() const override { return counted; }
  [[nodiscard]] Result<void> send_beat() override {
    ++beat.sent;
    return {};
  }
  [[nodiscard]] Beats beats() const override { return beat; }
  BackendCounters counted;
  Beats beat;
};

struct Counter final : EventHandler {
  void on_event(const Event& event) override {
    if (std::holds_alternative<Lost>(event.body)) ++lost;
    if (std::holds_alternative<FlowData>(event.body)) ++data;
  }
  int lost = 0, data = 0;
};

TEST(Faults, AreTakenOutOfTheCommandLine) {
  std::vector<std::string> args{"-d", "5", "--fault", "tracepoint:stall@2.5", "--fault=pcap:detach@1"};
  args.insert(args.end(), {"--fault-retry", "1.5", "-q"});
  const auto faults = take_faults(args);
  ASSERT_TRUE(faults);
  EXPECT_EQ(args, (std::vector<std::string>{"-d", "5", "-q"}));
  ASSERT_EQ(faults->faults.size(), 2u);
  EXPECT_EQ(faults->faults[0].backend, BackendKind::tracepoint);
  EXPECT_EQ(faults->faults[0].kind, FaultKind::stall);
  EXPECT_EQ(faults->faults[0].after, milliseconds(2500));
  EXPECT_EQ(faults->faults[1].kind, FaultKind::detach);
  EXPECT_EQ(faults->retry, milliseconds(1500));
  for (const char* wrong : {"pcap", "pcap:detach", "pcap@1:detach", "magic:detach@1", "pcap:sulk@1", "pcap:loss@soon"})
    EXPECT_FALSE(parse_fault(wrong)) << wrong;
  for (const char* wrong : {"--fault", "--fault-retry", "--fault-retry=soon"}) {
    std::vector<std::string> alone{wrong};
    EXPECT_FALSE(take_faults(alone)) << wrong;
  }
}

TEST(Faults, DetachIsAnErrorAndStallIsSilence) {
  Counter seen;
  for (const FaultKind kind : {FaultKind::detach, FaultKind::stall}) {
    FaultyBackend healthy(std::make_unique<Inner>(), kind, steady_clock::now() + std::chrono::hours(1));
    EXPECT_TRUE(healthy.drain(seen, 100));
  }
  EXPECT_EQ(seen.data, 20);
  FaultyBackend detached(std::make_unique<Inner>(), FaultKind::detach, steady_clock::now());
  EXPECT_FALSE(detached.drain(seen, 100));
  FaultyBackend stalled(std::make_unique<Inner>(), FaultKind::stall, steady_clock::now());
  EXPECT_TRUE(stalled.drain(seen, 100));
  EXPECT_TRUE(stalled.send_beat());
  EXPECT_TRUE(stalled.drain(seen, 100));
  EXPECT_EQ(stalled.beats().sent, 1u);
  EXPECT_EQ(stalled.beats().seen, 0u);
  EXPECT_EQ(seen.data, 20) << "nothing came of the dead";
  EXPECT_EQ(stalled.counters().delivered, 0u);
}

TEST(Faults, LossIsCountedTwice) {
  Counter seen;
  FaultyBackend lossy(std::make_unique<Inner>(), FaultKind::loss, steady_clock::now());
  EXPECT_TRUE(lossy.drain(seen, 100));
  EXPECT_EQ(seen.data, 5);
  EXPECT_EQ(seen.lost, 5);
  EXPECT_EQ(lossy.counters().produced, 10u);
  EXPECT_EQ(lossy.counters().delivered, 5u);
  EXPECT_EQ(lossy.counters().lost_ring_full, 5u);
  EXPECT_EQ(lossy.counters().lost_bytes, 500u);
}

TEST(Faults, SpareABackendThatOpensLater) {
  const auto now = steady_clock::now();
  const std::vector<Fault> faults{{BackendKind::pcap, FaultKind::detach, milliseconds(1000)}};
  OpenedBackend opened;
  opened.kind = BackendKind::pcap;
  opened.backend = std::make_unique<Inner>();
  const Backend* inner = opened.backend.get();
  make_faulty(opened, faults, now - milliseconds(2000));
  EXPECT_EQ(opened.backend.get(), inner);
  make_faulty(opened, faults, now);
  EXPECT_NE(opened.backend.get(), inner);
}

}  // namespace
}  // namespace tracer::cli
