// Reports and plans as JSON, for `doctor` and for tests.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "core/base/result.h"
#include "core/capability.h"
#include "core/records/trace_records.h"

namespace tracer {

// [{"name", "family", "verdict", "reason", "fix"}, …]
[[nodiscard]] nlohmann::ordered_json to_json(const CapabilityReport& report);
// {"http": {"backend", "mechanism", "missing": […], "rejected": [{"backend", "mechanism", "reason"}]}, …}
[[nodiscard]] nlohmann::ordered_json to_json(const Plan& plan);

// The inverse of to_json(report). Errc::malformed names the row that is wrong.
[[nodiscard]] Result<CapabilityReport> report_from_json(std::string_view text);
[[nodiscard]] Result<CapabilityReport> capabilities_from_json(const nlohmann::ordered_json& rows);

}  // namespace tracer
