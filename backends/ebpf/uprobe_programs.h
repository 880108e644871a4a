// The programs of uprobe.bpf.c in the kernel, and which of them belongs to which function.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backends/bpf/bpf_object.h"
#include "backends/ebpf/crypto_functions.h"
#include "backends/ebpf/library_watch.h"

namespace tracer {

struct UprobePrograms {
  std::span<const CryptoFunction> functions;
  bool many_places = false;  // one program for all, told by links which function it is; else one for each
  bool ring_buffer = true;
  std::size_t counters_max = 0, ring_bytes = 0;
};

// Loads them, and tells them what the functions are.
[[nodiscard]] Result<std::unique_ptr<BpfObject>> load_uprobe_programs(const UprobePrograms& wanted,
                                                                      std::vector<AttachOutcome>& outcomes);

[[nodiscard]] std::vector<FunctionPrograms> function_programs(const BpfObject& object,
                                                              std::span<const CryptoFunction> functions,
                                                              bool many_places);
[[nodiscard]] CommonPrograms common_programs(const BpfObject& object);

// Where child_pid lies in the record of sched:sched_process_fork, which changed with 6.16; 0: not known.
[[nodiscard]] std::uint32_t fork_child_offset();

}  // namespace tracer
