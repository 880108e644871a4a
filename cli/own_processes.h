// Whose traffic is the tracer's own doing and must not be traced: that would feed on itself.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ownership.h"

namespace tracer::cli {

// The tracer, and the processes that read its output pipe as their standard input (`tracer | nc …`). Numbered as in the
// initial pid namespace.
[[nodiscard]] std::vector<std::uint32_t> own_processes(Ownership& ownership, int output_fd);

}  // namespace tracer::cli
