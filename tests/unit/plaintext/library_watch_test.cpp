#include "backends/ebpf/library_watch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "backends/ebpf/tls_functions.h"
#include "tests/unit/plaintext/fake_proc.h"

namespace tracer {
namespace {

// Nothing runs anywhere: only what would be attached is looked at.
class LibraryWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    auto source = BreakpointSource::find();
    if (!source) GTEST_SKIP() << source.error().context;
    if (system_library("libssl.so.3").empty()) GTEST_SKIP() << "needs libssl.so.3";
    LibraryWatchOptions options;
    options.table = tls_table().libraries();
    options.programs.resize(options.table.functions.size());
    options.proc_root = tree_.proc();
    options.search_programs = true;
    watch_.emplace(std::move(options), *source);
  }
  void look(const std::vector<std::uint32_t>& pids) {
    watch_->begin_look();
    for (const std::uint32_t pid : pids) watch_->look_at(pid);
    watch_->end_look();
    EXPECT_TRUE(watch_->work(LibraryWatch::Clock::time_point::max()));
  }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> out;
    for (const AttachOutcome& each : watch_->outcomes()) out.push_back(each.what.substr(0, each.what.find(':')));
    std::ranges::sort(out);
    return out;
  }
  using Files = std::vector<std::string>;

  FakeProc tree_;
  std::optional<LibraryWatch> watch_;
};

TEST_F(LibraryWatchTest, AFileIsOneHoweverManyHaveItMapped) {
  const std::string library = tree_.copy(system_library("libssl.so.3"), "libssl.so.3");
  tree_.process(10, "/bin/true", {{"/lib/libssl.so.3", library}});
  tree_.process(11, "/bin/true", {{"/chroot/lib/libssl.so.3", library}});
  tree_.process(12, "/bin/true", {{"/lib/libc.so.6", library}});
  look({10, 11, 12});
  EXPECT_EQ(files(), Files{"libssl.so.3"});
  ASSERT_EQ(watch_->outcomes().size(), 1U);
  EXPECT_TRUE(watch_->outcomes()[0].attached);
  EXPECT_EQ(watch_->unseen(), 0U);
}

TEST_F(LibraryWatchTest, AFileWithoutANameIsOpenedThroughTheMapping) {
  const std::string library = tree_.copy(system_library("libssl.so.3"), "kept");
  tree_.process(10, "/bin/true", {{"/lib/libssl.so.3", library, true}});
  tree_.process(11, "/bin/true", {{"/lib/libssl.so.1.1", {}, true}});  // nobody can open it
  look({10, 11});
  EXPECT_EQ(files(), Files{"libssl.so.3"});
  EXPECT_EQ(watch_->unseen(), 1U);
}

TEST_F(LibraryWatchTest, AProgramWithTheFunctionsIsOneToo) {
  const std::string program = tree_.copy(TLS_HOLDER, "server");
  const std::string stripped = tree_.copy(TLS_HOLDER_STRIPPED, "stripped");
  tree_.process(20, program, {{program, program}});
  tree_.process(21, program, {{program, program}});
  tree_.process(22, stripped, {{stripped, stripped}});
  tree_.process(23, "/no/such/program", {});
  tree_.process(24, {}, {});
  look({20, 21, 22, 23, 24});
  EXPECT_EQ(files(), Files{"server"});
  EXPECT_EQ(watch_->unseen(), 0U) << "a program has no library's name";
  tree_.end(20);
  look({21, 22});
  EXPECT_EQ(files(), Files{"server"});
  tree_.end(21);
  look({22});
  EXPECT_EQ(files(), Files{});
  tree_.process(25, program, {});
  look({22, 25});
  EXPECT_EQ(files(), Files{"server"}) << "found again";
}

TEST_F(LibraryWatchTest, WhatNobodyMapsAnyMoreIsLetGoOf) {
  const std::string library = tree_.copy(system_library("libssl.so.3"), "libssl.so.3");
  tree_.process(10, "/bin/true", {{"/lib/libssl.so.3", library}});
  look({10});
  EXPECT_EQ(files(), Files{"libssl.so.3"});
  tree_.process(10, "/bin/true", {});  // closed it
  look({10});
  EXPECT_EQ(files(), Files{});
}

// The kernel may count as many pages for the program that came after.
TEST_F(LibraryWatchTest, AProcessThatRunsSomethingElseIsLookedAtAnew) {
  const std::string library = tree_.copy(system_library("libssl.so.3"), "libssl.so.3");
  const auto same_size = [&] { std::ofstream(tree_.proc() + "/10/statm") << "777 1 1\n"; };
  tree_.process(10, "/bin/true", {});
  same_size();
  look({10});
  tree_.process(10, "/bin/true", {{"/lib/libssl.so.3", library}});
  same_size();
  watch_->look_at(10);
  EXPECT_EQ(files(), Files{}) << "this is what forget() is there for";
  watch_->forget(10);
  watch_->look_at(10);
  EXPECT_EQ(files(), Files{"libssl.so.3"}) << "also between two looks at all";
}

}  // namespace
}  // namespace tracer
