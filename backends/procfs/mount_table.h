// Which parts of a process's file tree hang on a server that may never answer. A look into them can block whoever
// looks, for hours and beyond the reach of signals, so they are known before the first look.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "backends/procfs/proc_file_text.h"
#include "backends/procfs/proc_reader.h"

namespace tracer::procfs {

// Network file systems, FUSE in all its kinds, and what mounts them on demand.
[[nodiscard]] bool may_never_answer(std::string_view file_system);

inline constexpr std::size_t mountinfo_bytes_max = std::size_t{16} << 20;

// All mounts of the process's mount namespace, as its root has them. malformed: more than `bytes_max`, or not what a
// kernel writes.
[[nodiscard]] Found<std::vector<MountLine>> list_mounts(const ProcessDirectory& process,
                                                        std::size_t bytes_max = mountinfo_bytes_max);

// Mount points below which nothing may be looked at. What is mounted at "/" is none of them: without its answer the
// process itself would not run.
[[nodiscard]] std::vector<std::string> unsafe_mount_points(const std::vector<MountLine>& mounts);

// `path` is one of the mount points, or below one.
[[nodiscard]] bool lies_below(std::string_view path, const std::vector<std::string>& mount_points);

}  // namespace tracer::procfs
