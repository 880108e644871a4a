#include "backends/ebpf/called_processes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <set>

namespace tracer {
namespace {

class Named final : public ProcessSelection {
 public:
  bool everybody() const override { return false; }
  bool selects(const ProcessFacts& process) const override {
    ++asked;
    return names.contains(process.comm);
  }
  std::uint32_t newcomer() const override { return coming; }

  std::set<std::string> names;
  std::uint32_t coming = 0;
  mutable int asked = 0;
};

TEST(CalledProcesses, WithoutASelectionEverybodyCounts) {
  CalledProcesses processes(nullptr, nullptr, "/proc", {});
  EXPECT_TRUE(processes.everybody());
  EXPECT_TRUE(processes.wants({77}));
}

TEST(CalledProcesses, DecidesOnceByWhatTheCallSaidOfAProcessThatIsGone) {
  Named selection;
  selection.names = {"curl"};
  CalledProcesses processes(&selection, nullptr, "/no/such/proc", {});
  EXPECT_TRUE(processes.wants({10, 0, 0, "curl"}));
  EXPECT_FALSE(processes.wants({11, 0, 0, "wget"}));
  EXPECT_EQ(selection.asked, 2);
  EXPECT_TRUE(processes.wants({10}));
  EXPECT_FALSE(processes.wants({11}));
  EXPECT_EQ(selection.asked, 2);
  processes.forget(11);
  EXPECT_TRUE(processes.wants({11, 0, 0, "curl"})) << "it runs another program now";
}

TEST(CalledProcesses, WhatTheKernelPassedOnAndTheNewcomerAreWanted) {
  Named selection;
  selection.coming = 20;
  CalledProcesses processes(&selection, nullptr, "/no/such/proc", {});
  EXPECT_TRUE(processes.wants({30, 0, 0, "x", UPROBE_VERDICT_WANTED}));
  EXPECT_TRUE(processes.wants({20, 0, 0, "x"}));
  EXPECT_FALSE(processes.wants({21, 0, 0, "x"}));
  EXPECT_TRUE(processes.wants({4'000, 20, 0, "x"})) << "by its number in the tracer's namespace";
}

TEST(CalledProcesses, FindsThoseThatRun) {
  const auto pid = static_cast<std::uint32_t>(::getpid());
  Named selection;
  CalledProcesses processes(&selection, nullptr, "/proc", {});
  EXPECT_TRUE(processes.find_selected().empty());
  selection.coming = pid;
  EXPECT_EQ(processes.find_selected(), std::vector<std::uint32_t>{pid});
  EXPECT_FALSE(processes.is_gone(pid));
  EXPECT_TRUE(processes.is_gone(0x7fffffff));
}

TEST(CalledProcesses, RemembersLibrariesAsLongAsTheProcess) {
  CalledProcesses processes(nullptr, nullptr, "/proc", {});
  ASSERT_TRUE(processes.wants({5}));
  EXPECT_EQ(processes.library(5, "libssl"), nullptr);
  processes.remember_library(5, "libssl", "/lib/libssl.so.3");
  ASSERT_NE(processes.library(5, "libssl"), nullptr);
  EXPECT_EQ(*processes.library(5, "libssl"), "/lib/libssl.so.3");
  EXPECT_EQ(processes.library(5, "libcrypto"), nullptr);
  processes.forget(5);
  EXPECT_EQ(processes.library(5, "libssl"), nullptr);
}

}  // namespace
}  // namespace tracer
