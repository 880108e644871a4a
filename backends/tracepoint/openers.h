// How each mechanism is attached; tracepoint.cpp chooses.
#pragma once

#include "backends/tracepoint/tracepoint_backend.h"

namespace tracer {

[[nodiscard]] Result<OpenedBackend> open_kernel_sockets(const TracepointOptions& options);
[[nodiscard]] Result<OpenedBackend> open_syscalls(const TracepointOptions& options);

}  // namespace tracer
