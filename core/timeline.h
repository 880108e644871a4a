// The one place where a backend's clock becomes run time (one clock for everything in a run) and wall time.
#pragma once

#include <cstdint>

#include "core/event.h"
#include "core/records/flow_identity.h"

namespace tracer {

// The same instant on two clocks, read once when the backend opened. A clock step later in the run does not move
// records against each other.
struct ClockAnchor {
  EventTime event;  // in the backend's domain
  std::uint64_t run_ns = 0;
  WallTime wall;
};

class Timeline {
 public:
  Timeline(ClockDomain domain, const ClockAnchor& anchor);

  // Backends that count wall time (realtime, file) need no anchor: run time is their own count.
  [[nodiscard]] static Timeline of_wall_clock(ClockDomain domain);
  // Run time is CLOCK_MONOTONIC; `wall_minus_monotonic_ns` is CLOCK_REALTIME - CLOCK_MONOTONIC at the start.
  [[nodiscard]] static Timeline of_monotonic(std::int64_t wall_minus_monotonic_ns);

  [[nodiscard]] ClockDomain domain() const { return domain_; }
  // Backend time to run time. Times before the run started map to 0.
  [[nodiscard]] EventTime to_run(EventTime backend_time) const;
  // Run time to wall time.
  [[nodiscard]] WallTime to_wall(EventTime run_time) const;

 private:
  ClockDomain domain_;
  std::int64_t run_minus_event_ns_;
  std::int64_t wall_minus_run_ns_;
};

}  // namespace tracer
