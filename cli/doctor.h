// The command `tracer doctor`: what this kernel allows, what a trace will take, why, and what could be done about it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cli/backend_table.h"
#include "cli/doctor_bundle.h"
#include "cli/options.h"
#include "cli/talk.h"
#include "core/capability.h"
#include "probe-matrix/doctor_report.h"

namespace tracer::cli {

struct DoctorRequest {
  const Options& options;
  std::function<CapabilityReport()> probe;  // of this machine; not called with --from
  HostFacts host;
  std::string host_name;                                 // is taken out of a bundle
  std::function<std::vector<RefusedProgram>()> refused;  // by the kernel, of what was opened so far
  std::span<const BackendRow> rows;
  Ownership& ownership;
  ProcfsParts* procfs = nullptr;
  int output_fd = 1;
  const Talk& talk;
  std::function<TlsLibraries()> tls_libraries{};  // of the processes of this machine; null: they are not looked for
};

[[nodiscard]] int run_doctor(const DoctorRequest& request);

// What the report of this machine says of it.
[[nodiscard]] HostFacts host_facts();

}  // namespace tracer::cli
