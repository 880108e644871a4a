#include "backends/procfs/known_files.h"

#include <gtest/gtest.h>

#include "backends/procfs/known_roots.h"

namespace tracer::procfs {
namespace {

constexpr int mapped = -1;

TEST(KnownFiles, OnlyWhatIsNewIsNew) {
  KnownFiles known(100);
  EXPECT_TRUE(known.begin(7, 1, "/bin/a"));
  EXPECT_TRUE(known.note(7, 3, "/etc/key.pem"));
  EXPECT_FALSE(known.note(7, 3, "/etc/key.pem"));
  EXPECT_TRUE(known.note(7, 4, "/etc/key.pem"));  // opened twice
  EXPECT_TRUE(known.note(7, mapped, "/etc/key.pem"));
  known.end(7);
  EXPECT_FALSE(known.begin(7, 1, "/bin/a"));
  EXPECT_FALSE(known.note(7, 3, "/etc/key.pem"));
  EXPECT_TRUE(known.note(7, 3, "/etc/other.pem"));
  known.end(7);
  // Closed at the look before, and so open again now.
  EXPECT_FALSE(known.begin(7, 1, "/bin/a"));
  EXPECT_TRUE(known.note(7, 4, "/etc/key.pem"));
}

TEST(KnownFiles, AnotherProgramKnowsNothing) {
  KnownFiles known(100);
  known.begin(7, 1, "/bin/a");
  EXPECT_TRUE(known.note(7, mapped, "/lib/libssl.so.3"));
  known.end(7);
  EXPECT_TRUE(known.begin(7, 1, "/bin/b"));
  EXPECT_TRUE(known.note(7, mapped, "/lib/libssl.so.3"));
  known.end(7);
  EXPECT_TRUE(known.begin(7, 2, "/bin/b"));
  EXPECT_TRUE(known.note(7, mapped, "/lib/libssl.so.3"));
  known.forget(7);
  EXPECT_EQ(known.size(), 0U);
}

TEST(KnownFiles, TheDeadAreForgottenAndTheLimitIsCounted) {
  KnownFiles known(2);
  known.begin(7, 1, "/bin/a");
  EXPECT_TRUE(known.note(7, 1, "/a"));
  EXPECT_TRUE(known.note(7, 2, "/b"));
  EXPECT_FALSE(known.note(7, 3, "/c"));
  EXPECT_EQ(known.over_limit(), 1U);
  known.end(7);
  known.forget_others();  // was looked at since
  EXPECT_EQ(known.size(), 2U);
  known.forget_others();
  EXPECT_EQ(known.size(), 0U);
  known.begin(8, 1, "/bin/a");
  EXPECT_TRUE(known.note(8, 3, "/c"));
}

TEST(KnownRoots, ChildrenAreAdoptedAndForgotten) {
  KnownRoots roots({.processes_max = 4, .keep_ns = 100});
  const Root root{"mnt:[1]", "/"};
  roots.note(5, root, 1000);
  roots.adopt(5, 6, 1050);
  EXPECT_EQ(roots.find(6, 1150), root);
  EXPECT_FALSE(roots.find(6, 1151));
  // A number that is given away again to a child of an unknown process.
  roots.adopt(99, 6, 1060);
  EXPECT_FALSE(roots.find(6, 1060));
  for (std::uint32_t pid = 10; pid < 30; ++pid) roots.note(pid, root, 1060);
  EXPECT_TRUE(roots.find(29, 1060));
}

}  // namespace
}  // namespace tracer::procfs
