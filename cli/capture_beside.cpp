// Of Capture: the source that tells what was there before. It is no part of the plan: nothing takes its place when it
// ends.
#include <algorithm>
#include <utility>

#include "cli/capture.h"

namespace tracer::cli {

// Each of its events means reading of /proc: few at a time, or what is live waits too long.
bool Capture::drain_beside() {
  constexpr std::size_t events_max = 256;
  bool more = false;
  for (std::size_t i = 0; i < sources_.size();) {
    if (!sources_[i]->beside()) {
      ++i;
      continue;
    }
    const auto drained = sources_[i]->drain(Instant::now(), events_max);
    if (drained && *drained == Drained::more) {
      more = true;
      ++i;
      continue;
    }
    if (!drained) talk_.notice("what was there before: " + drained.error().context);
    sources_[i]->finish({});
    std::unique_ptr<Source> source = std::move(sources_[i]);
    sources_.erase(sources_.begin() + static_cast<std::ptrdiff_t>(i));
    retire(std::move(source));
  }
  return more;
}

bool Capture::looks_beside() const {
  return std::ranges::any_of(sources_, [](const auto& source) { return source->beside(); });
}

bool Capture::watches_nothing() const {
  return std::ranges::all_of(sources_, [](const auto& source) { return source->beside(); });
}

}  // namespace tracer::cli
