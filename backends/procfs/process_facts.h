// Everything that /proc tells at once of one process.
#pragma once

#include <cstdint>
#include <optional>

#include "backends/procfs/proc_reader.h"
#include "core/ownership.h"

namespace tracer::procfs {

// 11 system calls. nullopt: gone, or a thread that leads no group. `local_pid` is the number that this /proc has for
// it; the facts get it where `local_is_ours`.
[[nodiscard]] std::optional<ProcessFacts> read_process(const ProcessDirectory& directory, std::uint32_t tgid,
                                                       std::uint32_t local_pid, bool local_is_ours);

}  // namespace tracer::procfs
