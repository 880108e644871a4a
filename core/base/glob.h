// Shell patterns as filters take them: `*` any text, also across '/'; `?` one byte; `[a-z]`, `[!a-z]` one byte of a
// set;
// `\x` the byte x itself. The whole text must match.
#pragma once

#include <string_view>

namespace tracer {

[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace tracer
