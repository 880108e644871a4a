#include "probe-matrix/report.h"

#include <algorithm>
#include <array>
#include <string>

#include "probe-matrix/prober.h"

namespace tracer {
namespace {

struct Dependency {
  Capability needs, dependent;
};
using enum Capability;
// Direct dependencies only; without() follows them.
constexpr std::array dependencies{
    Dependency{bpf_syscall, bpf_ring_buffer},
    Dependency{bpf_syscall, bpf_mmapable_array},
    Dependency{bpf_syscall, bpf_probe_read_kernel},
    Dependency{bpf_syscall, raw_tp},
    Dependency{bpf_syscall, tp_btf},
    Dependency{bpf_syscall, fentry},
    Dependency{bpf_syscall, fexit},
    Dependency{bpf_syscall, syscall_tp},
    Dependency{bpf_syscall, bpf_prog_socket_filter},
    Dependency{bpf_syscall, bpf_prog_kprobe},
    Dependency{bpf_syscall, bpf_prog_tracepoint},
    Dependency{bpf_syscall, bpf_prog_raw_tracepoint},
    Dependency{bpf_syscall, bpf_prog_perf_event},
    Dependency{bpf_syscall, bpf_prog_tracing},
    Dependency{bpf_syscall, bpf_map_hash},
    Dependency{bpf_syscall, bpf_map_lru_hash},
    Dependency{bpf_syscall, bpf_map_percpu_array},
    Dependency{bpf_syscall, bpf_map_perf_event_array},
    Dependency{bpf_syscall, bpf_probe_read_user},
    Dependency{bpf_syscall, bpf_get_current_cgroup_id},
    Dependency{bpf_syscall, bpf_get_current_task_btf},
    Dependency{bpf_syscall, bpf_get_ns_current_pid_tgid},
    Dependency{bpf_syscall, bpf_loop},
    Dependency{bpf_syscall, bpf_global_data},
    Dependency{bpf_syscall, bpf_bounded_loops},
    Dependency{bpf_syscall, bpf_large_programs},
    Dependency{bpf_syscall, bpf_statistics},
    Dependency{btf, tp_btf},
    Dependency{btf, fentry},
    Dependency{btf, fexit},
    Dependency{btf, bpf_prog_tracing},
    Dependency{perf_event_open, kprobe},
    Dependency{perf_event_open, uprobe},
    Dependency{perf_event_open, syscall_tp},
    Dependency{perf_event_open, exec_tp},
    Dependency{perf_event_open, socket_state_tp},
    Dependency{tracefs, syscall_tp},
    Dependency{tracefs, exec_tp},
    Dependency{tracefs, socket_state_tp},
    Dependency{tracefs, tracefs_instance},
    Dependency{packet_socket, packet_ring_v3},
    Dependency{packet_socket, packet_ignore_outgoing},
    Dependency{sock_diag, sock_destroy_events},
    Dependency{fanotify, fanotify_exec},
};

void switch_off(CapabilityReport& report, Capability capability, const std::string& reason) {
  const auto found = std::ranges::find(report.answers, capability, &Answer::capability);
  const Answer off{capability, Verdict::unsupported, reason, {}};
  if (found == report.answers.end()) {
    report.answers.push_back(off);
  } else {
    *found = off;
  }
}

// Every list here is closed and counted from 0; to_string() is empty past its end.
template <typename E>
std::optional<E> from_name(std::string_view name) {
  for (std::uint8_t value = 0; !to_string(static_cast<E>(value)).empty(); ++value)
    if (to_string(static_cast<E>(value)) == name) return static_cast<E>(value);
  return std::nullopt;
}

}  // namespace

bool is_not_permitted(const Answer& answer) { return answer.reason.starts_with(not_permitted_prefix); }

bool lacks_privilege(std::string_view reason) {
  return reason.starts_with(not_permitted_prefix) && reason.find("needs ") != std::string_view::npos;
}

std::string_view family_of(Capability capability) {
  const auto index = static_cast<std::size_t>(capability);
  return index < probes().size() ? to_string(probes()[index].family) : std::string_view();
}

bool is_fact(Capability capability) {
  const auto index = static_cast<std::size_t>(capability);
  return index < probes().size() && probes()[index].family >= Family::policy;
}

void explain_without_bpf(CapabilityReport& report) {
  const Answer* found = report.find(bpf_syscall);
  if (found == nullptr || found->verdict != Verdict::unsupported) return;
  const Answer none = *found;
  for (const Dependency& edge : dependencies) {
    const auto dependent = std::ranges::find(report.answers, edge.dependent, &Answer::capability);
    if (edge.needs != bpf_syscall || dependent == report.answers.end() || dependent->verdict == Verdict::supported)
      continue;
    *dependent = {edge.dependent, Verdict::unsupported, "needs bpf_syscall: " + none.reason, none.fix};
  }
}

CapabilityReport without(CapabilityReport report, Capability capability) {
  switch_off(report, capability, std::string(reason_switched_off));
  // One pass is enough: nothing that depends on something is itself depended on.
  for (const Dependency& edge : dependencies)
    if (edge.needs == capability)
      switch_off(report, edge.dependent,
                 "needs " + std::string(to_string(capability)) + ", " + std::string(reason_switched_off));
  return report;
}

std::optional<Capability> capability_from_name(std::string_view name) { return from_name<Capability>(name); }
std::optional<Verdict> verdict_from_name(std::string_view name) { return from_name<Verdict>(name); }
std::optional<Facet> facet_from_name(std::string_view name) { return from_name<Facet>(name); }
std::optional<BackendKind> backend_from_name(std::string_view name) { return from_name<BackendKind>(name); }
std::optional<Mechanism> mechanism_from_name(std::string_view name) { return from_name<Mechanism>(name); }

}  // namespace tracer
