// What one kernel with these privileges can do. Identifiers only: how to find out is probe-matrix's business, what to
// do with it the planner's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tracer {

enum class Facet : std::uint8_t { http, tls, https, process, file, library, crypto_api, connection };
inline constexpr std::size_t facet_count = 8;

enum class BackendKind : std::uint8_t { ebpf, tracepoint, pcap, procfs };

enum class Mechanism : std::uint8_t {
  fentry,
  kprobe,
  uprobe,  // ebpf
  tp_btf,
  raw_tp,
  syscall_tp,
  tracefs,  // tracepoint
  af_packet,
  file,  // pcap
  sock_diag,
  proc_events,
  fanotify,
  poll,  // procfs
};

enum class Capability : std::uint8_t {
  bpf_syscall,         // bpf(2) answers
  btf,                 // the kernel's type information can be read
  bpf_ring_buffer,     // BPF_MAP_TYPE_RINGBUF
  bpf_mmapable_array,  // BPF_F_MMAPABLE
  bpf_probe_read_kernel,
  fentry,      // a tracing program loads
  kprobe,      // a kernel function probe attaches
  tp_btf,      // a typed tracepoint program loads and attaches
  raw_tp,      // a raw tracepoint program loads and attaches
  tracefs,     // the event directory can be read
  syscall_tp,  // a program attaches to syscalls:sys_enter_*
  perf_event_open,
  sock_diag,             // TCP sockets can be listed over netlink
  proc_other_processes,  // descriptors of other users' processes can be read
  packet_socket,         // AF_PACKET opens
  tracefs_instance,      // events can be read without bpf(2): an own tracefs instance, or perf_event_open
  proc_events,           // the proc connector tells of forks, execs and exits
};

// Three-valued: "we could not find out" is neither yes nor no.
enum class Verdict : std::uint8_t { supported, unsupported, unknown };

struct Answer {
  Capability capability{};
  Verdict verdict = Verdict::unknown;
  std::string reason;  // for people; empty when supported
  std::string fix;     // one thing to do about it, as it would be typed; may be empty
};

// All answers of one machine: plain data.
struct CapabilityReport {
  std::vector<Answer> answers;
  [[nodiscard]] const Answer* find(Capability capability) const;
};

[[nodiscard]] std::string_view to_string(Facet facet);
[[nodiscard]] std::string_view to_string(BackendKind backend);
[[nodiscard]] std::string_view to_string(Mechanism mechanism);
[[nodiscard]] std::string_view to_string(Capability capability);
[[nodiscard]] std::string_view to_string(Verdict verdict);

}  // namespace tracer
