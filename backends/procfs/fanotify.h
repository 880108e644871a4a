// Backend `procfs`, facet file: the kernel tells of each file that is opened on the file systems marked (fanotify,
// CAP_SYS_ADMIN), with the process and an open descriptor of the file itself.
//
// Not seen: opens that failed (so every record lists `errno` as missing), the flags, the path as it was given (what is
// told is the file's own, so it is `inferred`), directories, FIFOs and devices; file systems of servers that may never
// answer, and those made by the kernel. The time is that of the reading. Opens of one file by one process that were
// not read yet are one event. A process in another pid namespace than the tracer's, and not below it, has no number.
//
// Nothing waits for this backend: it only listens, and is no guard (FAN_*_PERM) that could hang the machine. When it
// reads too slowly the kernel drops events, tells so once, and it is a loss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "backends/procfs/process_cache.h"
#include "core/backend.h"

namespace tracer {

struct FanotifyOptions {
  std::string proc_root = "/proc";
  std::shared_ptr<procfs::ProcessCache> known = nullptr;  // as of ProcessScanOptions
  std::size_t marks_max = 256;                            // file systems; further ones are not watched, and said
  std::uint64_t self_test_ns_max = 300'000'000;           // until an own open is told
  std::function<std::uint64_t()> now_ns{};                // empty: CLOCK_MONOTONIC
};

[[nodiscard]] Result<OpenedBackend> open_fanotify(FanotifyOptions options);

}  // namespace tracer
