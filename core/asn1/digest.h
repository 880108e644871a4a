// SHA-256 (FIPS 180-4) as fingerprints are written.
#pragma once

#include <initializer_list>
#include <string>

#include "core/base/bytes.h"

namespace tracer {

// Of the parts, one after the other; lower-case hexadecimal.
[[nodiscard]] std::string sha256_hex(std::initializer_list<Bytes> parts);
[[nodiscard]] inline std::string sha256_hex(Bytes bytes) { return sha256_hex({bytes}); }

[[nodiscard]] std::string to_hex(Bytes bytes);

}  // namespace tracer
