// Which file systems fanotify watches.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "backends/procfs/proc_file_text.h"
#include "core/backend.h"

namespace tracer::procfs {

// Are the files on it ones that somebody wrote? Not those that the kernel makes up, nor those of a server that may not
// answer: the kernel opens a file for whoever reads its event.
[[nodiscard]] bool worth_a_mark(std::string_view file_system);

// Those that are worth it, and the root directory's in any case.
[[nodiscard]] std::vector<MountLine> mounts_to_mark(const std::vector<MountLine>& mounts);

// Whole file systems, whatever they are mounted as (Linux 4.20), else the mounts that are there now.
struct Marked {
  std::size_t marked = 0;
  bool whole_file_systems = true;
  std::vector<AttachOutcome> outcomes;
};
[[nodiscard]] Marked mark_mounts(int group, const std::vector<MountLine>& mounts, std::size_t marks_max);

}  // namespace tracer::procfs
