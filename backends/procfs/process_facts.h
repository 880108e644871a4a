// Everything that /proc tells at once of one process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "backends/procfs/pid_numbering.h"
#include "backends/procfs/proc_reader.h"
#include "backends/procfs/process_cache.h"
#include "core/event.h"
#include "core/ownership.h"
#include "core/process_selection.h"

namespace tracer::procfs {

// 11 system calls. nullopt: gone, or a thread that leads no group. `local_pid` is the number that this /proc has for
// it; the facts get it where `local_is_ours`.
[[nodiscard]] std::optional<ProcessFacts> read_process(const ProcessDirectory& directory, std::uint32_t tgid,
                                                       std::uint32_t local_pid, bool local_is_ours);

inline constexpr std::size_t argument_bytes_max = 4096;

// What is told of a process that has become a program: the facts, and what is only told then. 14 system calls.
struct StartedProcess {
  ProcessFacts facts;
  std::uint32_t parent = 0;  // 0: none, or not known
  std::optional<std::uint32_t> gid;
  ProcessDirectory::Arguments arguments;  // empty: none, or not known
};
[[nodiscard]] std::optional<StartedProcess> read_started(const ProcessDirectory& directory, std::uint32_t tgid,
                                                         std::uint32_t local_pid, bool local_is_ours);
// Whether the user asked about that process. Notes it in `known` where nobody else could say whom `tgid` means.
[[nodiscard]] bool is_wanted(const ProcessDirectory& directory, std::uint32_t local_pid,
                             const NumberingFacts& numbering, const ProcessSelection* selection, ProcessCache* known);

// Borrows the texts.
[[nodiscard]] ProcessStarted started_event(const StartedProcess& process);

}  // namespace tracer::procfs
