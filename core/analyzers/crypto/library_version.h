// The version of a library: by a text inside the file, or by its name.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/bytes.h"

namespace tracer {

// What follows ".so." in the last part of a path, if it reads like a version: "1.1", "3", "1.0.2k"; else empty.
[[nodiscard]] std::string_view version_in_name(std::string_view path);

struct VersionText {
  std::string version;  // "3.0.22"
  std::string text;     // as it stands there: "OpenSSL 3.0.22"
};
// The first place where one of `texts` is followed by a digit. A version that the end of `bytes` may have cut off does
// not count.
[[nodiscard]] std::optional<VersionText> find_version(Bytes bytes, std::span<const std::string> texts);

// find_version() finds every version that is not longer than this with its text, in pieces that overlap by as much.
inline constexpr std::size_t version_text_bytes_max = 1024 + 64;

}  // namespace tracer
