// Of Capture: what all its sources counted, those that are gone too.
#include <algorithm>

#include "cli/capture.h"

namespace tracer::cli {

std::uint64_t Capture::events() const {
  std::uint64_t sum = past_events_;
  for (const auto& source : sources_) sum += source->events();
  return sum;
}

std::uint64_t Capture::missed_runs() const {
  std::uint64_t sum = past_missed_runs_;
  for (const auto& source : sources_) {
    const BackendCounters counters = source->counters();
    if (counters.missed_runs_measured) sum += counters.missed_runs;
  }
  return sum;
}

SilenceReport Capture::silence_report() const {
  SilenceReport sum;
  for (const auto& source : sources_) {
    const SilenceReport one = source->silence_report();
    if (source->serves(options_.first_facet) || sources_.size() == 1) return one;
  }
  return sum;
}

TraceEnd Capture::summary() const {
  TraceEnd end = past_;
  for (const auto& source : sources_) source->fill(end);
  return end;
}

}  // namespace tracer::cli
