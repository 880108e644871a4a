// Where the record of an analyzer lay in the two streams of its connection, and when its moments were.
#pragma once

#include <cstdint>
#include <optional>

#include "core/analyzer.h"
#include "core/event.h"

namespace tracer {

struct RecordExtent {
  struct Part {
    bool present = false;
    std::uint64_t first_offset = 0, end_offset = 0;
    EventTime first_at;
  };
  Part request, response;       // what the client sent, and the server
  bool ends_with_both = false;  // the last byte of either may be the last of all
};

// The client's end, where it is watched, gives all times of a transaction; else the server's does. One clock and one
// place for all of them, so that a duration never mixes two ends.
struct TransactionTimes {
  std::optional<EventTime> request_first, response_first, response_last;
  std::optional<EventTime> request_last;  // only where it may be the last of all
  bool may_still_come = false;            // the client's end has not told of all these bytes yet
  std::optional<Side> seen_at;
};

}  // namespace tracer
