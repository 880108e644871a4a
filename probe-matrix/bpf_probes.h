// The probes that go through bpf(2) and perf_event_open(2).
#pragma once

#include "probe-matrix/prober.h"

namespace tracer {

// Before the others: until 5.11 maps and programs count as locked memory, of which a process may have 64 KiB; what one
// probe made is still counted when the next asks. A refusal changes nothing.
void allow_locked_memory(System& system);

[[nodiscard]] Answer probe_bpf_syscall(ProbeContext& context);
[[nodiscard]] Answer probe_bpf_ring_buffer(ProbeContext& context);
[[nodiscard]] Answer probe_bpf_mmapable_array(ProbeContext& context);
[[nodiscard]] Answer probe_bpf_probe_read_kernel(ProbeContext& context);
[[nodiscard]] Answer probe_raw_tp(ProbeContext& context);
[[nodiscard]] Answer probe_tp_btf(ProbeContext& context);
[[nodiscard]] Answer probe_fentry(ProbeContext& context);
[[nodiscard]] Answer probe_fexit(ProbeContext& context);
[[nodiscard]] Answer probe_kprobe(ProbeContext& context);
[[nodiscard]] Answer probe_perf_event_open(ProbeContext& context);
[[nodiscard]] Answer probe_syscall_tp(ProbeContext& context);

// What perf_event_open(2) refused, with the sysctl that may be why.
[[nodiscard]] Answer perf_refused(ProbeContext& context, Capability capability, std::string_view what,
                                  const Error& error);

// The id of a tracepoint of the event directory, e.g. "syscalls/sys_enter_read".
[[nodiscard]] Result<std::uint64_t> tracepoint_id(System& system, std::string_view event);

}  // namespace tracer
