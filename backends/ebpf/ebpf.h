// Backend `ebpf`: what goes through TCP sockets, seen at the kernel's own functions for it, below every system call.
//
// Mechanisms, best first: fentry attaches to functions and typed tracepoints at next to no cost; kprobe sets
// breakpoints on the same functions, which older kernels and more architectures can do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "backends/bpf/companion.h"
#include "core/backend.h"
#include "core/file_filter.h"

namespace tracer {

struct EbpfOptions {
  Mechanism mechanism = Mechanism::fentry;
  std::size_t ring_bytes = 16u << 20;  // buffer between kernel and tracer; a power of two, at least a page
  std::string btf_path;                // type information to use instead of the running kernel's; empty: the kernel's
  bool ring_buffer = true;             // false: perf buffers (kernels before 5.8); kprobe only
  bool mappable_arrays = true;         // false: verdicts by system call (kernels before 5.5)
  // Open also where only the first segment of a call with several can be read: without kernel reads before 6.2.
  bool first_segments_only = false;
  bool kernel_reads = true;          // false: bpf_probe_read_kernel is refused (lockdown=confidentiality); fentry only
  std::vector<std::uint16_t> ports;  // no payload of flows that have none of them is copied; see BpfBackendOptions
  std::vector<Facet> facets;         // what is wanted: programs that none of these need are not attached; empty: all
  FileFilter files;                  // facet file: which opens are told
  CompanionFactory plaintext{};      // facet https; null: it is refused
  bool measure_time = false;         // probe_time_ns() is wanted; it costs every run of a program about 25 ns
};

// Attaches, and answers only once an own loopback exchange was seen coming back out of the kernel.
[[nodiscard]] Result<OpenedBackend> open_ebpf(const EbpfOptions& options);

}  // namespace tracer
