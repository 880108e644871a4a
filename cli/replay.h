// The command `tracer replay FILE`: the same analyzers, filters and output over a capture file. Needs no privileges and
// no /proc, and never drops a record: a slow reader makes it read slower.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "cli/options.h"
#include "cli/session.h"
#include "cli/talk.h"

namespace tracer::cli {

struct ReplayRequest {
  const Options& options;
  std::function<Result<OpenedBackend>(const std::string& path)> open;
  int output_fd = 1;
  const Talk& talk;
  std::chrono::steady_clock::time_point began;  // when the program started
};

[[nodiscard]] int run_replay(const ReplayRequest& request);

}  // namespace tracer::cli
