// What `doctor` says of a machine: one document, which another machine can plan from. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/capability.h"
#include "core/records/trace_records.h"
#include "probe-matrix/tls_libraries.h"

namespace tracer {

// The first number grows when a reader could break.
inline constexpr std::string_view doctor_schema_version = "1.0";

struct HostFacts {
  std::string kernel;   // release
  std::string boot_id;  // answers hold until the next boot, for the same privileges
  std::string os;       // PRETTY_NAME of os-release
};

struct DoctorReport {
  std::string version;  // of the tracer that asked
  HostFacts host;
  CapabilityReport capabilities;
  Plan plan;
  std::optional<TlsLibraries> tls_libraries{};  // absent: nobody looked
};

// Something can be shown.
[[nodiscard]] bool works(const Plan& plan);
// Something is shown by a lesser way than there could be, or not at all, because of this machine. What this version
// cannot show anywhere, and what the user left out, does not count.
[[nodiscard]] bool is_degraded(const Plan& plan);

[[nodiscard]] nlohmann::ordered_json to_json(const DoctorReport& report);
// Without the plan, which is made anew. Errc::invalid_argument: of another version; Errc::malformed: damaged.
[[nodiscard]] Result<DoctorReport> doctor_report_from_json(std::string_view text);

}  // namespace tracer
