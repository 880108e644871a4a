#include "cli/selection.h"

#include <gtest/gtest.h>

#include <map>

#include "cli/no_ownership.h"

namespace tracer::cli {
namespace {

// A machine with processes that the test begins and ends. Its two numberings differ by 1000, as in a container.
class FakeMachine final : public Ownership {
 public:
  static constexpr std::uint32_t offset = 1000;  // tgid of the process that has local number 0

  void begin(std::uint32_t pid, std::uint32_t parent, std::string comm, std::uint64_t ticks, std::string exe = {}) {
    ProcessFacts facts;
    facts.tgid = pid + offset;
    facts.local_pid = pid;
    facts.comm = std::move(comm);
    facts.executable = std::move(exe);
    facts.start_ticks = ticks;
    processes_[pid] = {facts, parent};
  }
  void end(std::uint32_t pid) { processes_.erase(pid); }
  ProcessFacts facts(std::uint32_t pid) const { return processes_.at(pid).facts; }
  ParentOf parent_of() {
    return [this](std::uint32_t pid) -> std::optional<std::uint32_t> {
      ++asked_for_parents;
      const auto found = processes_.find(pid);
      return found == processes_.end() ? std::nullopt : std::optional(found->second.parent);
    };
  }

  std::optional<ProcessFacts> process(std::uint32_t tgid) override {
    const auto found = processes_.find(tgid - offset);
    return found == processes_.end() ? std::nullopt : std::optional(found->second.facts);
  }
  std::optional<std::uint32_t> local_pid(std::uint32_t tgid) override { return tgid - offset; }
  std::vector<ProcessFacts> all_processes() override {
    std::vector<ProcessFacts> all;
    for (const auto& [pid, process] : processes_) all.push_back(process.facts);
    return all;
  }
  FdAnswer descriptor(std::uint32_t, int) override { return {FdKind::unreadable, {}}; }
  std::uint64_t network_namespace(std::uint32_t) override { return 0; }
  std::vector<OwnedSocket> all_tcp_descriptors() override { return {}; }

  int asked_for_parents = 0;

