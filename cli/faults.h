// The options --fault BACKEND:detach|stall|loss@SECONDS and --fault-retry SECONDS. Only in builds for tests.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/faulty_backend.h"
#include "core/base/result.h"

namespace tracer::cli {

struct Fault {
  BackendKind backend{};
  FaultKind kind{};
  std::chrono::milliseconds after{};  // the start of the program
};

// "tracepoint:stall@2.5".
[[nodiscard]] Result<Fault> parse_fault(std::string_view text);
struct FaultOptions {
  std::vector<Fault> faults;
  std::optional<std::chrono::milliseconds> retry;  // in place of both 30 s of CaptureTimes
};
// Takes all of them out of the command line.
[[nodiscard]] Result<FaultOptions> take_faults(std::vector<std::string>& args);
// A backend that is opened after the time of a fault is spared by it.
void make_faulty(OpenedBackend& opened, std::span<const Fault> faults, std::chrono::steady_clock::time_point began);

}  // namespace tracer::cli
