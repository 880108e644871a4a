// What comes out of the kernel's two kinds of buffers, and where fields lie in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/perf_event.h>

#include "backends/tracepoint/perf_records.h"
#include "backends/tracepoint/ring_page.h"
#include "backends/tracepoint/trace_layout.h"
#include "tests/unit/tracefs/trace_support.h"

namespace tracer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ByteWriter sample(std::uint32_t pid, std::uint32_t tid, std::uint64_t at_ns, std::string_view raw) {
  ByteWriter out;
  const auto size = static_cast<std::uint16_t>(sizeof(perf_event_header) + 20 + raw.size());
  out.put(perf_event_header{PERF_RECORD_SAMPLE, 0, size}).put(pid).put(tid).put(at_ns);
  return out.put(static_cast<std::uint32_t>(raw.size())).put_text(raw);
}

TEST(PerfRecords, SamplesAndLossesInTheirOrder) {
  ByteWriter all;
  all.put(sample(7, 8, 100, "abcd").bytes());
  all.put(perf_event_header{PERF_RECORD_LOST, 0, 24}).put(std::uint64_t{1}).put(std::uint64_t{5});
  all.put(perf_event_header{PERF_RECORD_THROTTLE, 0, 16}).put(std::uint64_t{9});
  all.put(sample(9, 9, 200, "efghijkl").bytes());
  TraceRecorder seen;
  EXPECT_TRUE(parse_perf_records(all.bytes(), seen));
  EXPECT_THAT(seen.texts, ElementsAre("abcd", "efghijkl"));
  EXPECT_THAT(seen.times, ElementsAre(100, 200));
  EXPECT_THAT(seen.whos, ElementsAre(ProcessRef{7, 8}, ProcessRef{9, 9}));
  EXPECT_EQ(seen.lost, 5U);
}

TEST(PerfRecords, DamageEndsItButNotWhatWasReadBefore) {
  ByteWriter cut = sample(7, 8, 100, "abcd");
  const ByteWriter second = sample(1, 1, 2, "x");
  cut.put(second.bytes().first(second.size() - 1));
  TraceRecorder seen;
  EXPECT_FALSE(parse_perf_records(cut.bytes(), seen));
  EXPECT_THAT(seen.texts, ElementsAre("abcd"));

  ByteWriter endless;  // a record that would not move on
  endless.put(perf_event_header{PERF_RECORD_SAMPLE, 0, 0});
  EXPECT_FALSE(parse_perf_records(endless.bytes(), seen));

  ByteWriter overlong;  // says that more raw bytes follow than the record has
  overlong.put(perf_event_header{PERF_RECORD_SAMPLE, 0, 28}).put(1U).put(1U).put(std::uint64_t{1}).put(400U);
  EXPECT_FALSE(parse_perf_records(overlong.bytes(), seen));
  EXPECT_EQ(seen.texts.size(), 1U);
}

constexpr std::string_view header_page_6_18 =
    "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
    "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
    "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
    "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";

ByteWriter page_of(std::uint64_t timestamp, const ByteWriter& data, std::uint64_t marks = 0) {
  ByteWriter page;
  return page.put(timestamp).put(std::uint64_t{data.size()} | marks).put(data.bytes());
}
std::uint32_t head(std::uint32_t type, std::uint32_t delta) { return type | delta << 5U; }

TEST(RingPage, ItsLayoutIsReadFromTheKernel) {
  const auto layout = parse_ring_page_layout(header_page_6_18);
  ASSERT_TRUE(layout.has_value());
  EXPECT_EQ(layout->commit, 8U);
  EXPECT_EQ(layout->commit_size, 8U);
  EXPECT_EQ(layout->data, 16U);
  EXPECT_EQ(layout->page, 4096U);
  EXPECT_FALSE(parse_ring_page_layout("").has_value());
  EXPECT_FALSE(parse_ring_page_layout("\tfield: u64 timestamp;\toffset:0;\tsize:8;\n").has_value());
  std::string large(header_page_6_18);
  large.replace(large.find("size:4080"), 9, "size:4294967290");
  EXPECT_FALSE(parse_ring_page_layout(large).has_value());
}

