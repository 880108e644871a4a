// BPF object files are linked into the program compressed, because there are many and a machine needs one or two.
#pragma once

#include <span>
#include <vector>

#include "core/base/result.h"

namespace tracer {

// The object file in `image`: inflated if that is a gzip member (RFC 1952), else a copy of it.
[[nodiscard]] Result<std::vector<unsigned char>> unpack_image(std::span<const unsigned char> image);

}  // namespace tracer
