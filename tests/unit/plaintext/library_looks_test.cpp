#include "backends/ebpf/library_looks.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>

#include "backends/ebpf/tls_functions.h"
#include "tests/unit/plaintext/fake_proc.h"

namespace tracer {
namespace {

using namespace std::chrono_literals;
using Clock = LibraryLooks::Clock;

class Chosen final : public ProcessSelection {
 public:
  Chosen(std::set<std::uint32_t> pids, bool settled) : pids_(std::move(pids)), settled_(settled) {}
  bool everybody() const override { return false; }
  bool selects(const ProcessFacts& process) const override { return pids_.contains(process.tgid); }
  bool settled() const override { return settled_; }

 private:
  std::set<std::uint32_t> pids_;
  bool settled_;
};

// Nothing runs anywhere, and nobody looks at all processes a second time.
class LibraryLooksTest : public testing::Test {
 protected:
  void SetUp() override {
    auto source = BreakpointSource::find();
    if (!source) GTEST_SKIP() << source.error().context;
    source_.emplace(*source);
    if (system_library("libssl.so.3").empty()) GTEST_SKIP() << "needs libssl.so.3";
    library_ = tree_.copy(system_library("libssl.so.3"), "libssl.so.3");
  }
  void make(const ProcessSelection* selection = nullptr) {
    LibraryWatchOptions watch;
    watch.table = tls_table().libraries();
    watch.programs.resize(watch.table.functions.size());
    watch.proc_root = tree_.proc();
    processes_.emplace(selection, nullptr, tree_.proc(), ProcessVerdicts{});
    looks_.emplace(LibraryLooksOptions{.system_root = tree_.file("none"), .look_ns = 3'600'000'000'000, .alone_max = 2},
                   std::move(watch), *source_, *processes_);
    looks_->begin(Clock::time_point::max());
  }
  [[nodiscard]] std::size_t files() const { return looks_->libraries().outcomes().size(); }
  void map_library(unsigned pid) { tree_.process(pid, "/bin/true", {{"/lib/libssl.so.3", library_}}); }

  FakeProc tree_;
  std::string library_;
  std::optional<BreakpointSource> source_;
  std::optional<CalledProcesses> processes_;
  std::optional<LibraryLooks> looks_;
};

TEST_F(LibraryLooksTest, AProgramThatBeganIsLookedAtOnceItHasItsLibraries) {
  tree_.process(10, "/bin/true", {});
  make();
  EXPECT_EQ(files(), 0U);
  const auto began = Clock::now() + 30min;  // whatever this test takes
  looks_->look_soon(10, began);
  map_library(10);
  looks_->work(began + 1ms, Clock::time_point::max());
  EXPECT_EQ(files(), 0U) << "the loader has hardly begun";
  looks_->work(began + 4ms, Clock::time_point::max());
  EXPECT_EQ(files(), 1U);
}

TEST_F(LibraryLooksTest, AndAgainForWhatItLoadsLater) {
  tree_.process(10, "/bin/true", {});
  make();
  const auto began = Clock::now() + 30min;
  looks_->look_soon(10, began);
  looks_->work(began + 5ms, Clock::time_point::max());
  map_library(10);
  looks_->work(began + 200ms, Clock::time_point::max());
  EXPECT_EQ(files(), 1U);
}

TEST_F(LibraryLooksTest, FewChosenOnesThatNobodyCanJoinHaveBreakpointsOfTheirOwn) {
  for (unsigned pid = 10; pid < 14; ++pid) map_library(pid);
  struct Case {
    std::set<std::uint32_t> pids;
    bool settled, alone;
    std::size_t files;
  };
  for (const Case& each : {Case{{10, 11}, true, true, 1}, Case{{10, 11, 12}, true, false, 1},
                           Case{{10}, false, false, 1}, Case{{99}, true, false, 0}}) {
    const Chosen selection(each.pids, each.settled);
    make(&selection);
    EXPECT_EQ(looks_->libraries().each_alone(), each.alone) << each.pids.size() << each.settled;
    EXPECT_EQ(files(), each.files);
  }
  make();
  EXPECT_FALSE(looks_->libraries().each_alone());
  EXPECT_EQ(files(), 1U);
}

}  // namespace
}  // namespace tracer
