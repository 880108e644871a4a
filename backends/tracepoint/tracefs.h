// The kernel's event directory.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/tracepoint/event_format.h"
#include "core/base/result.h"

namespace tracer {

inline constexpr std::size_t tracefs_file_bytes_max = 16'384;

// Where it may be mounted, best first.
[[nodiscard]] std::vector<std::string> tracefs_roots();

// At most tracefs_file_bytes_max bytes of a file.
[[nodiscard]] Result<std::string> read_small_file(const std::string& path);
[[nodiscard]] Result<void> write_small_file(const std::string& path, std::string_view text);

// `event` is CATEGORY/NAME. The second form looks in all roots.
[[nodiscard]] Result<EventFormat> read_event_format(const std::string& root, const std::string& event);
[[nodiscard]] Result<EventFormat> read_event_format(const std::string& event);

}  // namespace tracer
