// One fast look at a text, to learn that nothing needs to be done to it. Most captured text is such.
#pragma once

#include <string_view>

namespace tracer {

struct TextTraits {
  bool escape = false;  // has a byte that is not printable ASCII, or '"' or '\'
  bool assign = false;  // has '=', '@' or '%': what redaction of URLs and text looks for
};

[[nodiscard]] TextTraits scan_text(std::string_view text);

}  // namespace tracer
