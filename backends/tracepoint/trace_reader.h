// Two ways to read tracepoints without BPF. One that exists has the events switched on; destroying it removes all that
// it made.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/tracepoint/trace_record.h"
#include "core/base/result.h"

namespace tracer {

struct TraceSource {
  std::string name;      // CATEGORY/NAME
  std::uint16_t id = 0;  // as in its `id` file
};

class TraceReader {
 public:
  virtual ~TraceReader() = default;
  // Readable when a quarter of the buffer is full.
  [[nodiscard]] virtual int fd() const = 0;
  // Hands over all records that are there, processor by processor: ordered within each only.
  [[nodiscard]] virtual Result<void> read(TraceHandler& handler) = 0;
  [[nodiscard]] virtual std::uint64_t malformed() const = 0;  // stretches of the buffer that could not be understood
};

// By perf_event_open(2): says whose thread it was, and needs no write access to tracefs. `ring_bytes`: of all
// processors together; less where the kernel gives less.
[[nodiscard]] Result<std::unique_ptr<TraceReader>> open_perf_reader(const std::vector<TraceSource>& sources,
                                                                    std::size_t ring_bytes);

// By an own tracing instance, ROOT/instances/tracer-PID-N, so that nobody else's tracing is disturbed.
[[nodiscard]] Result<std::unique_ptr<TraceReader>> open_instance_reader(const std::string& root,
                                                                        const std::vector<TraceSource>& sources,
                                                                        std::size_t ring_bytes);

// Removes instances of tracers that were killed; how many.
std::size_t remove_dead_instances(const std::string& root);

}  // namespace tracer
