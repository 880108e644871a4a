#include "probe-matrix/report.h"

#include <algorithm>
#include <array>
#include <string>

namespace tracer {
namespace {

struct Dependency {
  Capability needs, dependent;
};
// Direct dependencies only; without() follows them.
constexpr std::array dependencies{
    Dependency{Capability::bpf_syscall, Capability::bpf_ring_buffer},
    Dependency{Capability::bpf_syscall, Capability::bpf_mmapable_array},
    Dependency{Capability::bpf_syscall, Capability::bpf_probe_read_kernel},
    Dependency{Capability::bpf_syscall, Capability::raw_tp},
    Dependency{Capability::bpf_syscall, Capability::tp_btf},
    Dependency{Capability::bpf_syscall, Capability::fentry},
    Dependency{Capability::bpf_syscall, Capability::syscall_tp},
    Dependency{Capability::btf, Capability::tp_btf},
    Dependency{Capability::btf, Capability::fentry},
    Dependency{Capability::perf_event_open, Capability::kprobe},
    Dependency{Capability::perf_event_open, Capability::syscall_tp},
    Dependency{Capability::tracefs, Capability::syscall_tp},
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

std::string_view family_of(Capability capability) {
  switch (capability) {
    case Capability::bpf_syscall:
    case Capability::bpf_ring_buffer:
    case Capability::bpf_mmapable_array:
    case Capability::bpf_probe_read_kernel:
      return "bpf";
    case Capability::btf:
      return "btf";
    case Capability::fentry:
    case Capability::kprobe:
    case Capability::tp_btf:
    case Capability::raw_tp:
    case Capability::syscall_tp:
      return "hook";
    case Capability::tracefs:
    case Capability::perf_event_open:
    case Capability::tracefs_instance:
      return "tracing";
    case Capability::sock_diag:
    case Capability::packet_socket:
    case Capability::proc_events:
      return "network";
    case Capability::proc_other_processes:
      return "proc";
  }
  return "";
}

CapabilityReport without(CapabilityReport report, Capability capability) {
  switch_off(report, capability, "switched off by --without");
  // One pass is enough: nothing that depends on something is itself depended on.
  for (const Dependency& edge : dependencies)
    if (edge.needs == capability)
      switch_off(report, edge.dependent, "needs " + std::string(to_string(capability)) + ", switched off by --without");
  return report;
}

std::optional<Capability> capability_from_name(std::string_view name) { return from_name<Capability>(name); }
std::optional<Verdict> verdict_from_name(std::string_view name) { return from_name<Verdict>(name); }
std::optional<Facet> facet_from_name(std::string_view name) { return from_name<Facet>(name); }
std::optional<BackendKind> backend_from_name(std::string_view name) { return from_name<BackendKind>(name); }
std::optional<Mechanism> mechanism_from_name(std::string_view name) { return from_name<Mechanism>(name); }

}  // namespace tracer
