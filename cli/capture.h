// All sources of a run, and what becomes of their facets: one that dies gives them to the next best backend, and gets
// them back when it is healthy again.
//
// When the watch changes hands there is one instant T: the old source tells what happened before, the new one what
// happened after. For a source that died T is before the opening of the next; one that still works goes on until the
// next is open.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/closer.h"
#include "cli/opener.h"
#include "cli/source.h"
#include "cli/talk.h"

namespace tracer::cli {

struct CaptureTimes {
  using Duration = std::chrono::milliseconds;
  HealthLimits health;
  Duration retry{30'000};       // between two tries to open a better backend again
  Duration standby{30'000};     // it must be healthy this long before it gets its facets back
  Duration hand_over{200};      // for what is still in the old backend's buffer
  Duration last_drain{500};     // at the end, on a machine that does not pause
  Duration last_close{10'000};  // at the end, for backends that were replaced and are still being closed
};

struct CaptureOptions {
  CaptureTimes times;
  std::optional<double> overhead_percent_max;  // of one CPU
  Facet first_facet = Facet::http;             // given up last
  bool replaceable = true;                     // false: the source is a file; nothing can take its place
  std::vector<Facet> instead;                  // shown when nothing that was asked for can be; empty: nothing is
  CryptoLookup* crypto = nullptr;              // null: no file or library is known for what it is
  std::vector<std::string> file_patterns{};    // globs; empty: what `crypto` takes for candidates
  Selection* selection = nullptr;              // null: nobody in particular was asked about
};

class CaptureReader : public RecordReader {
 public:
  virtual void on_switch(const BackendSwitch& change) = 0;

 protected:
  ~CaptureReader() = default;
};

class Capture {
 public:
  // All references must outlive it. `sources` came from `opener`.
  Capture(CaptureOptions options, Opener& opener, std::vector<OpenedSource> sources, Ownership& ownership,
          std::vector<std::uint32_t> ignored_tgids, CaptureReader& reader, const Talk& talk);
  ~Capture();

  // True: there is more to read now.
  bool drain(std::size_t events_max);
  // What was there before is still being looked through.
  [[nodiscard]] bool looks_beside() const;
  // Heartbeats, losses, budget, and what follows from them. Call after drain().
  void supervise();
  // Drains for the last time and ends all streams.
  void finish();

  // Why nothing captures any more; nullopt: something does.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  [[nodiscard]] bool ended() const { return ended_; }  // the end of a file
  // Changes whenever descriptors() does.
  [[nodiscard]] unsigned generation() const { return generation_; }
  [[nodiscard]] std::vector<int> descriptors() const;
  [[nodiscard]] const std::vector<std::unique_ptr<Source>>& sources() const { return sources_; }
  [[nodiscard]] bool closing() const { return closer_.busy(); }  // something that was replaced
  [[nodiscard]] std::uint64_t events() const;                    // so far, of those that are gone too
  [[nodiscard]] SilenceReport silence_report() const;
  // Runs of programs that the kernel says it skipped.
  [[nodiscard]] std::uint64_t missed_runs() const;
  // What it knows of the last record of the trace.
  [[nodiscard]] TraceEnd summary() const;

 private:
  struct Recovery;  // of a choice of the first plan that died
  enum class Old : std::uint8_t { dead, alive };
  enum class Next : std::uint8_t { best, none };

  void replace(std::size_t index, std::string reason, Old old, Next next);
  void discard(std::vector<OpenedSource>& opened);
  void show_instead();
  void retire(std::unique_ptr<Source> source);
  bool drain_beside();
  void add(OpenedSource opened, const std::optional<Instant>& from, std::optional<Handover> handover);
  void tell(Facet facet, const Choice& from, const std::optional<Choice>& to, const std::string& reason,
            double unwatched_ms);
  void keep_to_budget();
  // False: nothing of it can be spared.
  bool shed(const std::string& reason);
  bool give_up_dearest(const std::string& reason);
  void recover();
  [[nodiscard]] Result<OpenedSource> open_again(const Recovery& recovery);
  void try_standby(Recovery& recovery, SteadyTime now);
  void end_standby(Recovery& recovery);
  bool switch_back(Recovery& recovery);
  void recover_without(Facet facet);
  // A --require or --strict that the run does not meet any more.
  [[nodiscard]] bool unmet_demand() const;
  [[nodiscard]] bool watches_nothing() const;
  [[nodiscard]] std::uint64_t spent_ns() const;

  CaptureOptions options_;
  Opener& opener_;
  CaptureReader& reader_;
  const Talk& talk_;
  SourceSetting setting_;
  Closer closer_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<Recovery> recoveries_;
  std::vector<std::pair<Facet, Choice>> first_plan_;
  std::vector<std::pair<Facet, std::string>> shed_;  // over the budget, for the rest of the run; why
  std::optional<Budget> budget_;
  TraceEnd past_;  // what sources said that are gone
  std::uint64_t past_events_ = 0, past_missed_runs_ = 0, past_probe_ns_ = 0;
  std::optional<Error> failure_;
  std::uint64_t id_ranges_ = 0;
  unsigned generation_ = 0;
  bool ended_ = false, nothing_to_shed_told_ = false, instead_ = false;
};

}  // namespace tracer::cli
