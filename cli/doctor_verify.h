// `doctor --verify`: opens what was planned, makes traffic of its own and counts what comes back.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/backend_table.h"
#include "cli/opener.h"
#include "core/ownership.h"
#include "probe-matrix/planner.h"

namespace tracer::cli {

struct VerifyRow {
  Facet facet{};
  std::optional<BackendKind> backend;  // absent: nothing shows it
  std::optional<Mechanism> mechanism;
  std::string_view what;  // is counted: "requests"
  std::uint64_t expected = 0, seen = 0;
  std::string note;
};

// A way to capture that opened, with what of it attached.
struct OpenedWay {
  BackendKind backend{};
  Mechanism mechanism{};
  std::vector<AttachOutcome> outcomes;
};

struct Verification {
  Plan plan;  // as it came out
  std::vector<VerifyRow> rows;
  std::vector<OpenedWay> opened;
  [[nodiscard]] bool anything_seen() const;
  [[nodiscard]] bool everything_seen() const;
};

struct VerifyRequest {
  std::span<const BackendRow> rows;
  PlanRequest plan;
  OpenRequest how;
  Ownership& ownership;
  bool make_traffic = true;                    // false: only opens and closes
  std::chrono::milliseconds wait{1500};        // for what was not seen yet
  std::chrono::milliseconds wait_max{10'000};  // while there is more to read: on a busy machine that may take long
  // A program that writes to its standard output and ends; it runs for a moment.
  std::vector<std::string> program{"/proc/self/exe", "version"};
};
[[nodiscard]] Verification verify(const VerifyRequest& request);

}  // namespace tracer::cli
