// How each mechanism is attached; tracepoint.cpp chooses.
#pragma once

#include "backends/bpf/bpf_backend.h"
#include "backends/tracepoint/tracepoint.h"

namespace tracer {

[[nodiscard]] Result<OpenedBackend> open_kernel_sockets(const TracepointOptions& options);
[[nodiscard]] Result<OpenedBackend> open_syscalls(const TracepointOptions& options);
[[nodiscard]] Result<OpenedBackend> open_typed_syscalls(const TracepointOptions& options);

[[nodiscard]] Result<OpenedBackend> open_tracefs(const TracepointOptions& options);  // without BPF

// What those on BPF have in common; the heartbeat is a write(2) to WIRE_BEAT_FD, or without socket programs a thread.
[[nodiscard]] BpfBackendOptions running_options(const TracepointOptions& options);

}  // namespace tracer
