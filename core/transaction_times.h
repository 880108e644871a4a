// When the four moments of a transaction were.
#pragma once

#include <optional>

#include "core/analyzer.h"
#include "core/event.h"

namespace tracer {

// The client's end, where it is watched, gives all times of a transaction; else the server's does. One clock and one
// place for the four of them, so that a duration never mixes two ends.
struct TransactionTimes {
  std::optional<EventTime> request_first, response_first, response_last;
  bool may_still_come = false;  // the client's end has not told of all these bytes yet
  std::optional<Side> seen_at;
};

}  // namespace tracer
