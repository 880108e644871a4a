#include "backends/procfs/pid_numbering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace tracer::procfs {
namespace {

NumberingFacts facts_of(const std::string& root) {
  const auto proc = ProcReader::open(root);
  EXPECT_TRUE(proc);
  return find_numbering(*proc, static_cast<std::uint32_t>(::getpid()));
}

TEST(FindNumbering, ByTheNamespaceOfProcessOne) {
  const auto host = facts_of(TRACER_FIXTURES "/proc-host");
  EXPECT_TRUE(host.proc_is_initial);
  EXPECT_FALSE(host.proc_is_ours);  // the tree has no "self"
  const auto container = facts_of(TRACER_FIXTURES "/proc-container");
  EXPECT_FALSE(container.proc_is_initial);
  EXPECT_TRUE(container.proc_is_ours);
}

TEST(FindNumbering, ATreeThatSaysNothingIsNotTrusted) {
  const auto facts = facts_of(TRACER_FIXTURES);
  EXPECT_FALSE(facts.proc_is_initial);
  EXPECT_FALSE(facts.proc_is_ours);
}

TEST(PidNumbering, InitialNeedsNoTranslation) {
  const PidNumbering numbering({.proc_is_initial = true, .proc_is_ours = true}, 10);
  const auto local = numbering.local(42);
  ASSERT_TRUE(local);
  EXPECT_EQ(local->pid, 42U);
  EXPECT_FALSE(local->start_ticks);
}

TEST(PidNumbering, ElsewhereOnlyWhatWasLearned) {
  PidNumbering numbering({.proc_is_initial = false, .proc_is_ours = true}, 2);
  EXPECT_FALSE(numbering.local(42));
  EXPECT_TRUE(numbering.learn(5042, 42, 900));
  EXPECT_FALSE(numbering.local(42));
  ASSERT_TRUE(numbering.local(5042));
  EXPECT_EQ(numbering.local(5042)->pid, 42U);
  EXPECT_EQ(numbering.local(5042)->start_ticks, 900U);
  EXPECT_TRUE(numbering.knows(5042, 42));
  EXPECT_FALSE(numbering.knows(5042, 43));
}

TEST(PidNumbering, AReusedNumberReplacesBothSides) {
  PidNumbering numbering({}, 10);
  ASSERT_TRUE(numbering.learn(5042, 42, 900));
  ASSERT_TRUE(numbering.learn(6042, 42, 950));  // 5042 is gone, 42 was given again
  EXPECT_FALSE(numbering.local(5042));
  ASSERT_TRUE(numbering.learn(6042, 43, 970));
  EXPECT_EQ(numbering.local(6042)->pid, 43U);
  ASSERT_TRUE(numbering.learn(7000, 42, 980));  // 42 is free: 6042 stays
  EXPECT_THAT(numbering.learned(), ::testing::UnorderedElementsAre(6042, 7000));
  numbering.forget(6042);
  EXPECT_FALSE(numbering.local(6042));
}

TEST(PidNumbering, TheLimitHolds) {
  PidNumbering numbering({}, 2);
  EXPECT_TRUE(numbering.learn(1001, 1, 1));
  EXPECT_TRUE(numbering.learn(1002, 2, 1));
  EXPECT_FALSE(numbering.learn(1003, 3, 1));
  EXPECT_FALSE(numbering.local(1003));
  EXPECT_TRUE(numbering.learn(1002, 4, 1));  // a replacement needs no room
}

}  // namespace
}  // namespace tracer::procfs
