// The doctor's report for people. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "cli/doctor_verify.h"
#include "probe-matrix/doctor_report.h"
#include "probe-matrix/planner.h"

namespace tracer::cli {

// The plan as a table of facets and backends, each choice with what it cannot show and why nothing better is here, what
// the machine allows, and what could be done. `verified`: what a trial run saw, if there was one.
[[nodiscard]] std::string doctor_text(const DoctorReport& report, const PlanRequest& request,
                                      std::span<const VerifyRow> verified);

// Only the table: facet × backend.
[[nodiscard]] std::string plan_table(const DoctorReport& report, const PlanRequest& request);

}  // namespace tracer::cli
