// One run: what captures, and the output, stepped by the loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/capture.h"
#include "cli/loop.h"
#include "cli/machine.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/record_writer.h"
#include "cli/talk.h"

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
  Duration patience{1'000};  // at the end, for a slow reader
  CaptureTimes capture{};
};

// What becomes of records when their reader is slow.
enum class Pace : std::uint8_t {
  live,    // capture goes on; what finds no room is dropped and counted
  reader,  // a file waits until its records are taken
};

class Session final : public LoopClient, public CaptureReader {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // All references must outlive the session.
  Session(const Options& options, RecordWriter& writer, OutputQueue& output, const Talk& talk, Pace pace,
          SessionTimes times = {});

  // Writes trace_start. `capture` tells this session its records, and must outlive it. `began`: when the program
  // started.
  void begin(Capture& capture, const Plan& plan, const Machine& machine, Time began, Time now);
  Next step(Wake wake, Time now) override;
  // Drains, writes trace_end, waits a little for a slow reader. Answers with the exit code.
  [[nodiscard]] int finish();

  [[nodiscard]] LoopDescriptors descriptors() const;

  void on_record(const Record& record) override;
  void on_switch(const BackendSwitch& change) override;

 private:
  bool drain_once(Wake wake, Time now);
  bool waits_for_reader() const;
  void look_after_output(Wake wake, Time now);
  void report_losses(Time now, bool at_end);
  void report_slow_reader();
  void report_missed_runs();
  // False: there is no room for it in the output.
  bool tell(const Loss& loss);
  void tell_switches();
  void report_silence(Time now);
  void end(std::string reason);
  void flush_patiently(Time until);
  [[nodiscard]] Record last_record() const;
  [[nodiscard]] int exit_code(const TraceEnd& last) const;

  const Options& options_;
  Capture* capture_ = nullptr;  // from begin() on
  RecordWriter& writer_;
  OutputQueue& output_;
  const Talk& talk_;
  Pace pace_;
  SessionTimes times_;
  unsigned generation_ = 0;  // of the descriptors that the loop knows

  Time began_, deadline_, last_event_, last_check_, next_loss_report_, next_silence_;
  std::uint64_t events_seen_ = 0;
  std::uint64_t slow_told_ = 0, slow_bytes_told_ = 0, missed_told_ = 0;
  std::vector<Record> untold_switches_;  // there was no room for them in the output
  std::string end_reason_;               // empty: still running
  int signal_ = 0;
  bool drained_ = false;   // a file is finished; its last records wait for their reader
  std::string input_end_;  // and how it ended
};

}  // namespace tracer::cli
