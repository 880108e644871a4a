// What is there already when a trace begins, and all that a snapshot tells: programs that run, libraries that are
// mapped, files that are open. One look at /proc, told through drain() as preexisting; no privileges needed, and what
// could not be looked at is counted in blind().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/procfs/proc_reader.h"
#include "backends/procfs/process_cache.h"
#include "core/backend.h"
#include "core/process_selection.h"

namespace tracer {

struct ProcessScanOptions {
  std::string proc_root = "/proc";
  std::vector<Facet> facets;                    // process, file, library
  const ProcessSelection* processes = nullptr;  // null: all; must outlive the backend
  // Noted there, where this /proc does not count as the kernel does, so that Ownership knows whom the events mean.
  // Null: then nobody knows.
  std::shared_ptr<procfs::ProcessCache> known = nullptr;
  std::size_t processes_max = 32'768;
  std::size_t descriptors_max = 65'536;       // looked at of one process
  std::size_t maps_bytes_max = 16u << 20;     // read of one process
  std::uint64_t time_ns_max = 5'000'000'000;  // then it ends, and says so in blind()
  std::function<std::uint64_t()> now_ns{};    // empty: CLOCK_MONOTONIC
};

// Events: ProcessStarted only where `process` is asked for; LibraryMapped once per process and file; FileOpened of
// regular files. drain() answers `idle` once everything is told.
[[nodiscard]] Result<OpenedBackend> open_process_scan(ProcessScanOptions options);

}  // namespace tracer
