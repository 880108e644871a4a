// The spelling of every closed list, in one place.
#include "core/capability.h"
#include "core/event.h"

namespace tracer {

std::string_view to_string(GapCause cause) {
  switch (cause) {
    case GapCause::none:
      return "none";
    case GapCause::verdict_skip:
      return "verdict_skip";
    case GapCause::filter:
      return "filter";
    case GapCause::snap_length:
      return "snap_length";
    case GapCause::ring_full:
      return "ring_full";
    case GapCause::fault:
      return "fault";
    case GapCause::zero_copy:
      return "zero_copy";
    case GapCause::before_attach:
      return "before_attach";
    case GapCause::unresolved_fd:
      return "unresolved_fd";
    case GapCause::concurrent:
      return "concurrent";
    case GapCause::backend_switch:
      return "backend_switch";
    case GapCause::not_captured:
      return "not_captured";
    case GapCause::no_payload:
      return "no_payload";
  }
  return "";
}

std::string_view to_string(Facet facet) {
  switch (facet) {
    case Facet::http:
      return "http";
    case Facet::tls:
      return "tls";
    case Facet::https:
      return "https";
    case Facet::process:
      return "process";
    case Facet::file:
      return "file";
    case Facet::library:
      return "library";
    case Facet::crypto_api:
      return "crypto_api";
    case Facet::connection:
      return "connection";
  }
  return "";
}

std::string_view to_string(BackendKind backend) {
  switch (backend) {
    case BackendKind::ebpf:
      return "ebpf";
    case BackendKind::tracepoint:
      return "tracepoint";
    case BackendKind::pcap:
      return "pcap";
    case BackendKind::procfs:
      return "procfs";
  }
  return "";
}

std::string_view to_string(Mechanism mechanism) {
  switch (mechanism) {
    case Mechanism::fentry:
      return "fentry";
    case Mechanism::kprobe:
      return "kprobe";
    case Mechanism::uprobe:
      return "uprobe";
    case Mechanism::tp_btf:
      return "tp_btf";
    case Mechanism::raw_tp:
      return "raw_tp";
    case Mechanism::syscall_tp:
      return "syscall_tp";
    case Mechanism::tracefs:
      return "tracefs";
    case Mechanism::af_packet:
      return "af_packet";
    case Mechanism::file:
      return "file";
    case Mechanism::sock_diag:
      return "sock_diag";
    case Mechanism::proc_net:
      return "proc_net";
    case Mechanism::proc_events:
      return "proc_events";
    case Mechanism::fanotify:
      return "fanotify";
    case Mechanism::poll:
      return "poll";
  }
  return "";
}

std::string_view to_string(Capability capability) {
  switch (capability) {
    case Capability::bpf_syscall:
      return "bpf_syscall";
    case Capability::btf:
      return "btf";
    case Capability::bpf_ring_buffer:
      return "bpf_ring_buffer";
    case Capability::bpf_mmapable_array:
      return "bpf_mmapable_array";
    case Capability::bpf_probe_read_kernel:
      return "bpf_probe_read_kernel";
    case Capability::fentry:
      return "fentry";
    case Capability::kprobe:
      return "kprobe";
    case Capability::tp_btf:
      return "tp_btf";
    case Capability::raw_tp:
      return "raw_tp";
    case Capability::tracefs:
      return "tracefs";
    case Capability::syscall_tp:
      return "syscall_tp";
    case Capability::perf_event_open:
      return "perf_event_open";
    case Capability::sock_diag:
      return "sock_diag";
    case Capability::proc_other_processes:
      return "proc_other_processes";
    case Capability::packet_socket:
      return "packet_socket";
    case Capability::tracefs_instance:
      return "tracefs_instance";
    case Capability::proc_events:
      return "proc_events";
    case Capability::proc_mounted:
      return "proc_mounted";
    case Capability::proc_net_tcp:
      return "proc_net_tcp";
    case Capability::kernel_symbols:
      return "kernel_symbols";
    case Capability::function_tracing:
      return "function_tracing";
    case Capability::bpf_jit:
      return "bpf_jit";
    case Capability::bpf_prog_socket_filter:
      return "bpf_prog_socket_filter";
    case Capability::bpf_prog_kprobe:
      return "bpf_prog_kprobe";
    case Capability::bpf_prog_tracepoint:
      return "bpf_prog_tracepoint";
    case Capability::bpf_prog_raw_tracepoint:
      return "bpf_prog_raw_tracepoint";
    case Capability::bpf_prog_perf_event:
      return "bpf_prog_perf_event";
    case Capability::bpf_prog_tracing:
      return "bpf_prog_tracing";
    case Capability::bpf_map_hash:
      return "bpf_map_hash";
    case Capability::bpf_map_lru_hash:
      return "bpf_map_lru_hash";
    case Capability::bpf_map_percpu_array:
      return "bpf_map_percpu_array";
    case Capability::bpf_map_perf_event_array:
      return "bpf_map_perf_event_array";
    case Capability::bpf_probe_read_user:
      return "bpf_probe_read_user";
    case Capability::bpf_get_current_cgroup_id:
      return "bpf_get_current_cgroup_id";
    case Capability::bpf_get_current_task_btf:
      return "bpf_get_current_task_btf";
    case Capability::bpf_get_ns_current_pid_tgid:
      return "bpf_get_ns_current_pid_tgid";
    case Capability::bpf_loop:
      return "bpf_loop";
    case Capability::bpf_global_data:
      return "bpf_global_data";
    case Capability::bpf_bounded_loops:
      return "bpf_bounded_loops";
    case Capability::bpf_large_programs:
      return "bpf_large_programs";
    case Capability::bpf_statistics:
      return "bpf_statistics";
    case Capability::fexit:
      return "fexit";
    case Capability::uprobe:
      return "uprobe";
    case Capability::exec_tp:
      return "exec_tp";
    case Capability::socket_state_tp:
      return "socket_state_tp";
    case Capability::packet_ring_v3:
      return "packet_ring_v3";
    case Capability::packet_ignore_outgoing:
      return "packet_ignore_outgoing";
    case Capability::sock_destroy_events:
      return "sock_destroy_events";
    case Capability::fanotify:
      return "fanotify";
    case Capability::fanotify_exec:
      return "fanotify_exec";
    case Capability::proc_maps:
      return "proc_maps";
    case Capability::proc_complete:
      return "proc_complete";
    case Capability::cap_bpf:
      return "cap_bpf";
    case Capability::cap_perfmon:
      return "cap_perfmon";
    case Capability::cap_net_admin:
      return "cap_net_admin";
    case Capability::cap_net_raw:
      return "cap_net_raw";
    case Capability::cap_sys_admin:
      return "cap_sys_admin";
    case Capability::cap_sys_ptrace:
      return "cap_sys_ptrace";
    case Capability::cap_dac_read_search:
      return "cap_dac_read_search";
    case Capability::cap_sys_resource:
      return "cap_sys_resource";
    case Capability::cap_syslog:
      return "cap_syslog";
    case Capability::seccomp_free:
      return "seccomp_free";
    case Capability::initial_user_namespace:
      return "initial_user_namespace";
    case Capability::initial_pid_namespace:
      return "initial_pid_namespace";
    case Capability::lockdown_off:
      return "lockdown_off";
    case Capability::security_modules:
      return "security_modules";
    case Capability::perf_unrestricted:
      return "perf_unrestricted";
    case Capability::bpf_unprivileged:
      return "bpf_unprivileged";
    case Capability::memlock_unlimited:
      return "memlock_unlimited";
    case Capability::in_container:
      return "in_container";
    case Capability::in_virtual_machine:
      return "in_virtual_machine";
    case Capability::in_wsl:
      return "in_wsl";
    case Capability::in_gvisor:
      return "in_gvisor";
  }
  return "";
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::supported:
      return "supported";
    case Verdict::unsupported:
      return "unsupported";
    case Verdict::unknown:
      return "unknown";
  }
  return "";
}

const Answer* CapabilityReport::find(Capability capability) const {
  for (const Answer& answer : answers)
    if (answer.capability == capability) return &answer;
  return nullptr;
}

}  // namespace tracer
