// FileSource over /proc/PID/{root,cwd,fd}: a path means what it means to the process that used it, in its chroot or its
// container.
//
// Nothing is opened but regular files on file systems of this machine's own. Not opened, with the reason in
// FileStat::reason: FIFOs, devices and sockets; what lies on NFS, CIFS, FUSE and the like, or behind an automounter
// (a server that does not answer would stop the tracer; a mount point younger than a second is not known yet);
// /proc, /sys and their kind (to read them is to do something, and /proc says something else to each reader).
//
// Of a process that is gone only absolute paths can be found, and only if it was looked at or adopted before and had
// the tracer's own root then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/file_source.h"

namespace tracer {

struct FileSourceOptions {
  std::string proc_root = "/proc";
  bool use_openat2 = true;                 // where the kernel has it
  std::size_t read_bytes_max = 64u << 20;  // of one read
  std::size_t processes_remembered_max = 16'384;
  std::uint64_t remembered_ns_max = 60'000'000'000;  // after the last look at a process
  std::uint64_t mounts_ns_max = 1'000'000'000;       // the age of a list of mounts
  std::function<std::uint64_t()> now_ns{};           // empty: CLOCK_MONOTONIC
};

class ProcFileSource : public FileSource {
 public:
  // Notes in which root the process runs, while it lives.
  virtual void look_at(std::uint32_t pid) = 0;
  // `child` began as a child of `parent`: should it end before anybody looks at it, it is taken to have had the same
  // root. Only for processes of which that is to be expected, such as those of the command that is traced: a child
  // that enters a container and ends at once would be looked for in the wrong place.
  virtual void adopt(std::uint32_t parent, std::uint32_t child) = 0;
};

[[nodiscard]] Result<std::unique_ptr<ProcFileSource>> open_file_source(FileSourceOptions options = {});

}  // namespace tracer
