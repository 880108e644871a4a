// The core's verdicts, as the BPF programs read them: a table in memory shared with the kernel, so that a verdict costs
// no system call; where the map cannot be mapped (before 5.5), one call each.
#pragma once

#include <memory>

#include "backends/bpf/wire.h"
#include "core/backend.h"
#include "core/base/result.h"

namespace tracer {

class VerdictMap {
 public:
  // Does not own `map_fd`, which must outlive it.
  [[nodiscard]] static Result<std::unique_ptr<VerdictMap>> open(int map_fd, bool mappable);
  ~VerdictMap();
  VerdictMap(const VerdictMap&) = delete;
  VerdictMap& operator=(const VerdictMap&) = delete;

  // Two living flows that share a slot: the later one has it, the earlier one falls back to the default.
  void set(FlowId flow, Direction direction, const StreamVerdict& verdict);

 private:
  VerdictMap(int map_fd, wire_verdict* table) : map_fd_(map_fd), table_(table) {}
  int map_fd_;
  wire_verdict* table_;  // null: not mapped
};

}  // namespace tracer
