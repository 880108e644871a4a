// Reading UTF-8 that may be hostile.
#pragma once

#include <cstddef>
#include <string_view>

namespace tracer {

struct CodePoint {
  char32_t value = 0;
  std::size_t size = 1;  // bytes
  bool valid = false;    // not valid: `size` bytes to be replaced by one U+FFFD (a maximal subpart, Unicode 3.9)
};

// The code point at the start of `text`, which is not empty. Refuses overlong forms, surrogates and > U+10FFFF.
[[nodiscard]] CodePoint decode_utf8(std::string_view text);

// Would a terminal act on it, or show nothing, or show the rest in another order? Control characters, line separators,
// bidirectional controls, zero-width and tag characters.
[[nodiscard]] bool is_deceptive(char32_t code_point);

}  // namespace tracer
