// Records to events: who is a process, who a thread, and what is the tracer's own.
#include "backends/tracepoint/trace_decoder.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "tests/unit/tracefs/trace_support.h"

namespace tracer {
namespace {

constexpr std::uint32_t self = 42;
enum Id : std::uint16_t { id_exec = 1, id_exit, id_exit_old, id_new_task, id_open, id_opened };

class TraceDecoderTest : public testing::Test {
 protected:
  TraceDecoderTest() {
    proc_ = std::filesystem::temp_directory_path() / ("tracer-decoder-" + std::to_string(::getpid()));
    add("sched/sched_process_exec", id_exec, "\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\n");
    add("sched/sched_process_exit", id_exit,
        "\tfield:pid_t pid;\toffset:8;\tsize:4;\n\tfield:bool group_dead;\toffset:12;\tsize:1;\n");
    add("sched/sched_process_exit", id_exit_old, "\tfield:pid_t pid;\toffset:8;\tsize:4;\n");
    add("task/task_newtask", id_new_task,
        "\tfield:pid_t pid;\toffset:8;\tsize:4;\n\tfield:unsigned long clone_flags;\toffset:16;\tsize:8;\n");
    add("syscalls/sys_enter_openat", id_open, "\tfield:int flags;\toffset:8;\tsize:8;\n");
    add("syscalls/sys_exit_openat", id_opened, "\tfield:long ret;\toffset:8;\tsize:8;\n");
    TraceDecoderOptions options;
    options.self_tgid = self;
    options.proc = proc_;
    decoder_ = std::make_unique<TraceDecoder>(layout_, options, [] { return std::uint64_t{5}; });
  }
  ~TraceDecoderTest() override { std::filesystem::remove_all(proc_); }

  void add(std::string_view name, std::uint16_t id, std::string_view fields) {
    for (const TraceEventRow& row : trace_events())
      if (row.name == name) {
        ASSERT_TRUE(layout_.add(row, id, *parse_event_format("format:\n" + std::string(fields))));
      }
  }
  void add_thread(std::uint32_t tid, std::uint32_t tgid) {
    std::filesystem::create_directories(proc_ / std::to_string(tid));
    std::ofstream(proc_ / std::to_string(tid) / "status") << "Name:\tx\nTgid:\t" << tgid << "\nNgid:\t0\n";
  }
  static ByteWriter raw(std::uint16_t id, std::uint32_t tid) {
    ByteWriter out;
    return out.put(id).put(std::uint16_t{0}).put(tid);
  }
  static ByteWriter exec(std::uint32_t tid) {
    return raw(id_exec, tid).put(std::uint32_t{12U | 5U << 16U}).put_text(std::string_view("/bin\0", 5));
  }
  static ByteWriter new_task(std::uint32_t maker, std::uint32_t made, std::uint64_t flags) {
    return raw(id_new_task, maker).put(made).put(std::uint32_t{0}).put(flags);
  }
  static ByteWriter ended(std::uint32_t tid, bool last) { return raw(id_exit, tid).put(tid).put(std::uint8_t{last}); }
  // `who` is what perf says of it; without, only the record itself is there.
  bool decode(const ByteWriter& record, ProcessRef who = {}) {
    return decoder_->decode({++now_ns_, who, record.bytes()}, seen_);
  }

