// Captured text for a terminal, which must not act on it.
#pragma once

#include <cstddef>
#include <string_view>

#include "core/sinks/line_buffer.h"

namespace tracer {

// Appends `text` with control characters and bytes that are not UTF-8 as \xNN, what hides or reorders text (see
// is_deceptive) as \u{N}, and a backslash doubled. Returns the number of characters appended.
std::size_t put_terminal_text(LineBuffer& out, std::string_view text);

}  // namespace tracer
