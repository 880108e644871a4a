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
  proc_net,
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
  proc_mounted,          // /proc shows this process
  proc_net_tcp,          // the tables of TCP sockets under /proc/net can be read

  // From here on nothing is planned by it: for people, and for other machines' reports.
  kernel_symbols,    // addresses in /proc/kallsyms
  function_tracing,  // kernel.ftrace_enabled: fentry and kprobes hang on it
  bpf_jit,
  bpf_prog_socket_filter,  // a program of this type loads; says nothing of attaching
  bpf_prog_kprobe,
  bpf_prog_tracepoint,
  bpf_prog_raw_tracepoint,
  bpf_prog_perf_event,
  bpf_prog_tracing,
  bpf_map_hash,
  bpf_map_lru_hash,
  bpf_map_percpu_array,
  bpf_map_perf_event_array,
  bpf_probe_read_user,  // helpers, each by a program that calls it
  bpf_get_current_cgroup_id,
  bpf_get_current_task_btf,
  bpf_get_ns_current_pid_tgid,
  bpf_loop,
  bpf_global_data,
  bpf_bounded_loops,
  bpf_large_programs,  // more than 4,096 instructions
  bpf_statistics,      // the kernel counts the time that programs take
  fexit,
  uprobe,
  exec_tp,          // sched:sched_process_exec opens as a perf event
  socket_state_tp,  // sock:inet_sock_set_state opens as a perf event
  packet_ring_v3,
  packet_ignore_outgoing,
  sock_destroy_events,  // the kernel tells of every TCP socket that goes, with its counters
  fanotify,             // opens on a mount are told
  fanotify_exec,
  proc_maps,      // mappings of other users' processes can be read
  proc_complete,  // /proc shows every process (no hidepid)
  cap_bpf,        // held by this process: by name, whatever else might stand in for it
  cap_perfmon,
  cap_net_admin,
  cap_net_raw,
  cap_sys_admin,
  cap_sys_ptrace,
  cap_dac_read_search,
  cap_sys_resource,
  cap_syslog,
  seccomp_free,  // no filter on this process's system calls
  initial_user_namespace,
  initial_pid_namespace,
  lockdown_off,
  security_modules,   // their list can be read; the reason names them
  perf_unrestricted,  // kernel.perf_event_paranoid does not concern this process
  bpf_unprivileged,   // kernel.unprivileged_bpf_disabled is 0
  memlock_unlimited,
  in_container,  // facts: `supported` says that it is so, and the reason says what was found
  in_virtual_machine,
  in_wsl,
  in_gvisor,
};

// Three-valued: "we could not find out" is neither yes nor no.
enum class Verdict : std::uint8_t { supported, unsupported, unknown };

struct Answer {
  Capability capability{};
  Verdict verdict = Verdict::unknown;
  std::string reason;  // for people; empty when supported, but for what is a fact and not an ability (is_fact)
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
