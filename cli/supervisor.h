// Decides when a source is dead and what is given up over a budget. Decisions only: pure state, fed with what was seen.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/backend.h"

namespace tracer::cli {

using SteadyTime = std::chrono::steady_clock::time_point;

struct HealthLimits {
  std::chrono::milliseconds beat{500};  // between two signs of life
  unsigned beats_missed_max = 2;        // in a row: dead
  std::chrono::milliseconds loss_window{1'000};
  unsigned loss_windows_max = 3;        // in a row above the threshold: dead
  double loss_percent = 25;             // of the events of a window; 100: never
  std::uint64_t loss_events_min = 100;  // a window with fewer lost says nothing
};

// The health of one backend. It is dead from the first reason on.
//
// A heartbeat counts as missed only when the backend was drained to idle after it was sent and did not bring it by the
// time of the next: what waits in a long queue is not missing. One that may have been among lost events is no evidence
// either.
class Health {
 public:
  Health(const HealthLimits& limits, SteadyTime now, const BackendCounters& counters);

  [[nodiscard]] bool beat_due(SteadyTime now) const { return now >= next_beat_; }
  // At each beat_due(): judges the beat before. `sent`: whether one could be sent now; where it could not, nothing is
  // known of the backend.
  void on_beat(SteadyTime now, bool sent, const Beats& beats, const BackendCounters& counters);
  // After each drain() that succeeded. `bytes_at`: when the youngest bytes that it brought were moved.
  void on_drained(SteadyTime now, bool idle, const Beats& beats, std::optional<SteadyTime> bytes_at);
  void on_error(const std::string& reason);
  [[nodiscard]] bool count_due(SteadyTime now) const { return now >= next_count_; }
  void on_counters(SteadyTime now, const BackendCounters& counters);

  // Why it is dead; nullopt: it is not.
  [[nodiscard]] const std::optional<std::string>& dead() const { return dead_; }
  // Whether death came of loss only: then it captured to the end.
  [[nodiscard]] bool only_lossy() const { return lossy_; }
  // Nothing can take its place, and what comes through is better than nothing: from now on loss is no reason to die.
  void outlive_loss();
  // It surely captured until then. Never later than the truth: where it has a heartbeat, the sending of one that came
  // back or the time of bytes that came; else the last drain without an error.
  [[nodiscard]] SteadyTime alive_at() const;

 private:
  void die(std::string reason);

  HealthLimits limits_;
  SteadyTime next_beat_, next_count_;
  SteadyTime sent_at_{}, alive_at_, drained_at_;
  std::uint64_t awaited_ = 0;  // so many will have come back with the pending one
  std::uint64_t lost_at_beat_ = 0, lost_ = 0, delivered_ = 0;
  bool pending_ = false, idle_since_ = false, has_beats_ = false, lossy_ = false;
  unsigned missed_ = 0, lossy_windows_ = 0;
  std::optional<std::string> dead_;
};

// What one source has cost so far.
struct SourceCost {
  bool shows_first_facet = false;         // of those that the user wants, the first: given up last
  std::optional<std::uint64_t> probe_ns;  // nullopt: not measured
  std::uint64_t events = 0;
};
// The source to give up next: the dearest (by probe time, then by events) of those that do not show the first facet.
// nullopt: only one is left.
[[nodiscard]] std::optional<std::size_t> dearest(std::span<const SourceCost> sources);

// Watches CPU time against --max-overhead.
class Budget {
 public:
  static constexpr std::chrono::milliseconds window{1'000};
  static constexpr unsigned windows_max = 3;  // in a row

  Budget(double percent_max, SteadyTime now, std::uint64_t spent_ns)
      : percent_max_(percent_max), since_(now), spent_ns_(spent_ns) {}
  [[nodiscard]] bool due(SteadyTime now) const { return now - since_ >= window; }
  // At each due(). `spent_ns`: CPU time of the tracer and of its probes so far. True: over budget for `windows_max`
  // windows; then the count begins anew.
  [[nodiscard]] bool over(SteadyTime now, std::uint64_t spent_ns);
  [[nodiscard]] double percent() const { return percent_; }  // of one CPU, in the last window
  void restart(SteadyTime now, std::uint64_t spent_ns);      // a source came or went: the sums jumped

 private:
  double percent_max_;
  double percent_ = 0;
  SteadyTime since_;
  std::uint64_t spent_ns_;
  unsigned windows_over_ = 0;
};

}  // namespace tracer::cli
