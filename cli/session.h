// One run: an open backend, the pipeline and the output, stepped by the loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/loop.h"
#include "cli/machine.h"
#include "cli/opener.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/record_writer.h"
#include "cli/talk.h"
#include "core/ownership.h"
#include "core/pipeline.h"
#include "core/reorder_window.h"

namespace tracer::cli {

// Every wait of a run, in one place.
struct SessionTimes {
  using Duration = std::chrono::milliseconds;
  Duration poll_busy{10};  // between drains while there is traffic
  Duration poll_idle{50};  // and after `idle_after` without any; a record is flushed at the next
  Duration idle_after{1'000};
  Duration reader_check{200};  // is there still somebody who reads?
  Duration loss_report{1'000};
  Duration silence_first{5'000};
  Duration silence_again{30'000};
  Duration last_drain{500};  // at the end, on a machine that does not pause
  Duration patience{1'000};  // at the end, for a slow reader
};

class Session final : public LoopClient, private RecordSink, private VerdictSink {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // All references must outlive the session. `opened` holds one backend.
  Session(const Options& options, Opened& opened, Ownership& ownership, RecordWriter& writer, OutputQueue& output,
          const Talk& talk, std::vector<std::uint32_t> ignored_tgids, SessionTimes times = {});

  // Writes trace_start. `began`: when the program started.
  void begin(const Machine& machine, Time began, Time now);
  Next step(Wake wake, Time now) override;
  // Drains, writes trace_end, waits a little for a slow reader. Answers with the exit code.
  [[nodiscard]] int finish();

  [[nodiscard]] LoopDescriptors descriptors() const;

 private:
  void on_record(std::unique_ptr<Record> record) override;
  void set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) override;

  bool drain_once(Time now);
  void look_after_output(Wake wake, Time now);
  void report_losses(Time now, bool at_end);
  void report_slow_reader();
  void report_missed_runs();
  // False: there is no room for it in the output.
  bool tell(Loss loss);
  void report_silence(Time now);
  void end(std::string reason);
  void last_drain();
  void flush_patiently(Time until);
  [[nodiscard]] Record last_record() const;
  [[nodiscard]] int exit_code(const TraceEnd& last) const;

  const Options& options_;
  const Opened& opened_;
  OpenedBackend& backend_;
  RecordWriter& writer_;
  OutputQueue& output_;
  const Talk& talk_;
  SessionTimes times_;
  Pipeline pipeline_;
  ReorderWindow window_;

  Time began_, deadline_, last_event_, last_check_, next_loss_report_, next_silence_;
  std::uint64_t events_seen_ = 0;
  std::uint64_t slow_told_ = 0, slow_bytes_told_ = 0, missed_told_ = 0;
  std::string end_reason_;  // empty: still running
  int signal_ = 0;
  bool failed_ = false;  // the backend died
};

}  // namespace tracer::cli
