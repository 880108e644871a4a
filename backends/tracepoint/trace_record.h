// One record of a tracepoint as the kernel wrote it, without BPF: by perf_event_open or through a tracefs instance.
#pragma once

#include <cstdint>

#include "core/base/bytes.h"
#include "core/event.h"

namespace tracer {

struct TraceRecord {
  std::uint64_t at_ns = 0;  // CLOCK_MONOTONIC
  ProcessRef who;           // whose context it was; tgid 0: the source does not say
  Bytes raw;                // laid out as the event's format file says
};

class TraceHandler {
 public:
  virtual void on_trace(const TraceRecord& record) = 0;
  // Records that the kernel had no room for, since the one before.
  virtual void on_lost(std::uint64_t records) = 0;

 protected:
  ~TraceHandler() = default;
};

}  // namespace tracer
