// The command `tracer --auto`: plan, open, run. Everything that touches the machine is given, so that tests give their
// own.
#pragma once

#include <chrono>
#include <functional>
#include <span>

#include "cli/backend_table.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/session.h"
#include "cli/talk.h"

namespace tracer::cli {

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
};

[[nodiscard]] int run_trace(const TraceRequest& request);

}  // namespace tracer::cli
