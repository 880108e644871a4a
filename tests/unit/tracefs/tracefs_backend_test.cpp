// The running half of mechanism tracefs: the order in which events are handed on.
#include "backends/tracepoint/tracefs_backend.h"

#include <gtest/gtest.h>
#include <time.h>

#include <memory>
#include <vector>

#include "tests/unit/tracefs/trace_support.h"

namespace tracer {
namespace {

enum Id : std::uint16_t { id_exec = 1, id_open, id_opened };

struct HeldRecord {
  std::uint64_t at_ns = 0;
  ProcessRef who;
  ByteWriter raw;
};

// What the test puts into `records` is read once.
class FakeReader final : public TraceReader {
 public:
  explicit FakeReader(std::vector<HeldRecord>& records) : records_(records) {}
  [[nodiscard]] int fd() const override { return -1; }
  [[nodiscard]] Result<void> read(TraceHandler& handler) override {
    for (const HeldRecord& each : std::exchange(records_, {}))
      handler.on_trace({each.at_ns, each.who, each.raw.bytes()});
    return {};
  }
  [[nodiscard]] std::uint64_t malformed() const override { return 0; }

 private:
  std::vector<HeldRecord>& records_;
};

class TracefsBackendTest : public testing::Test {
 protected:
  TracefsBackendTest() {
    auto layout = std::make_unique<TraceLayout>();
    const auto add = [&](std::string_view name, std::uint16_t id, std::string_view fields) {
      for (const TraceEventRow& row : trace_events())
        if (row.name == name) {
          EXPECT_TRUE(layout->add(row, id, *parse_event_format("format:\n" + std::string(fields))));
        }
    };
    add("sched/sched_process_exec", id_exec, "\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\n");
    add("syscalls/sys_enter_openat", id_open, "\tfield:int flags;\toffset:8;\tsize:8;\n");
    add("syscalls/sys_exit_openat", id_opened, "\tfield:long ret;\toffset:8;\tsize:8;\n");
    TraceDecoderOptions options;
    options.proc = "/nowhere";
    options.files = options.processes = true;
    backend_ = std::make_unique<TracefsBackend>(std::make_unique<FakeReader>(records_), std::move(layout), options, 0);
  }
  static ByteWriter raw(std::uint16_t id, std::uint32_t tid) {
    ByteWriter out;
    return out.put(id).put(std::uint16_t{0}).put(tid);
  }
  static std::uint64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
  }

  std::vector<HeldRecord> records_;
  std::unique_ptr<TracefsBackend> backend_;
  EventRecorder seen_;
};

// The path of an open is looked up, and certain one reading later. A machine that is slow leaves far more than a
// reorder window between the two.
TEST_F(TracefsBackendTest, WhatIsYoungerWaitsForAnOpenWhosePathIsNotCertain) {
  const std::uint64_t began_ns = now_ns() - 200'000'000;
  records_.push_back({began_ns, {20, 20}, raw(id_open, 20).put(std::uint64_t{0})});
  records_.push_back({began_ns + 1, {20, 20}, raw(id_opened, 20).put(std::int64_t{3})});
  records_.push_back({began_ns + 100'000'000,
                      {30, 30},
                      raw(id_exec, 30).put(std::uint32_t{12U | 5U << 16U}).put_text(std::string_view("/bin\0", 5))});
  const auto first = backend_->drain(seen_, 100);
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, Drained::more);
  EXPECT_TRUE(seen_.all.empty());
  ASSERT_TRUE(backend_->drain(seen_, 100));
  ASSERT_EQ(seen_.all.size(), 2U);
  EXPECT_NE(seen_.get<FileOpened>(0), nullptr);
  EXPECT_NE(seen_.get<ProcessStarted>(1), nullptr);
  EXPECT_LT(seen_.all[0].event.at, seen_.all[1].event.at);
}

TEST_F(TracefsBackendTest, NothingWaitsWhereNothingIsUncertain) {
  const std::uint64_t began_ns = now_ns() - 200'000'000;
  records_.push_back({began_ns,
                      {30, 30},
                      raw(id_exec, 30).put(std::uint32_t{12U | 5U << 16U}).put_text(std::string_view("/bin\0", 5))});
  ASSERT_TRUE(backend_->drain(seen_, 100));
  EXPECT_EQ(seen_.all.size(), 1U);
}

}  // namespace
}  // namespace tracer
