// Reads what BPF programs emit: a ring buffer shared by all processors, or a perf buffer per processor.
#pragma once

#include <cstddef>
#include <memory>

#include "core/backend.h"
#include "core/base/bytes.h"
#include "core/base/result.h"

namespace tracer {

// Called with one record, valid until it returns.
class WireHandler {
 public:
  virtual void on_wire(Bytes record) = 0;

 protected:
  ~WireHandler() = default;
};

class EventReader {
 public:
  virtual ~EventReader() = default;
  [[nodiscard]] virtual int fd() const = 0;
  // Hands over at most `budget` records, in the order in which they were made, without blocking.
  [[nodiscard]] virtual Result<Drained> drain(WireHandler& handler, std::size_t budget) = 0;

  [[nodiscard]] static Result<std::unique_ptr<EventReader>> open_ring(int map_fd);
  [[nodiscard]] static Result<std::unique_ptr<EventReader>> open_perf(int map_fd, std::size_t pages_per_cpu);
};

}  // namespace tracer
