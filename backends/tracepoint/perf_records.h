// Parser of what perf_event_open(2) puts into its buffer. Pure.
#pragma once

#include <cstdint>

#include "backends/tracepoint/trace_record.h"

namespace tracer {

// What every sample must hold, in this order: the parser understands no other.
inline constexpr std::uint64_t perf_sample_fields = 1U << 1U | 1U << 2U | 1U << 10U;  // TID, TIME, RAW

// `data`: whole records, as they lie between tail and head. False: it does not follow the format; what was read before
// the damage was told.
[[nodiscard]] bool parse_perf_records(Bytes data, TraceHandler& handler);

}  // namespace tracer
