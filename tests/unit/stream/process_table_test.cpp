#include "core/process_table.h"

#include <gtest/gtest.h>

#include <map>

namespace tracer {
namespace {

struct FakeOwnership final : Ownership {
  std::map<std::uint32_t, ProcessFacts> alive;
  int asked = 0;
  std::optional<ProcessFacts> process(std::uint32_t tgid) override {
    ++asked;
    const auto found = alive.find(tgid);
    return found == alive.end() ? std::nullopt : std::optional(found->second);
  }
  std::vector<ProcessFacts> all_processes() override { return {}; }
  FdAnswer descriptor(std::uint32_t, int) override { return {}; }
  std::uint64_t network_namespace(std::uint32_t) override { return 0; }
  std::vector<OwnedSocket> all_tcp_descriptors() override { return {}; }

  void run(std::uint32_t tgid, std::string comm) {
    alive[tgid].tgid = tgid;
    alive[tgid].comm = std::move(comm);
  }
};

constexpr std::uint64_t second = 1'000'000'000;

TEST(ProcessTable, AsksOncePerImage) {
  FakeOwnership system;
  system.run(7, "nginx");
  ProcessTable table(system, {});
  EXPECT_EQ(table.find(7, EventTime{1})->comm, "nginx");
  EXPECT_EQ(table.find(7, EventTime{2})->comm, "nginx");
  EXPECT_EQ(system.asked, 1);
}

TEST(ProcessTable, ExecBeginsANewImageAndOlderEventsSeeTheOldOne) {
  FakeOwnership system;
  system.run(7, "sh");
  ProcessTable table(system, {});
  table.touch(7, EventTime{1});
  system.run(7, "curl");
  table.started({7, 7}, {"/usr/bin/curl", "curl"}, EventTime{10});
  EXPECT_EQ(table.find(7, EventTime{11})->comm, "curl");
  EXPECT_EQ(table.find(7, EventTime{5})->comm, "sh");
  EXPECT_EQ(system.asked, 2);
}

TEST(ProcessTable, AProcessThatIsGoneIsKnownByItsEvents) {
  FakeOwnership system;
  ProcessTable table(system, {});
  table.started({9, 9}, {"/bin/true", "true"}, EventTime{1});
  EXPECT_EQ(table.find(9, EventTime{2})->comm, "true");
  EXPECT_EQ(table.find(10, EventTime{2}), nullptr);
  table.hint(10, "curl", 1000, EventTime{3});
  ASSERT_NE(table.find(10, EventTime{3}), nullptr);
  EXPECT_EQ(table.find(10, EventTime{3})->comm, "curl");
  EXPECT_EQ(table.find(10, EventTime{3})->uid, 1000U);
}

TEST(ProcessTable, AForkedChildIsItsParentUntilItIsRead) {
  FakeOwnership system;
  system.run(1, "server");
  ProcessTable table(system, {});
  table.touch(1, EventTime{1});
  table.forked({1, 1}, 2, EventTime{2});
  EXPECT_EQ(table.find(2, EventTime{3})->comm, "server");
  EXPECT_EQ(table.find(2, EventTime{3})->tgid, 2U);
}

TEST(ProcessTable, KeepsTheDeadForTheGraceTime) {
  FakeOwnership system;
  system.run(7, "curl");
  ProcessTable table(system, {.keep_dead_ns = 5 * second});
  table.touch(7, EventTime{1});
  table.exited({7, 8}, EventTime{second});  // a thread
  table.exited({7, 7}, EventTime{second});
  system.alive.clear();
  table.advance(EventTime{5 * second});
  EXPECT_EQ(table.find(7, EventTime{5 * second})->comm, "curl");
  table.advance(EventTime{8 * second});
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.find(7, EventTime{8 * second}), nullptr);
}

TEST(ProcessTable, AReusedNumberIsAnotherProcess) {
  FakeOwnership system;
  system.run(7, "first");
  ProcessTable table(system, {});
  table.touch(7, EventTime{1});
  table.exited({7, 7}, EventTime{2});
  system.run(7, "second");
  table.forked({1, 1}, 7, EventTime{3});
  EXPECT_EQ(table.find(7, EventTime{4})->comm, "second");
  EXPECT_EQ(table.find(7, EventTime{2})->comm, "first");
  table.advance(EventTime{100 * second});
  EXPECT_EQ(table.find(7, EventTime{100 * second})->comm, "second");
}

TEST(ProcessTable, IsBoundedAndCountsEvictions) {
  FakeOwnership system;
  ProcessTable table(system, {.processes_max = 4});
  for (std::uint32_t tgid = 1; tgid <= 10; ++tgid) table.touch(tgid, EventTime{1});
  EXPECT_EQ(table.size(), 4U);
  EXPECT_EQ(table.evicted(), 6U);
}

}  // namespace
}  // namespace tracer
