// Facts about where this kernel runs.
#pragma once

#include "probe-matrix/prober.h"

namespace tracer {

[[nodiscard]] Answer probe_in_container(ProbeContext& context);
[[nodiscard]] Answer probe_in_virtual_machine(ProbeContext& context);
[[nodiscard]] Answer probe_in_wsl(ProbeContext& context);
[[nodiscard]] Answer probe_in_gvisor(ProbeContext& context);

}  // namespace tracer