TEST(RingPage, RecordsOfEveryShape) {
  ByteWriter data;
  data.put(head(1, 5)).put_text("abcd");                                // short: one word
  data.put(head(30, 1)).put(std::uint32_t{2});                          // time passes: 1 + 2 * 2^27
  data.put(head(0, 3)).put(std::uint32_t{4 + 8}).put_text("efghijkl");  // long: its length counts itself
  data.put(head(29, 7)).put(std::uint32_t{8}).put_text("gone");         // discarded
  data.put(head(31, 9)).put(std::uint32_t{1});                          // the time is 2^27 + 9
  data.put(head(1, 1)).put_text("mnop");
  data.put(head(29, 0)).put_text("not looked at");
  TraceRecorder seen;
  const RingPage page = parse_ring_page(page_of(1000, data).bytes(), {}, seen);
  EXPECT_TRUE(page.complete);
  EXPECT_FALSE(page.records_missing);
  EXPECT_THAT(seen.texts, ElementsAre("abcd", "efghijkl", "mnop"));
  constexpr std::uint64_t unit = 1U << 27U;
  EXPECT_THAT(seen.times, ElementsAre(1005, 1005 + 1 + 2 * unit + 3, unit + 9 + 1));
  EXPECT_EQ(seen.whos.front().tgid, 0U);
}

TEST(RingPage, OverwrittenRecordsAreSaid) {
  ByteWriter data;
  data.put(head(1, 5)).put_text("abcd");
  TraceRecorder seen;
  const RingPage page = parse_ring_page(page_of(1, data, 1U << 31U).bytes(), {}, seen);
  EXPECT_TRUE(page.complete);
  EXPECT_TRUE(page.records_missing);
  EXPECT_THAT(seen.texts, ElementsAre("abcd"));
}

TEST(RingPage, DamageIsSaid) {
  TraceRecorder seen;
  ByteWriter data;
  data.put(head(4, 5)).put_text("abcd");  // says four words, has one
  EXPECT_FALSE(parse_ring_page(page_of(1, data).bytes(), {}, seen).complete);
  ByteWriter backwards;
  backwards.put(head(0, 5)).put(std::uint32_t{0});
  EXPECT_FALSE(parse_ring_page(page_of(1, backwards).bytes(), {}, seen).complete);
  ByteWriter longer;
  longer.put(std::uint64_t{1}).put(std::uint64_t{100});  // says a hundred bytes, has none
  EXPECT_FALSE(parse_ring_page(longer.bytes(), {}, seen).complete);
  EXPECT_FALSE(parse_ring_page(longer.bytes().first(10), {}, seen).complete);
  EXPECT_THAT(seen.texts, IsEmpty());
}

const TraceEventRow& row_of(std::string_view name) {
  for (const TraceEventRow& row : trace_events())
    if (row.name == name) return row;
  throw std::runtime_error("no such row");
}

TEST(TraceLayout, FieldsAreFoundByName) {
  TraceLayout layout;
  const auto format = parse_event_format(
      "format:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\n"
      "\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\n");
  ASSERT_TRUE(layout.add(row_of("sched/sched_process_exec"), 365, *format));
  ByteWriter raw;
  raw.put(std::uint16_t{365}).put(std::uint16_t{0}).put(std::uint32_t{77});
  raw.put(std::uint32_t{12U | 5U << 16U}).put_text(std::string_view("/bin\0", 5));
  const TraceEvent* event = layout.find(raw.bytes());
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->text(raw.bytes(), exec_filename), "/bin");
  EXPECT_EQ(common_tid(raw.bytes()), 77U);
  // Every shorter record: absent, never read beyond.
  for (std::size_t size = 0; size < raw.size(); ++size) {
    const Bytes cut = raw.bytes().first(size);
    if (const TraceEvent* known = layout.find(cut)) {
      EXPECT_FALSE(known->text(cut, exec_filename).has_value()) << size;
    }
  }
  ByteWriter other;
  EXPECT_EQ(layout.find(other.put(std::uint16_t{366}).bytes()), nullptr);
}

TEST(TraceLayout, AnEventWithoutWhatItIsForIsRefused) {
  TraceLayout layout;
  const auto format = parse_event_format("format:\n\tfield:pid_t pid;\toffset:8;\tsize:4;\n");
  EXPECT_TRUE(layout.add(row_of("sched/sched_process_exit"), 1, *format));  // group_dead is new
  EXPECT_FALSE(layout.add(row_of("task/task_newtask"), 2, *format));
  const auto narrow = parse_event_format(
      "format:\n\tfield:const void * skaddr;\toffset:8;\tsize:8;\n\tfield:int oldstate;\toffset:16;\tsize:4;\n"
      "\tfield:int newstate;\toffset:20;\tsize:4;\n\tfield:__u16 sport;\toffset:24;\tsize:2;\n"
      "\tfield:__u16 dport;\toffset:26;\tsize:2;\n\tfield:__u8 protocol;\toffset:28;\tsize:1;\n"
      "\tfield:__u8 saddr_v6[16];\toffset:40;\tsize:4;\n\tfield:__u8 daddr_v6[16];\toffset:56;\tsize:16;\n");
  EXPECT_FALSE(layout.add(row_of("sock/inet_sock_set_state"), 3, *narrow));  // no place for an address
}

}  // namespace
}  // namespace tracer
