// One run: what captures, and the output, stepped by the loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/capture.h"
#include "cli/first_look.h"
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

// What ends a run beside time, count and output.
class RunGuide {
 public:
  // Why the run is over; nullopt: it is not. Asked at every step.
  [[nodiscard]] virtual std::optional<std::string> over(std::chrono::steady_clock::time_point now) = 0;
  // What the run waits for before there can be anything to tell; empty: nothing.
  [[nodiscard]] virtual std::string waits_for() const = 0;
  // True: somebody else was signalled, whose end the run waits for.
  [[nodiscard]] virtual bool defers(int signal) = 0;

 protected:
  ~RunGuide() = default;
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
          SessionTimes times = {}, RunGuide* guide = nullptr);

  // Writes trace_start. `capture` tells this session its records, and must outlive it. `began`: when the program
  // started.
  void begin(Capture& capture, const Plan& plan, const Machine& machine, Time began, Time now);
  Next step(Wake wake, Time now) override;
  // Drains, writes trace_end, waits a little for a slow reader. Answers with the exit code.
  [[nodiscard]] int finish();
  // After finish(): the sink had something to say at the end.
  [[nodiscard]] bool wrote_document() const { return wrote_document_; }

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
  [[nodiscard]] std::string silence() const;
  void end(std::string reason);
  void flush_patiently(Time until);
  void write_rest();
  [[nodiscard]] bool is_shown(const Record& record);
  [[nodiscard]] Record last_record() const;
  [[nodiscard]] int exit_code(const TraceEnd& last) const;

  const Options& options_;
  Capture* capture_ = nullptr;  // from begin() on
  RecordWriter& writer_;
  OutputQueue& output_;
  const Talk& talk_;
  Pace pace_;
  SessionTimes times_;
  RunGuide* guide_;  // may be null
  bool meta_;        // records about the trace go to the sink
  FirstLook first_look_;
  unsigned generation_ = 0;  // of the descriptors that the loop knows

  Time began_, deadline_, last_event_, last_check_, next_loss_report_, next_silence_;
  std::uint64_t events_seen_ = 0;
  std::uint64_t slow_told_ = 0, slow_bytes_told_ = 0, missed_told_ = 0;
  std::vector<Record> untold_switches_;  // there was no room for them in the output
  std::string end_reason_;               // empty: still running
  int signal_ = 0;
  bool wrote_document_ = false;
  bool drained_ = false;   // a file is finished; its last records wait for their reader
  std::string input_end_;  // and how it ended
};

}  // namespace tracer::cli
