// Finds a file by its path below a root that is not the tracer's own, without leaving that root, without following the
// links of /proc that mean the reader, and without touching what may never answer. The file itself is not opened.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/unique_fd.h"

namespace tracer::procfs {

enum class WalkRefusal : std::uint8_t {
  gone,
  denied,
  unsafe,      // on a file system that may never answer
  magic_link,  // through a link of /proc: it leads elsewhere for each who reads it
  too_long,    // too many links or components
  failed,
};

struct Walked {
  UniqueFd file;     // O_PATH
  std::string path;  // in that root, without links; empty: not known
};

// By the kernel (openat2, Linux 5.6), which is atomic against renames. Answers nullopt-like `failed` where it is not
// there; then walk_by_hand() is as safe, but a directory that is moved meanwhile may be looked for where it was.
[[nodiscard]] std::expected<Walked, WalkRefusal> walk_in_kernel(int root, std::string_view path);
[[nodiscard]] std::expected<Walked, WalkRefusal> walk_by_hand(int root, std::string_view path,
                                                              const std::vector<std::string>& unsafe_mount_points);

}  // namespace tracer::procfs