 private:
  struct Process {
    ProcessFacts facts;
    std::uint32_t parent = 0;
  };
  std::map<std::uint32_t, Process> processes_;
};

constexpr std::uint32_t offset = FakeMachine::offset;

Event forked(std::uint32_t parent, std::uint32_t child) {
  return {{1}, {parent + offset, parent + offset}, ProcessForked{child + offset}};
}
Event started(std::uint32_t pid, std::string_view comm, std::string_view exe = {}, std::uint32_t parent = 0) {
  ProcessStarted body;
  body.comm = comm;
  body.executable = exe;
  body.parent_tgid = parent == 0 ? 0 : parent + offset;
  return {{1}, {pid + offset, pid + offset}, body};
}
Event exited(std::uint32_t pid, std::uint32_t thread = 0) {
  return {{1}, {pid + offset, thread == 0 ? pid + offset : thread + offset}, ProcessExited{}};
}
// What an event alone says of a process.
ProcessFacts told_of(std::uint32_t pid) {
  ProcessFacts facts;
  facts.tgid = pid + offset;
  facts.local_pid = pid;
  return facts;
}

SelectionOptions by_pid(std::uint32_t pid, bool follow = false) {
  SelectionOptions options;
  options.pids = {pid};
  options.follow_children = follow;
  return options;
}
SelectionOptions by_name(std::string name, bool follow = false) {
  SelectionOptions options;
  options.names = {std::move(name)};
  options.follow_children = follow;
  return options;
}

TEST(Selection, NobodyInParticularIsEverybody) {
  FakeMachine machine;
  machine.begin(7, 1, "sh", 70);
  Selection selection({}, machine, machine.parent_of());
  EXPECT_TRUE(selection.everybody());
  EXPECT_TRUE(selection.selects(machine.facts(7)));
  EXPECT_FALSE(selection.over());
  EXPECT_EQ(machine.asked_for_parents, 0);
}

TEST(Selection, ANumberIsThatOfTheTracersOwnNamespace) {
  FakeMachine machine;
  machine.begin(7, 1, "sh", 70);
  machine.begin(8, 7, "ls", 80);
  Selection selection(by_pid(7), machine, machine.parent_of());
  EXPECT_TRUE(selection.matched());
  EXPECT_TRUE(selection.settled());
  EXPECT_TRUE(selection.selects(machine.facts(7)));
  EXPECT_FALSE(selection.selects(machine.facts(8))) << "children are not followed unless asked for";
  ProcessFacts invisible = machine.facts(7);
  invisible.local_pid.reset();
  EXPECT_FALSE(selection.selects(invisible));
}

TEST(Selection, ALaterProcessOfTheSameNumberIsAnother) {
  FakeMachine machine;
  machine.begin(7, 1, "sh", 70);
  Selection selection(by_pid(7), machine, machine.parent_of());
  machine.end(7);
  selection.on_event(exited(7));
  EXPECT_TRUE(selection.selects(told_of(7))) << "its last records come after its end";
  machine.begin(7, 1, "other", 900);
  EXPECT_FALSE(selection.selects(machine.facts(7))) << "begun at another time";
  selection.on_event(forked(1, 7));
  EXPECT_FALSE(selection.selects(told_of(7))) << "the number was taken by somebody whose beginning is not known";
  EXPECT_TRUE(selection.over());
}

TEST(Selection, ANumberThatIsTakenWithoutNoticeOfTheEndIsOver) {
  FakeMachine machine;
  machine.begin(7, 1, "sh", 70);
  Selection selection(by_pid(7), machine, machine.parent_of());
  EXPECT_FALSE(selection.over());
  machine.begin(7, 1, "sh", 71);
  EXPECT_TRUE(selection.over());
}

TEST(Selection, TheEndOfAThreadIsNotTheEnd) {
  FakeMachine machine;
  machine.begin(7, 1, "sh", 70);
  Selection selection(by_pid(7), machine, machine.parent_of());
  selection.on_event(exited(7, 9));
  EXPECT_FALSE(selection.over());
  selection.on_event(exited(7));
  EXPECT_TRUE(selection.over());
}

TEST(Selection, NamesFitInAnyCaseAndLaterProcessesToo) {
  FakeMachine machine;
  machine.begin(7, 1, "NGINX-worker", 70);
  machine.begin(8, 1, "w", 80, "/usr/sbin/nginx");
  machine.begin(9, 1, "sh", 90);
  Selection selection(by_name("nginx"), machine, machine.parent_of());
  EXPECT_TRUE(selection.selects(machine.facts(7)));
  EXPECT_TRUE(selection.selects(machine.facts(8))) << "by its executable";
  EXPECT_FALSE(selection.selects(machine.facts(9)));
  EXPECT_FALSE(selection.settled());
  machine.end(7);
  machine.end(8);
  EXPECT_FALSE(selection.over()) << "another one may come";
}

TEST(Selection, ANameThatNobodyHasIsMatchedByAProgramThatStarts) {
  FakeMachine machine;
  machine.begin(9, 1, "sh", 90);
  Selection selection(by_name("nginx"), machine, machine.parent_of());
  EXPECT_FALSE(selection.matched());
  selection.on_event(started(9, "cat", "/bin/cat"));
  EXPECT_FALSE(selection.matched());
  selection.on_event(started(9, "x", "/usr/sbin/Nginx"));
  EXPECT_TRUE(selection.matched());
}

TEST(Selection, NumberAndNameMustBothHold) {
  FakeMachine machine;
  machine.begin(7, 1, "sh", 70);
  SelectionOptions both = by_pid(7);
  both.names = {"nginx"};
  Selection selection(std::move(both), machine, machine.parent_of());
  EXPECT_FALSE(selection.selects(machine.facts(7)));
}

TEST(Selection, ChildrenThatAreThereAlreadyAreFollowed) {
  FakeMachine machine;
  machine.begin(7, 1, "sh", 70);
  machine.begin(8, 7, "make", 80);
  machine.begin(3, 8, "cc", 85);  // a lower number than its ancestors
  machine.begin(9, 1, "other", 90);
  Selection selection(by_pid(7, true), machine, machine.parent_of());
  EXPECT_TRUE(selection.selects(machine.facts(3)));
  EXPECT_TRUE(selection.is_follower(machine.facts(8)));
  EXPECT_FALSE(selection.selects(machine.facts(9)));
  EXPECT_FALSE(selection.settled());
}

TEST(Selection, ForksAndProgramsAreFollowedAsTheyAreTold) {
  FakeMachine machine;
  machine.begin(7, 1, "sh", 70);
  Selection selection(by_pid(7, true), machine, machine.parent_of());
  selection.on_event(forked(7, 20));
  selection.on_event(forked(20, 21));
  selection.on_event(started(22, "cc", {}, 21));  // its fork was not told
  selection.on_event(forked(50, 51));
  for (const std::uint32_t pid : {20u, 21u, 22u}) EXPECT_TRUE(selection.selects(told_of(pid))) << pid;
  EXPECT_FALSE(selection.selects(told_of(51)));
}

TEST(Selection, AChildWhoseForkIsNotKnownYetIsFoundByItsParent) {
  FakeMachine machine;
  machine.begin(7, 1, "sh", 70);
  Selection selection(by_pid(7, true), machine, machine.parent_of());
  machine.begin(20, 7, "sh", 100);
  machine.begin(21, 20, "cc", 101);
  EXPECT_TRUE(selection.selects(machine.facts(21)));
  machine.begin(30, 1, "cron", 110);
  EXPECT_FALSE(selection.selects(machine.facts(30)));
  const int asked = machine.asked_for_parents;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(selection.selects(machine.facts(30)));
  EXPECT_EQ(machine.asked_for_parents, asked) << "a stranger is looked up once";
}

TEST(Selection, ANumberThatAFollowedProcessHadIsNotFollowed) {
  FakeMachine machine;
  machine.begin(7, 1, "sh", 70);
  Selection selection(by_pid(7, true), machine, machine.parent_of());
  selection.on_event(forked(7, 20));
  selection.on_event(exited(20));
  selection.on_event(forked(1, 20));
  EXPECT_FALSE(selection.selects(told_of(20)));
  selection.on_event(forked(20, 21));
  EXPECT_FALSE(selection.selects(told_of(21))) << "nor are its children";
}

TEST(Selection, ItIsOverWhenTheLastDescendantHasEnded) {
  FakeMachine machine;
  machine.begin(7, 1, "sh", 70);
  Selection selection(by_pid(7, true), machine, machine.parent_of());
  machine.begin(20, 7, "daemon", 100);
  selection.on_event(forked(7, 20));
  selection.on_event(exited(7));
  machine.end(7);
  EXPECT_FALSE(selection.over());
  machine.end(20);
  EXPECT_TRUE(selection.over()) << "also if nobody told of the end";
}

TEST(Selection, ChildrenOfANameAreFollowedWhateverTheyAreCalled) {
  FakeMachine machine;
  machine.begin(7, 1, "nginx", 70);
  machine.begin(8, 7, "worker", 80);
  Selection selection(by_name("nginx", true), machine, machine.parent_of());
  EXPECT_TRUE(selection.selects(machine.facts(8)));
  selection.on_event(started(40, "nginx"));
  selection.on_event(forked(40, 41));
  EXPECT_TRUE(selection.selects(told_of(41)));
}

TEST(Selection, RelativesAreToldOfInTheTracersNumbers) {
  FakeMachine machine;
  machine.begin(7, 1, "sh", 70);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> forks;
  std::vector<std::uint32_t> programs;
  SelectionOptions options = by_pid(7, true);
  options.relatives = {[&](std::uint32_t parent, std::uint32_t child) { forks.emplace_back(parent, child); },
                       [&](std::uint32_t pid) { programs.push_back(pid); }};
  Selection selection(std::move(options), machine, machine.parent_of());
  selection.on_event(forked(7, 20));
  selection.on_event(started(20, "cc"));
  selection.on_event(forked(50, 51));
  selection.on_event(started(51, "cc"));
  EXPECT_EQ(forks, (std::vector<std::pair<std::uint32_t, std::uint32_t>>{{7, 20}}));
  EXPECT_EQ(programs, std::vector<std::uint32_t>{20});
}

TEST(Selection, WhatIsFollowedIsBounded) {
  FakeMachine machine;
  machine.begin(7, 1, "sh", 70);
  SelectionOptions options = by_pid(7, true);
  options.followed_max = 4;
  Selection selection(std::move(options), machine, {});
  for (std::uint32_t pid = 20; pid < 23; ++pid) selection.on_event(forked(7, pid));
  selection.on_event(forked(7, 30));
  EXPECT_FALSE(selection.selects(told_of(30))) << "there is no room";
  selection.on_event(exited(21));
  selection.on_event(forked(7, 31));
  EXPECT_TRUE(selection.selects(told_of(31))) << "the ended make room";
}

}  // namespace
}  // namespace tracer::cli
