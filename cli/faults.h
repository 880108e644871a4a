// The option --fault BACKEND:detach|stall|loss@SECONDS. Only in builds for tests.
#pragma once

#include <chrono>
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
// Takes every --fault out of the command line.
[[nodiscard]] Result<std::vector<Fault>> take_faults(std::vector<std::string>& args);
// A backend that is opened after the time of a fault is spared by it.
void make_faulty(OpenedBackend& opened, std::span<const Fault> faults, std::chrono::steady_clock::time_point began);

}  // namespace tracer::cli
