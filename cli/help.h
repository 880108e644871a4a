// Texts about the program itself. Pure.
#pragma once

#include <string>
#include <string_view>

namespace tracer::cli {

inline constexpr std::size_t help_columns = 80;

// `topic`: a command, or empty for the overview.
[[nodiscard]] std::string help_text(std::string_view topic);
[[nodiscard]] std::string version_text();
// What is linked in, under which licences; the text of the file NOTICE.
[[nodiscard]] std::string_view licenses_text();

}  // namespace tracer::cli
