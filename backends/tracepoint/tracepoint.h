// Backend `tracepoint`: system calls on TCP sockets, seen at the kernel's tracepoints.
//
// Mechanisms, best first: tp_btf and raw_tp resolve descriptors to sockets in the kernel and need its type information;
// syscall_tp needs none and asks user space which socket a descriptor is; tracefs does without bpf(2) and tells of
// processes, opened files and connections, but never a byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backends/bpf/companion.h"
#include "core/backend.h"
#include "core/file_filter.h"
#include "core/ownership.h"

namespace tracer {

struct TracepointOptions {
  Mechanism mechanism = Mechanism::tp_btf;
  std::size_t ring_bytes = 16u << 20;  // buffer between kernel and tracer; a power of two, at least a page
  std::string btf_path;                // type information to use instead of the running kernel's; empty: the kernel's
  bool ring_buffer = true;             // false: perf buffers (kernels before 5.8)
  bool mappable_arrays = true;         // false: verdicts by system call (kernels before 5.5)
  // False: bpf_probe_read_kernel is refused (lockdown=confidentiality). tp_btf then follows descriptors as syscall_tp
  // does; raw_tp cannot be opened.
  bool kernel_reads = true;
  // No payload of flows that have none of them is copied; see BpfBackendOptions. Where descriptors are followed instead
  // of sockets the kernel does not know ports, and all payload is copied.
  std::vector<std::uint16_t> ports;
  // What is wanted: programs or events that none of these need are not attached. Empty: all that
  // the mechanism brings.
  std::vector<Facet> facets;
  FileFilter files;              // facet file: which opens are told
  CompanionFactory plaintext{};  // facet https; null: it is refused. Not by tracefs
  bool measure_time = false;     // probe_time_ns() is wanted; it costs every run of a program about 25 ns
  // tracefs: false: by an own tracing instance only; true: by perf_event_open(2) only. Absent: the first that works,
  // the instance before perf, because a BPF program of anybody's that answers 0 takes an event away from all of perf.
  std::optional<bool> by_perf;
  Ownership* ownership = nullptr;  // needed by syscall_tp, and by tp_btf without kernel reads; must outlive the backend
};

// Removes what mechanism tracefs left behind where its process was killed. Cheap where there is nothing.
void remove_tracefs_leftovers();

// Attaches, and answers only once an own loopback exchange was seen coming back out of the kernel.
[[nodiscard]] Result<OpenedBackend> open_tracepoint(const TracepointOptions& options);

}  // namespace tracer
