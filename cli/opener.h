// Walks the plan: opens what it chose; what does not open is planned around, with its reason.
#pragma once

#include <span>
#include <vector>

#include "cli/backend_table.h"
#include "probe-matrix/planner.h"

namespace tracer::cli {

struct Opened {
  Plan plan;  // as it came out
  std::vector<OpenedBackend> backends;
  bool attempt_failed = false;  // something that the probes allowed did not open
};

// `request` collects the failures. Whether the outcome is good enough is unmet()'s to say.
[[nodiscard]] Opened open_backends(std::span<const BackendRow> rows, PlanRequest& request, OpenRequest how);

}  // namespace tracer::cli
