// The ways to capture that are built into this program, and how each is opened.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/backend.h"
#include "core/capability.h"
#include "core/file_filter.h"
#include "core/ownership.h"
#include "core/process_selection.h"

namespace tracer::cli {

class ProcfsParts;

struct OpenRequest {
  Mechanism mechanism{};
  std::span<const Facet> facets;             // wanted of it; which of them did not attach is in OpenedBackend::refused
  const CapabilityReport* report = nullptr;  // never null; what is not supported there must not be used
  Ownership* ownership = nullptr;            // null: /proc cannot be read
  ProcfsParts* procfs = nullptr;             // null: packets are not attributed to processes
  bool chosen = false;                       // the user named this backend or mechanism: open it with its limits
  std::optional<std::uint32_t> ring_kib;     // absent: the backend's own default
  std::span<const std::uint16_t> ports;  // payload of connections without one of them is not needed; empty: of all is
  std::string_view interface{};          // only its packets; empty: of all
  bool measure_time = false;             // Backend::probe_time_ns() is wanted
  const FileFilter* files = nullptr;     // null: every open is told
  const ProcessSelection* processes = nullptr;  // null: all
};

struct BackendRow {
  BackendKind backend{};
  Mechanism mechanism{};
  Result<OpenedBackend> (*open)(const OpenRequest& request);
};

// In no order: which comes first is the planner's to say.
[[nodiscard]] std::span<const BackendRow> backend_rows();

}  // namespace tracer::cli
