// The running half of mechanism tracefs: merges the buffers of the processors by time and hands events on, in order.
#pragma once

#include <memory>
#include <vector>

#include "backends/bpf/beat_log.h"
#include "backends/tracepoint/trace_decoder.h"
#include "backends/tracepoint/trace_reader.h"
#include "core/backend.h"
#include "core/reorder_window.h"

namespace tracer {

class TracefsBackend final : public Backend, private TraceHandler {
 public:
  // `beat_parts`: those of BeatPart that the enabled events show.
  TracefsBackend(std::unique_ptr<TraceReader> reader, std::unique_ptr<TraceLayout> layout, TraceDecoderOptions options,
                 std::uint32_t beat_parts);

  // An own heartbeat must come back out. What else comes meanwhile is kept for the first drain.
  [[nodiscard]] Result<void> run_self_test();

  [[nodiscard]] int fd() const override { return reader_->fd(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override;
  void set_verdict(FlowId, Direction, StreamVerdict) override {}  // there are no bytes
  [[nodiscard]] BackendCounters counters() const override;
  [[nodiscard]] Result<void> send_beat() override;
  [[nodiscard]] Beats beats() const override { return beats_.beats(); }

 private:
  struct Waiting {
    std::uint64_t at_ns = 0;
    ProcessRef who;
    std::size_t at = 0, size = 0;  // in bytes_
  };
  struct Forward final : EventHandler {
    void on_event(const Event& event) override { to->on_event(event); }
    EventHandler* to = nullptr;
  };

  void on_trace(const TraceRecord& record) override;
  void on_lost(std::uint64_t records) override;
  [[nodiscard]] Result<void> fill();
  void drop_delivered();
  void hand_over();

  std::unique_ptr<TraceReader> reader_;
  std::unique_ptr<TraceLayout> layout_;
  TraceDecoder decoder_;
  std::uint32_t beat_parts_;
  BeatLog beats_;
  std::vector<std::byte> bytes_;
  std::vector<Waiting> waiting_;
  std::size_t next_ = 0, ready_ = 0;  // in waiting_: the first not delivered, the first that must wait
  std::uint64_t complete_until_ns_ = 0;
  std::uint64_t lost_to_tell_ = 0;
  Forward forward_;
  ReorderWindow decoded_;  // an open is told late, and all that is younger waits for it
  bool again_ = false;
  BackendCounters counters_;
};

}  // namespace tracer
