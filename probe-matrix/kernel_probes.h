// The probes of the kernel's own tables and of its event directory.
#pragma once

#include "probe-matrix/prober.h"

namespace tracer {

[[nodiscard]] Answer probe_btf(ProbeContext& context);
// Where not even the folder of event sources is.
[[nodiscard]] Answer no_event_sources(ProbeContext& context, Capability asked);
[[nodiscard]] Answer probe_kernel_symbols(ProbeContext& context);
[[nodiscard]] Answer probe_function_tracing(ProbeContext& context);
[[nodiscard]] Answer probe_bpf_jit(ProbeContext& context);
[[nodiscard]] Answer probe_tracefs(ProbeContext& context);
[[nodiscard]] Answer probe_tracefs_instance(ProbeContext& context);
[[nodiscard]] Answer probe_exec_tp(ProbeContext& context);
[[nodiscard]] Answer probe_socket_state_tp(ProbeContext& context);
[[nodiscard]] Answer probe_uprobe(ProbeContext& context);

}  // namespace tracer
