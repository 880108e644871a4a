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
