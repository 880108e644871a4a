// Who processes were, and what changed from one list of them to the next.
#include <gtest/gtest.h>

#include "backends/procfs/process_cache.h"
#include "backends/procfs/process_listing.h"

namespace tracer::procfs {
namespace {

ProcessFacts facts(std::uint32_t tgid, const char* comm) {
  ProcessFacts made;
  made.tgid = tgid;
  made.comm = comm;
  made.executable = std::string("/bin/") + comm;
  return made;
}

TEST(ProcessCache, KeepsTheDeadForAWhile) {
  ProcessCache cache({.processes_max = 10, .keep_dead_ns = 100});
  cache.note(facts(1, "curl"));
  cache.exited(1, 1000);
  ASSERT_NE(cache.find(1), nullptr);
  cache.exited(2, 1099);  // nobody known, but time has gone on
  EXPECT_NE(cache.find(1), nullptr);
  cache.exited(2, 1100);
  EXPECT_EQ(cache.find(1), nullptr);
}

TEST(ProcessCache, ANumberThatIsUsedAgainBelongsToTheNewOne) {
  ProcessCache cache({.processes_max = 10, .keep_dead_ns = 100});
  cache.note(facts(1, "curl"));
  cache.exited(1, 1000);
  cache.note(facts(1, "wget"));
  cache.exited(3, 5000);
  ASSERT_NE(cache.find(1), nullptr);
  EXPECT_EQ(cache.find(1)->comm, "wget");
}

TEST(ProcessCache, AChildIsWhatItsParentIs) {
  ProcessCache cache;
  EXPECT_FALSE(cache.forked(1, 2));
  cache.note(facts(1, "bash"));
  EXPECT_TRUE(cache.forked(1, 2));
  ASSERT_NE(cache.find(2), nullptr);
  EXPECT_EQ(cache.find(2)->comm, "bash");
  EXPECT_EQ(cache.find(2)->tgid, 2u);
}

TEST(ProcessCache, BeyondTheLimitIsCounted) {
  ProcessCache cache({.processes_max = 1});
  cache.note(facts(1, "a"));
  cache.note(facts(2, "b"));
  EXPECT_EQ(cache.find(2), nullptr);
  EXPECT_EQ(cache.over_limit(), 1u);
}

std::vector<ListedProcess> list(std::initializer_list<ListedProcess> processes) { return processes; }

TEST(ProcessListing, TheFirstListIsNoNews) {
  ProcessListing listing;
  EXPECT_TRUE(listing.update(list({{1, 0, 10, "init"}})).empty());
  EXPECT_TRUE(listing.update(list({{1, 0, 10, "init"}})).empty());
}

TEST(ProcessListing, BeginningsChangesOfProgramAndEnds) {
  ProcessListing listing;
  (void)listing.update(list({{1, 0, 10, "init"}, {2, 1, 11, "bash"}}));
  const auto changes = listing.update(list({{2, 1, 11, "cat"}, {3, 2, 12, "ls"}}));
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].kind, ProcessChange::Kind::ended);
  EXPECT_EQ(changes[0].pid, 1u);
  EXPECT_EQ(changes[1].kind, ProcessChange::Kind::renamed);
  EXPECT_EQ(changes[1].pid, 2u);
  EXPECT_EQ(changes[2].kind, ProcessChange::Kind::begun);
  EXPECT_EQ(changes[2].parent, 2u);
}

TEST(ProcessListing, AnotherStartTimeIsAnotherProcess) {
  ProcessListing listing;
  (void)listing.update(list({{5, 1, 10, "same"}}));
  const auto changes = listing.update(list({{5, 1, 99, "same"}}));
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].kind, ProcessChange::Kind::ended);
  EXPECT_EQ(changes[1].kind, ProcessChange::Kind::begun);
}

}  // namespace
}  // namespace tracer::procfs
