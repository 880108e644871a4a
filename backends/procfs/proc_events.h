// Backend `procfs`, facet process: forks, execs and exits.
//
// proc_events: told by the kernel's proc connector (CAP_NET_ADMIN, initial pid and user namespaces), with exit codes
// and the shortest of processes. poll: found by listing /proc; processes that live between two looks are not seen, and
// nobody says how one ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "backends/procfs/ownership.h"
#include "backends/procfs/process_cache.h"
#include "core/backend.h"

namespace tracer {

struct ProcEventsOptions {
  std::string proc_root = "/proc";
  std::shared_ptr<procfs::ProcessCache> processes = nullptr;  // null: an own one
  std::uint64_t self_test_ns_max = 300'000'000;               // proc_events: how long the first event may take
  std::uint64_t interval_ns = 200'000'000;                    // poll: between two looks
  std::size_t processes_max = 32'768;
  std::function<std::uint64_t()> now_ns = procfs::monotonic_now_ns;
};

// Answers once an own child was seen to begin and end: some kernels accept the subscription and tell nobody.
[[nodiscard]] Result<OpenedBackend> open_proc_events(ProcEventsOptions options);
[[nodiscard]] Result<OpenedBackend> open_process_poll(ProcEventsOptions options);

}  // namespace tracer
