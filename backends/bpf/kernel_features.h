// What this kernel's type information says about itself where programs must be chosen by it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace tracer {

struct KernelFeatures {
  bool bpf_loop = false;        // the helper: 5.17
  bool hold_processor = false;  // bpf_preempt_disable(), which programs may call: 6.10
  // Programs at tracepoints can be preempted: SRCU guards them instead of preemption being off, since 7.0
  // (a46023d5616e, "tracing: Guard __DECLARE_TRACE() use of __DO_TRACE_CALL() with SRCU-fast").
  bool preemptible_tracepoints = false;
  bool io_uring_submissions = false;  // the tracepoint io_uring_submit_req, by which they can be counted: 6.3
};

// Pure; `types` is the content of kernel_types_path.
[[nodiscard]] Result<KernelFeatures> find_kernel_features(Bytes types);

// `path` empty: the running kernel's.
[[nodiscard]] Result<std::vector<std::byte>> read_kernel_types(const std::string& path);

}  // namespace tracer
