// `doctor --bundle FILE`: everything that a bug report needs, in one file, without what is nobody's business.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/doctor_verify.h"
#include "core/base/result.h"
#include "probe-matrix/doctor_report.h"

namespace tracer::cli {

// A program that the kernel refused, with all that it said.
struct RefusedProgram {
  std::string object, program, code, log;
};

// {"schema_version", "report", "opened": […], "refused_programs": […]}, with home directories, secrets and `host_name`
// taken out of every text.
[[nodiscard]] std::string bundle_text(const DoctorReport& report, const Verification& verification,
                                      const std::vector<RefusedProgram>& refused, std::string_view host_name);

// Makes the file, with mode 0600. One that is there is never overwritten; one that cannot be written whole is removed.
[[nodiscard]] Result<void> write_bundle(const std::string& path, std::string_view text);

}  // namespace tracer::cli
