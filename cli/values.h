// Text of the command line → values, each with its range. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "core/base/result.h"

namespace tracer::cli {

// A decimal number in [min, max], nothing before or after it.
[[nodiscard]] Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t min, std::uint64_t max);
// Seconds with an optional fraction, rounded to milliseconds; at most 365 days.
[[nodiscard]] Result<std::chrono::milliseconds> parse_seconds(std::string_view text);
// Per cent with an optional fraction: more than 0, at most 100.
[[nodiscard]] Result<double> parse_percent(std::string_view text);
// "404" or "5xx".
[[nodiscard]] Result<StatusRange> parse_status(std::string_view text);
// "10.0.0.0/8", "::1", "fe80::/10". Bits behind the prefix must be zero.
[[nodiscard]] Result<AddressRange> parse_address_range(std::string_view text);
[[nodiscard]] Result<Facet> parse_facet(std::string_view text);
[[nodiscard]] Result<BackendKind> parse_backend(std::string_view text);
[[nodiscard]] Result<Mechanism> parse_mechanism(std::string_view text);
[[nodiscard]] Result<Capability> parse_capability(std::string_view text);
// "http" or "http=tracepoint".
[[nodiscard]] Result<Requirement> parse_requirement(std::string_view text);

// The parts between commas. An empty part is an error.
[[nodiscard]] Result<std::vector<std::string_view>> split_list(std::string_view text);
[[nodiscard]] std::string ascii_lower(std::string_view text);

}  // namespace tracer::cli
