// Backend `procfs`, mechanism poll, facets file and library: what processes have open and mapped, looked at every now
// and then. What was there at the first look is not told: that is open_process_scan's.
//
// Not seen: files that were opened and closed between two looks, and so most certificates and keys, which are read
// within a millisecond; opens that failed (every record lists `errno` as missing); a file that was opened again by the
// same descriptor number; libraries that were mapped and unmapped between two looks. Libraries stay mapped, so that of
// a process that lives for longer than a look all are told. The time is that of the look. Where the proc connector
// tells of a new program, that process is looked at a few times during its first 200 ms, when programs load what they
// need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/procfs/process_cache.h"
#include "backends/procfs/process_look.h"
#include "core/backend.h"
#include "core/process_selection.h"

namespace tracer {

struct FilePollOptions {
  std::string proc_root = "/proc";
  std::vector<Facet> facets;                              // file, library
  const ProcessSelection* processes = nullptr;            // null: all; must outlive the backend
  std::shared_ptr<procfs::ProcessCache> known = nullptr;  // as of ProcessScanOptions
  std::uint64_t interval_ns = 1'000'000'000;              // between two looks
  std::uint32_t cost_factor = 20;                         // and at least this many times what the last one took
  bool use_proc_events = true;
  std::uint64_t self_test_ns_max = 300'000'000;  // of the proc connector
  std::size_t processes_max = 32'768;
  std::size_t known_max = 1'000'000;  // files remembered, of all processes; 8 bytes each
  procfs::LookLimits limits{};
  std::function<std::uint64_t()> now_ns{};  // empty: CLOCK_MONOTONIC
};

// Answers once the tracer itself was found in the list of processes.
[[nodiscard]] Result<OpenedBackend> open_file_poll(FilePollOptions options);

}  // namespace tracer
