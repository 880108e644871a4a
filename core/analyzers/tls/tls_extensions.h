// The block of extensions at the end of a hello (RFC 8446 section 4.2), the same of both sides.
#pragma once

#include <cstdint>

#include "core/analyzers/tls/wire_reader.h"

namespace tracer {

// False: malformed. Of a type that comes twice the first one counts. `read_one(type, content, hello)` says whether the
// content is as it must be.
template <typename Hello, typename ReadOne>
[[nodiscard]] bool read_extensions(WireReader& in, Hello& hello, ReadOne read_one) {
  WireReader extensions(in.vector16());
  if (!in.ok() || !in.at_end()) return false;
  while (!extensions.at_end()) {
    const std::uint16_t type = extensions.u16();
    const Bytes content = extensions.vector16();
    if (!extensions.ok()) return false;
    const bool again = hello.has(type);
    hello.extensions.push_back(type);
    if (!again && !read_one(type, content, hello)) return false;
  }
  return true;
}

}  // namespace tracer
