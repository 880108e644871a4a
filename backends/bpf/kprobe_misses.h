// Runs that the kernel skipped before a program was even reached: a probe inside a probe, or more calls of a function
// in progress at once than its return probe has room for.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/bytes.h"

struct bpf_link;

namespace tracer {

// Out of what BPF_OBJ_GET_INFO_BY_FD says about one link; nullopt: not a kernel function probe, or a kernel that does
// not say (before 6.7). Pure.
[[nodiscard]] std::optional<std::uint64_t> kprobe_misses_in(Bytes link_info);

// 0 also where the kernel does not say.
[[nodiscard]] std::uint64_t kprobe_misses(const bpf_link* link);

}  // namespace tracer
