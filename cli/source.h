// One open backend with the pipeline behind it, the facets whose records it makes, and its health.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/opener.h"
#include "cli/selection.h"
#include "cli/supervisor.h"
#include "core/ownership.h"
#include "core/pipeline.h"
#include "core/reorder_window.h"

namespace tracer::cli {

// One instant on the clocks that backends count in.
struct Instant {
  SteadyTime steady;
  EventTime monotonic, realtime;
  [[nodiscard]] static Instant now();
  [[nodiscard]] EventTime on(ClockDomain clock) const { return clock == ClockDomain::monotonic ? monotonic : realtime; }
};

// Where the records of all sources go. Borrowed: the record is filled again.
class RecordReader {
 public:
  virtual void on_record(const Record& record) = 0;

 protected:
  ~RecordReader() = default;
};

// What all sources of a run share.
struct SourceSetting {
  Ownership& ownership;
  RecordReader& records;
  std::vector<std::uint32_t> ignored_tgids;
  HealthLimits health;
  CryptoLookup* crypto = nullptr;  // null: no file or library is known for what it is
  std::vector<std::string> file_patterns{};
  Selection* selection = nullptr;  // hears of processes; null: nobody in particular was asked about
};

// Sends a heartbeat and looks at the counters, when it is time.
void look_after(Backend& backend, Health& health, SteadyTime now);

class Source final : private EventHandler, private VerdictSink, private RecordSink {
 public:
  // Tells what happens from `from` on; what was moved before is another's, and a gap here. `setting` must outlive it.
  Source(OpenedSource opened, const SourceSetting& setting, const std::optional<Instant>& from, Handover handover);

  // An error is noted in the health too.
  Result<Drained> drain(const Instant& now, std::size_t events_max);
  void look_after(SteadyTime now) { cli::look_after(*opened_.backend, health_, now); }
  [[nodiscard]] const Health& health() const { return health_; }
  void outlive_loss() { health_.outlive_loss(); }
  // Gives up what costs most and can be spared: these facets are not served any more.
  std::vector<Facet> shed();

  // Drains what happened before `until`, for at most `time_max`, and ends; the next source goes on from there.
  [[nodiscard]] Handover hand_over(const Instant& until, std::chrono::milliseconds time_max);
  // Drains for at most `time_max` and ends.
  void finish(std::chrono::milliseconds time_max);
  // Adds what this source knows to the last record of the trace.
  void fill(TraceEnd& end) const;
  // After hand_over() and fill(): to be closed elsewhere. Nothing else may be asked of this source then.
  [[nodiscard]] std::unique_ptr<Backend> take_backend() { return std::move(opened_.backend); }

  [[nodiscard]] int fd() const { return opened_.backend->fd(); }
  [[nodiscard]] Choice choice() const { return {opened_.kind, opened_.mechanism}; }
  [[nodiscard]] const OpenedBackend& opened() const { return opened_; }
  [[nodiscard]] const std::vector<Facet>& facets() const { return facets_; }
  [[nodiscard]] bool serves(Facet facet) const;
  // Not of the plan: what was there before, looked through once.
  [[nodiscard]] bool beside() const { return beside_; }
  [[nodiscard]] std::uint64_t events() const { return pipeline_.counters().events; }
  [[nodiscard]] BackendCounters counters() const { return opened_.backend->counters(); }
  [[nodiscard]] std::optional<std::uint64_t> probe_ns() const { return opened_.backend->probe_time_ns(); }
  [[nodiscard]] SilenceReport silence_report() const { return pipeline_.silence_report(); }
  std::uint64_t missed_runs_told = 0;  // the session's note

 private:
  void on_event(const Event& event) override;
  void on_record(std::unique_ptr<Record> record) override;
  void set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) override;
  // False: time ended it, and there was more.
  bool drain_for(std::chrono::milliseconds time_max);

  OpenedBackend opened_;
  std::vector<Facet> facets_;
  bool beside_;
  const SourceSetting& setting_;
  Pipeline pipeline_;
  ReorderWindow window_;
  Health health_;
  EventTime from_{}, until_{~std::uint64_t{0}};  // in the backend's clock
  EventTime bytes_at_{};                         // of the youngest bytes that came
  std::uint64_t not_read_ = 0;                   // events of before the end that were left in the backend's buffer
  std::optional<BackendCounters> at_end_;        // after finish(): without what was made after the end and not read
};

}  // namespace tracer::cli
