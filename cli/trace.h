// The command `tracer --auto`: plan, open, run. Everything that touches the machine is given, so that tests give their
// own.
#pragma once

#include <chrono>
#include <span>

#include "cli/backend_table.h"
#include "cli/options.h"
#include "cli/session.h"
#include "cli/talk.h"

namespace tracer::cli {

enum ExitCode : int {
  exit_ok = 0,
  exit_error = 1,  // general, and output that could not be written
  exit_usage = 2,
  exit_privileges = 3,
  exit_kernel = 4,
  exit_start = 5,  // capture failed to start
  exit_loss = 6,   // under --fail-on-loss
};

struct TraceRequest {
  const Options& options;
  const CapabilityReport& report;  // before --without
  std::span<const BackendRow> rows;
  Ownership& ownership;
  int output_fd = 1;
  const Talk& talk;
  std::chrono::steady_clock::time_point began;  // when the program started
  SessionTimes times{};
};

[[nodiscard]] int run_trace(const TraceRequest& request);

}  // namespace tracer::cli
