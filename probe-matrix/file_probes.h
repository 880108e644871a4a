// The probes of files: what /proc shows, and who tells of opens.
#pragma once

#include "probe-matrix/prober.h"

namespace tracer {

[[nodiscard]] Answer probe_proc_mounted(ProbeContext& context);
[[nodiscard]] Answer probe_proc_net_tcp(ProbeContext& context);
[[nodiscard]] Answer probe_proc_other_processes(ProbeContext& context);
[[nodiscard]] Answer probe_proc_maps(ProbeContext& context);
[[nodiscard]] Answer probe_proc_complete(ProbeContext& context);
[[nodiscard]] Answer probe_fanotify(ProbeContext& context);
[[nodiscard]] Answer probe_fanotify_exec(ProbeContext& context);

}  // namespace tracer
