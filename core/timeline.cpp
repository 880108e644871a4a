#include "core/timeline.h"

namespace tracer {

namespace {

// Nanosecond counts of any clock fit in 63 bits until the year 2262; differences wrap correctly.
std::int64_t difference(std::uint64_t a, std::uint64_t b) { return static_cast<std::int64_t>(a - b); }

}  // namespace

Timeline::Timeline(ClockDomain domain, const ClockAnchor& anchor)
    : domain_(domain),
      run_minus_event_ns_(difference(anchor.run_ns, anchor.event.ns)),
      wall_minus_run_ns_(difference(static_cast<std::uint64_t>(anchor.wall.ns), anchor.run_ns)) {}

Timeline Timeline::of_wall_clock(ClockDomain domain) { return Timeline(domain, ClockAnchor{}); }

Timeline Timeline::of_monotonic(std::int64_t wall_minus_monotonic_ns) {
  return Timeline(ClockDomain::monotonic, ClockAnchor{EventTime{0}, 0, WallTime{wall_minus_monotonic_ns}});
}

EventTime Timeline::to_run(EventTime backend_time) const {
  const std::uint64_t run_ns = backend_time.ns + static_cast<std::uint64_t>(run_minus_event_ns_);
  const bool before_run = run_minus_event_ns_ < 0 && backend_time.ns < static_cast<std::uint64_t>(-run_minus_event_ns_);
  return EventTime{before_run ? 0 : run_ns};
}

WallTime Timeline::to_wall(EventTime run_time) const {
  return WallTime{static_cast<std::int64_t>(run_time.ns + static_cast<std::uint64_t>(wall_minus_run_ns_))};
}

}  // namespace tracer