  std::filesystem::path proc_;
  TraceLayout layout_;
  std::unique_ptr<TraceDecoder> decoder_;
  EventRecorder seen_;
  std::uint64_t now_ns_ = 0;
};

TEST_F(TraceDecoderTest, AProcessKnowsItsParentAsLongAsThatIsThere) {
  add_thread(10, 10);
  EXPECT_TRUE(decode(new_task(10, 20, 0)));
  EXPECT_TRUE(decode(new_task(10, 21, 0)));
  EXPECT_TRUE(decode(exec(20)));
  const SeenEvent* first = seen_.find<ProcessStarted>(20);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->text, "/bin");
  EXPECT_EQ(std::get<ProcessStarted>(first->event.body).parent_tgid, 10U);
  ASSERT_NE(seen_.get<ProcessForked>(0), nullptr);
  EXPECT_EQ(seen_.get<ProcessForked>(0)->child_tgid, 20U);
  EXPECT_TRUE(decode(ended(10, true)));
  EXPECT_TRUE(decode(exec(21)));  // the parent is gone: somebody else's child now
  EXPECT_EQ(std::get<ProcessStarted>(seen_.find<ProcessStarted>(21)->event.body).parent_tgid, 0U);
}

// Its number is the process's after an exec, also where it is gone before anybody asks /proc.
TEST_F(TraceDecoderTest, AnExecSaysWhoseTheThreadIs) {
  EXPECT_TRUE(decode(exec(50)));
  ASSERT_NE(seen_.find<ProcessStarted>(50), nullptr);
  EXPECT_TRUE(decode(ended(50, true)));
  EXPECT_NE(seen_.find<ProcessExited>(50), nullptr);
  // A fork whose maker is gone already makes a process all the same; a thread of nobody stays nobody's.
  EXPECT_TRUE(decode(new_task(60, 61, 0)));
  EXPECT_TRUE(decode(new_task(60, 62, CLONE_THREAD)));
  EXPECT_TRUE(decode(ended(61, true)));
  EXPECT_TRUE(decode(ended(62, true)));
  EXPECT_NE(seen_.find<ProcessExited>(61), nullptr);
  EXPECT_EQ(seen_.find<ProcessExited>(62), nullptr);
}

TEST_F(TraceDecoderTest, AThreadIsNoProcess) {
  add_thread(10, 10);
  EXPECT_TRUE(decode(new_task(10, 11, CLONE_THREAD | CLONE_VM)));
  EXPECT_TRUE(decode(ended(11, false)));
  EXPECT_TRUE(seen_.all.empty());
  // The leader may end first; the last thread speaks for the process.
  EXPECT_TRUE(decode(new_task(10, 12, CLONE_THREAD)));
  EXPECT_TRUE(decode(ended(10, false)));
  EXPECT_TRUE(seen_.all.empty());
  EXPECT_TRUE(decode(ended(12, true)));
  ASSERT_EQ(seen_.all.size(), 1U);
  EXPECT_NE(seen_.find<ProcessExited>(10), nullptr);
  EXPECT_EQ(seen_.all[0].event.who, (ProcessRef{10, 10}));
}

TEST_F(TraceDecoderTest, WithoutTheNewFieldTheLeaderSpeaks) {
  EXPECT_TRUE(decode(raw(id_exit_old, 31).put(std::uint32_t{31}), {30, 31}));
  EXPECT_TRUE(seen_.all.empty());
  EXPECT_TRUE(decode(raw(id_exit_old, 30).put(std::uint32_t{30}), {30, 30}));
  const auto* exited = seen_.get<ProcessExited>(0);
  ASSERT_NE(exited, nullptr);
  EXPECT_FALSE(exited->exit_code || exited->signal);
}

TEST_F(TraceDecoderTest, WhatTheTracerDoesIsItsOwnBusiness) {
  const ByteWriter thread = new_task(self, 43, CLONE_THREAD);
  const ByteWriter failed = raw(id_opened, self).put(std::int64_t{-EFAULT});
  EXPECT_EQ(decoder_->beat_part({1, {}, thread.bytes()}), beat_thread);
  EXPECT_EQ(decoder_->beat_part({1, {self, self}, failed.bytes()}), beat_open);
  EXPECT_EQ(decoder_->beat_part({1, {7, self}, failed.bytes()}), 0U);  // another namespace's number
  EXPECT_EQ(decoder_->beat_part({1, {}, new_task(7, 8, CLONE_THREAD).bytes()}), 0U);
  EXPECT_EQ(decoder_->beat_part({1, {}, raw(id_opened, self).put(std::int64_t{3}).bytes()}), 0U);
  EXPECT_EQ(decoder_->beat_part({1, {}, {}}), 0U);
  EXPECT_TRUE(decode(exec(self), {self, self}));
  EXPECT_TRUE(decode(raw(id_open, self).put(std::uint64_t{0}), {self, self}));
  EXPECT_TRUE(decode(failed, {self, self}));
  EXPECT_TRUE(decode(ended(self, true), {self, self}));
  decoder_->settle(100, seen_);
  EXPECT_TRUE(seen_.all.empty());
  EXPECT_EQ(decoder_->self_events(), 4U);
}

TEST_F(TraceDecoderTest, ShortRecordsAndStrangersAreRefused) {
  const ByteWriter whole = new_task(10, 20, 0);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decoder_->decode({1, {10, 10}, whole.bytes().first(size)}, seen_)) << size;
  EXPECT_FALSE(decode(raw(999, 10)));
  EXPECT_TRUE(seen_.all.empty());
}

}  // namespace
}  // namespace tracer
