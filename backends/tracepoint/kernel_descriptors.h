// The maps in which the floor's programs keep which descriptor is which flow, as user space reads and writes them.
#pragma once

#include <memory>

#include "backends/tracepoint/descriptor_tracker.h"

namespace tracer {

// The descriptors of maps `descriptors` and `streams` of floor.bpf.c; both must outlive the answer.
[[nodiscard]] std::unique_ptr<DescriptorMap> kernel_descriptors(int descriptors_fd, int streams_fd);

}  // namespace tracer
