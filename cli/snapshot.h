// The command `tracer snapshot`: one look at what runs, what is mapped and what is open. Needs no privileges; what it
// could not look at is counted.
#pragma once

#include <chrono>

#include "cli/options.h"
#include "cli/session.h"
#include "cli/talk.h"
#include "cli/trace.h"

namespace tracer::cli {

struct SnapshotRequest {
  const Options& options;
  OpenScan scan;
  Ownership& ownership;
  CryptoLookup* crypto = nullptr;
  int output_fd = 1;
  const Talk& talk;
  std::chrono::steady_clock::time_point began;  // when the program started
  SessionTimes times{};
};

[[nodiscard]] int run_snapshot(SnapshotRequest request);

}  // namespace tracer::cli
