// The programs of tls.bpf.c in the kernel, and which of them belongs to which function.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backends/bpf/bpf_object.h"
#include "backends/ebpf/library_watch.h"
#include "backends/ebpf/tls_functions.h"

namespace tracer {

struct TlsPrograms {
  std::span<const TlsFunction> functions;
  bool many_places = false;  // one program for all, told by links which function it is; else one for each
  bool ring_buffer = true;   // as the carrier has it
};

// Loads them beside `carrier`, whose buffer and tables they use, and tells them what the functions are. They do nothing
// before wire_config.plaintext is set: without it nobody tells them which flow carries a session.
[[nodiscard]] Result<std::unique_ptr<BpfObject>> load_tls_programs(const TlsPrograms& wanted, const BpfObject& carrier,
                                                                   std::vector<AttachOutcome>& outcomes);

[[nodiscard]] std::vector<FunctionPrograms> tls_function_programs(const BpfObject& object,
                                                                  std::span<const TlsFunction> functions,
                                                                  bool many_places);
[[nodiscard]] CommonPrograms tls_common_programs(const BpfObject& object);

}  // namespace tracer
