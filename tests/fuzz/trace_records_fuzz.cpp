// Any bytes as a perf buffer, as a page of the trace ring and as a record: no crash, and nothing outside the input.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "backends/tracepoint/perf_records.h"
#include "backends/tracepoint/ring_page.h"
#include "backends/tracepoint/trace_decoder.h"

namespace {

using namespace tracer;

class Sink final : public EventHandler {
 public:
  void on_event(const Event& event) override {
    if (const auto* started = std::get_if<ProcessStarted>(&event.body)) read_bytes(started->executable);
    if (const auto* opened = std::get_if<FileOpened>(&event.body)) read_bytes(opened->path);
  }

 private:
  static void read_bytes(std::string_view text) {
    if (text.find('\0') != text.npos) std::abort();  // a path has none
  }
};

class Through final : public TraceHandler {
 public:
  explicit Through(Bytes input) : input_(input), decoder_(layout(), options(), [] { return std::uint64_t{1}; }) {}
  void on_trace(const TraceRecord& record) override {
    const bool inside = record.raw.empty() || (record.raw.data() >= input_.data() &&
                                               record.raw.data() + record.raw.size() <= input_.data() + input_.size());
    if (!inside) std::abort();
    (void)decoder_.beat_part(record);
    (void)decoder_.decode(record, sink_);
    decoder_.settle(record.at_ns, sink_);
  }
  void on_lost(std::uint64_t) override {}

 private:
  static TraceDecoderOptions options() {
    TraceDecoderOptions out;
    out.proc = "/nonexistent";
    return out;
  }
  // One id for each event, with every field somewhere.
  static const TraceLayout& layout() {
    static const TraceLayout known = [] {
      TraceLayout made;
      const auto format = parse_event_format(
          "format:\nfield:__data_loc char[] filename;offset:8;size:4;\nfield:pid_t pid;offset:8;size:4;\n"
          "field:bool group_dead;offset:12;size:1;\nfield:unsigned long clone_flags;offset:16;size:8;\n"
          "field:int flags;offset:16;size:8;\nfield:__data_loc char[] __filename_val;offset:8;size:4;\n"
          "field:long ret;offset:8;size:8;\nfield:void * skaddr;offset:8;size:8;\nfield:int "
          "oldstate;offset:12;size:1;\n"
          "field:int newstate;offset:13;size:1;\nfield:__u16 sport;offset:14;size:2;\nfield:__u16 "
          "dport;offset:16;size:2;\n"
          "field:__u8 protocol;offset:18;size:1;\nfield:__u8 saddr_v6[16];offset:8;size:16;\n"
          "field:__u8 daddr_v6[16];offset:8;size:16;\n");
      std::uint16_t id = 0;
      for (const TraceEventRow& row : trace_events())
        if (!made.add(row, id++, *format)) std::abort();
      return made;
    }();
    return known;
  }
  Bytes input_;
  TraceDecoder decoder_;
  Sink sink_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(reinterpret_cast<const std::byte*>(data), size);
  Through handler(input);
  (void)parse_perf_records(input, handler);
  (void)parse_ring_page(input, {}, handler);
  if (const auto layout = parse_ring_page_layout(as_text(input))) (void)parse_ring_page(input, *layout, handler);
  handler.on_trace({1, {1, 1}, input});
  return 0;
}
