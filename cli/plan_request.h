// What a trace asks of the planner: `doctor` says what would come of the same options.
#pragma once

#include "cli/options.h"
#include "probe-matrix/planner.h"

namespace tracer::cli {

[[nodiscard]] PlanRequest plan_request(const Options& options);

}  // namespace tracer::cli
