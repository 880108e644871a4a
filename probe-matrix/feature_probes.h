// What the kernel's BPF knows: program types, maps, helpers, what the verifier takes. Each by a program or map of its
// own; nothing is attached.
#pragma once

#include "probe-matrix/prober.h"

namespace tracer {

[[nodiscard]] Answer probe_prog_socket_filter(ProbeContext& context);
[[nodiscard]] Answer probe_prog_kprobe(ProbeContext& context);
[[nodiscard]] Answer probe_prog_tracepoint(ProbeContext& context);
[[nodiscard]] Answer probe_prog_raw_tracepoint(ProbeContext& context);
[[nodiscard]] Answer probe_prog_perf_event(ProbeContext& context);
[[nodiscard]] Answer probe_prog_tracing(ProbeContext& context);
[[nodiscard]] Answer probe_map_hash(ProbeContext& context);
[[nodiscard]] Answer probe_map_lru_hash(ProbeContext& context);
[[nodiscard]] Answer probe_map_percpu_array(ProbeContext& context);
[[nodiscard]] Answer probe_map_perf_event_array(ProbeContext& context);
[[nodiscard]] Answer probe_read_user(ProbeContext& context);
[[nodiscard]] Answer probe_current_cgroup_id(ProbeContext& context);
[[nodiscard]] Answer probe_current_task_btf(ProbeContext& context);
[[nodiscard]] Answer probe_ns_current_pid_tgid(ProbeContext& context);
[[nodiscard]] Answer probe_bpf_loop(ProbeContext& context);
[[nodiscard]] Answer probe_global_data(ProbeContext& context);
[[nodiscard]] Answer probe_bounded_loops(ProbeContext& context);
[[nodiscard]] Answer probe_large_programs(ProbeContext& context);
[[nodiscard]] Answer probe_statistics(ProbeContext& context);

}  // namespace tracer
