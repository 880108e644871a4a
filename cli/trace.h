// The commands that capture: plan, open, run. Everything that touches the machine is given, so that tests give their
// own.
#pragma once

#include <chrono>
#include <functional>
#include <span>

#include "cli/backend_table.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/selection.h"
#include "cli/session.h"
#include "cli/talk.h"

namespace tracer::cli {

// Looks once at what is there already. `processes` is never null and outlives the backend.
using OpenScan = std::function<Result<OpenedBackend>(std::span<const Facet> facets, const ProcessSelection* processes)>;

struct TraceRequest {
  const Options& options;
  const CapabilityReport& report;  // before --without
  std::span<const BackendRow> rows;
  Ownership& ownership;
  ProcfsParts* procfs = nullptr;  // null: packets are not attributed to processes
  int output_fd = 1;
  const Talk& talk;
  std::chrono::steady_clock::time_point began;  // when the program started
  SessionTimes times{};
  std::function<void(OpenedBackend&)> on_opened{};  // see Opener
  CryptoLookup* crypto = nullptr;                   // null: no file or library is known for what it is
  const FileFilter* files = nullptr;                // null: every open is told
  OpenScan scan{};                                  // empty: what was there before is not told
  ParentOf parent_of{};                             // empty: only children that are seen to be started are followed
  Relatives relatives{};
};

[[nodiscard]] int run_trace(const TraceRequest& request);

}  // namespace tracer::cli
