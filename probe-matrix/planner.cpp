#include "probe-matrix/planner.h"

#include <algorithm>
#include <array>
#include <utility>

#include "probe-matrix/report.h"

namespace tracer {
namespace {

constexpr std::array fentry_needs{Capability::bpf_syscall, Capability::btf, Capability::fentry,
                                  Capability::bpf_ring_buffer};
constexpr std::array kprobe_needs{Capability::bpf_syscall, Capability::btf,    Capability::perf_event_open,
                                  Capability::kprobe,      Capability::raw_tp, Capability::bpf_probe_read_kernel};
constexpr std::array tp_btf_needs{Capability::bpf_syscall, Capability::btf, Capability::tp_btf,
                                  Capability::bpf_ring_buffer};
constexpr std::array raw_tp_needs{Capability::bpf_syscall, Capability::btf, Capability::raw_tp,
                                  Capability::bpf_probe_read_kernel, Capability::bpf_ring_buffer};
constexpr std::array syscall_tp_needs{Capability::bpf_syscall, Capability::perf_event_open, Capability::tracefs,
                                      Capability::syscall_tp};
constexpr std::array af_packet_needs{Capability::packet_socket};
constexpr std::array tracefs_needs{Capability::tracefs_instance};
constexpr std::array proc_events_needs{Capability::proc_events};
constexpr std::array sock_diag_needs{Capability::sock_diag};
constexpr std::array proc_net_needs{Capability::proc_net_tcp};
constexpr std::array poll_needs{Capability::proc_mounted};
constexpr std::array fanotify_needs{Capability::fanotify, Capability::proc_mounted};
constexpr std::array uprobe_needs{Capability::bpf_syscall, Capability::perf_event_open, Capability::uprobe};

// What sees the sockets, and beside it the functions of TLS libraries.
template <Capability... more, std::size_t count>
constexpr auto with(const std::array<Capability, count>& needs) {
  std::array<Capability, count + sizeof...(more)> all{};
  const std::array<Capability, sizeof...(more)> beside{more...};
  std::ranges::copy(beside, std::ranges::copy(needs, all.begin()).out);
  return all;
}
constexpr std::array plaintext_fentry_needs = with<Capability::perf_event_open, Capability::uprobe>(fentry_needs);
constexpr std::array plaintext_kprobe_needs = with<Capability::uprobe>(kprobe_needs);
constexpr std::array plaintext_tp_btf_needs = with<Capability::perf_event_open, Capability::uprobe>(tp_btf_needs);
constexpr std::array plaintext_raw_tp_needs = with<Capability::perf_event_open, Capability::uprobe>(raw_tp_needs);
constexpr std::array plaintext_syscall_tp_needs = with<Capability::uprobe>(syscall_tp_needs);
// Beside the needs of the rungs: what decides how a backend is opened.
constexpr std::array looked_at_by_openers{Capability::bpf_ring_buffer, Capability::bpf_mmapable_array,
                                          Capability::bpf_probe_read_kernel};

using Fields = std::string_view;
// Only who asks the kernel for tcp_info has these.
constexpr std::array unmeasured{Fields("rtt_ms"), Fields("tcp_state"), Fields("retransmits")};
constexpr std::array unmeasured_and_unwitnessed{Fields("rtt_ms"), Fields("tcp_state"), Fields("retransmits"),
                                                Fields("client_to_server.witnessed"),
                                                Fields("server_to_client.witnessed")};
// Of socket states only: who with whom, and how long.
constexpr std::array without_sizes{Fields("client_to_server"), Fields("server_to_client"), Fields("rtt_ms"),
                                   Fields("retransmits"),      Fields("protocol"),         Fields("transactions")};
constexpr std::array without_payload{Fields("protocol"), Fields("transactions")};
constexpr std::array without_parent_and_end{Fields("ppid"), Fields("exit_code"), Fields("signal")};
constexpr std::array without_end{Fields("exit_code"), Fields("signal")};
// Opens that failed are never told, so that no record has an errno.
constexpr std::array without_failures{Fields("errno")};
constexpr std::array without_failures_and_flags{Fields("errno"), Fields("flags")};

// Reviewed by hand, as is the golden copy in tests/unit/plan. Order is preference.
constexpr std::array http_rungs{
    Rung{{BackendKind::ebpf, Mechanism::fentry, fentry_needs, {}}, {}},
    Rung{{BackendKind::ebpf, Mechanism::kprobe, kprobe_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::tp_btf, tp_btf_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::raw_tp, raw_tp_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::syscall_tp, syscall_tp_needs, {}}, {}},
    Rung{{BackendKind::pcap, Mechanism::af_packet, af_packet_needs, {}}, {}},
    Rung{{BackendKind::procfs, Mechanism::sock_diag, sock_diag_needs, {}}, reason_no_payload},
};
constexpr std::array tls_rungs{
    Rung{{BackendKind::ebpf, Mechanism::fentry, fentry_needs, {}}, {}},
    Rung{{BackendKind::ebpf, Mechanism::kprobe, kprobe_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::tp_btf, tp_btf_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::raw_tp, raw_tp_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::syscall_tp, syscall_tp_needs, {}}, {}},
    Rung{{BackendKind::pcap, Mechanism::af_packet, af_packet_needs, {}}, {}},
    Rung{{BackendKind::procfs, Mechanism::sock_diag, sock_diag_needs, {}}, reason_no_payload},
};
constexpr std::array https_rungs{
    Rung{{BackendKind::ebpf, Mechanism::fentry, plaintext_fentry_needs, {}}, {}},
    Rung{{BackendKind::ebpf, Mechanism::kprobe, plaintext_kprobe_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::tp_btf, plaintext_tp_btf_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::raw_tp, plaintext_raw_tp_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::syscall_tp, plaintext_syscall_tp_needs, {}}, {}},
};
constexpr std::array crypto_api_rungs{
    Rung{{BackendKind::ebpf, Mechanism::uprobe, uprobe_needs, {}}, {}},
};
constexpr std::array process_rungs{
    Rung{{BackendKind::ebpf, Mechanism::fentry, fentry_needs, {}}, {}},
    Rung{{BackendKind::ebpf, Mechanism::kprobe, kprobe_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::tp_btf, tp_btf_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::raw_tp, raw_tp_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::syscall_tp, syscall_tp_needs, without_parent_and_end}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::tracefs, tracefs_needs, without_end}, {}},
    Rung{{BackendKind::procfs, Mechanism::proc_events, proc_events_needs, {}}, {}},
    Rung{{BackendKind::procfs, Mechanism::poll, poll_needs, without_end}, {}},
};
constexpr std::array file_rungs{
    Rung{{BackendKind::ebpf, Mechanism::fentry, fentry_needs, {}}, {}},
    Rung{{BackendKind::ebpf, Mechanism::kprobe, kprobe_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::tp_btf, tp_btf_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::raw_tp, raw_tp_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::syscall_tp, syscall_tp_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::tracefs, tracefs_needs, {}}, {}},
    Rung{{BackendKind::procfs, Mechanism::fanotify, fanotify_needs, without_failures_and_flags}, {}},
    Rung{{BackendKind::procfs, Mechanism::poll, poll_needs, without_failures}, {}},
};
constexpr std::array library_rungs{
    Rung{{BackendKind::ebpf, Mechanism::fentry, fentry_needs, {}}, {}},
    Rung{{BackendKind::ebpf, Mechanism::kprobe, kprobe_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::tp_btf, tp_btf_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::raw_tp, raw_tp_needs, {}}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::syscall_tp, syscall_tp_needs, {}}, {}},
    Rung{{BackendKind::procfs, Mechanism::poll, poll_needs, {}}, {}},
};
constexpr std::array connection_rungs{
    Rung{{BackendKind::ebpf, Mechanism::fentry, fentry_needs, unmeasured}, {}},
    Rung{{BackendKind::ebpf, Mechanism::kprobe, kprobe_needs, unmeasured}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::tp_btf, tp_btf_needs, unmeasured}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::raw_tp, raw_tp_needs, unmeasured}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::syscall_tp, syscall_tp_needs, unmeasured_and_unwitnessed}, {}},
    Rung{{BackendKind::pcap, Mechanism::af_packet, af_packet_needs, unmeasured}, {}},
    Rung{{BackendKind::procfs, Mechanism::sock_diag, sock_diag_needs, without_payload}, {}},
    Rung{{BackendKind::procfs, Mechanism::proc_net, proc_net_needs, without_sizes}, {}},
    Rung{{BackendKind::tracepoint, Mechanism::tracefs, tracefs_needs, without_sizes}, reason_only_when_asked},
};

constexpr std::array every_backend{BackendKind::ebpf, BackendKind::tracepoint, BackendKind::pcap, BackendKind::procfs};

// std::ranges::contains, which g++ 12 does not have.
template <typename Range, typename T>
bool has(const Range& range, const T& value) {
  return std::ranges::find(range, value) != std::ranges::end(range);
}

// Why the machine does not allow this alternative; empty where it does.
std::string obstacle(const CapabilityReport& report, const MechanismEntry& entry) {
  for (const Capability need : entry.needs) {
    const Answer* answer = report.find(need);
    if (answer == nullptr) return std::string(to_string(need)) + " was not probed";
    if (answer->verdict == Verdict::supported) continue;
    return answer->reason.empty() ? std::string(to_string(need)) + " is " + std::string(to_string(answer->verdict))
                                  : answer->reason;
  }
  return {};
}

const FailedChoice* failure_of(const PlanRequest& request, Facet facet, const MechanismEntry& entry) {
  for (const FailedChoice& failed : request.failed)
    if (failed.facet == facet && failed.backend == entry.backend && failed.mechanism == entry.mechanism) return &failed;
  return nullptr;
}

// Empty: this is the one.
std::string rejection(const CapabilityReport& report, const PlanRequest& request, Facet facet, const Rung& rung) {
  const bool asked_for_it = rung.never == reason_only_when_asked && request.mechanism == rung.entry.mechanism;
  if (!rung.never.empty() && !asked_for_it) return std::string(rung.never);
  if (request.mechanism && *request.mechanism != rung.entry.mechanism) return std::string(reason_other_mechanism);
  if (const FailedChoice* failed = failure_of(request, facet, rung.entry)) return failed->reason;
  return obstacle(report, rung.entry);
}

bool asked_for(const PlanRequest& request, Facet facet) { return request.facets.empty() || has(request.facets, facet); }

FacetPlan plan_facet(const CapabilityReport& report, const PlanRequest& request, Facet facet) {
  FacetPlan plan{.facet = facet, .backend = {}, .mechanism = {}, .missing = {}, .rejected = {}};
  const std::span<const BackendKind> allowed = request.backends.empty()
                                                   ? std::span<const BackendKind>(every_backend)
                                                   : std::span<const BackendKind>(request.backends);
  for (const BackendKind backend : allowed) {
    for (const Rung& rung : rungs(facet)) {
      if (rung.entry.backend != backend || plan.backend) continue;
      std::string reason = rejection(report, request, facet, rung);
      if (!reason.empty()) {
        plan.rejected.push_back({backend, rung.entry.mechanism, std::move(reason)});
        continue;
      }
      plan.backend = backend;
      plan.mechanism = rung.entry.mechanism;
      plan.missing.assign(rung.entry.missing.begin(), rung.entry.missing.end());
    }
  }
  for (const Rung& rung : rungs(facet))
    if (!has(allowed, rung.entry.backend))
      plan.rejected.push_back({rung.entry.backend, rung.entry.mechanism, std::string(reason_other_backend)});
  return plan;
}

Error unmet_error(const FacetPlan& plan, const CapabilityReport& report, std::string_view option) {
  const bool privileges = std::ranges::any_of(
      plan.rejected, [](const RejectedChoice& rejected) { return lacks_privilege(rejected.reason); });
  return Error{privileges ? Errc::not_permitted : Errc::not_supported,
               0,
               std::string(option) + " is not met: " + describe(plan, report),
               {}};
}

// The backend that has this mechanism, for any facet.
std::optional<BackendKind> backend_of(Mechanism mechanism) {
  for (std::size_t index = 0; index < facet_count; ++index)
    for (const Rung& rung : rungs(static_cast<Facet>(index)))
      if (rung.entry.mechanism == mechanism) return rung.entry.backend;
  return std::nullopt;
}

// Two choices that exclude each other, whatever the machine.
std::optional<Error> contradiction(const PlanRequest& request) {
  if (!request.mechanism || request.backends.empty()) return std::nullopt;
  const auto backend = backend_of(*request.mechanism);
  if (!backend || has(request.backends, *backend)) return std::nullopt;
  return Error{Errc::invalid_argument,
               0,
               "--mechanism " + std::string(to_string(*request.mechanism)) + " is one of --backend " +
                   std::string(to_string(*backend)) + ", which was not chosen",
               {}};
}

}  // namespace

bool is_step_down(const RejectedChoice& rejected) {
  return rejected.reason != reason_not_built && rejected.reason != reason_no_payload &&
         rejected.reason != reason_only_when_asked && rejected.reason != reason_other_backend &&
         rejected.reason != reason_other_mechanism;
}

std::span<const Rung> rungs(Facet facet) {
  switch (facet) {
    case Facet::http:
      return http_rungs;
    case Facet::tls:
      return tls_rungs;
    case Facet::https:
      return https_rungs;
    case Facet::crypto_api:
      return crypto_api_rungs;
    case Facet::process:
      return process_rungs;
    case Facet::file:
      return file_rungs;
    case Facet::library:
      return library_rungs;
    case Facet::connection:
      return connection_rungs;
  }
  return {};
}

std::vector<Capability> capabilities_for(std::span<const Facet> facets) {
  std::vector<Capability> needed(looked_at_by_openers.begin(), looked_at_by_openers.end());
  for (std::size_t index = 0; index < facet_count; ++index) {
    const auto facet = static_cast<Facet>(index);
    if (!facets.empty() && !has(facets, facet)) continue;
    for (const Rung& rung : rungs(facet)) {
      if (!rung.never.empty() && rung.never != reason_only_when_asked) continue;
      for (const Capability need : rung.entry.needs)
        if (!has(needed, need)) needed.push_back(need);
    }
  }
  return needed;
}

Plan make_plan(const CapabilityReport& report, const PlanRequest& request) {
  Plan plan;
  for (std::size_t index = 0; index < facet_count; ++index) {
    const auto facet = static_cast<Facet>(index);
    if (asked_for(request, facet)) {
      plan.facets.push_back(plan_facet(report, request, facet));
    } else {
      plan.facets.push_back({.facet = facet, .backend = {}, .mechanism = {}, .missing = {}, .rejected = {}});
    }
  }
  return plan;
}

Plan replan(const CapabilityReport& report, PlanRequest& request, FailedChoice failed) {
  request.failed.push_back(std::move(failed));
  return make_plan(report, request);
}

std::vector<MechanismEntry> successors(const CapabilityReport& report, const PlanRequest& request,
                                       const FacetPlan& chosen) {
  std::vector<MechanismEntry> found;
  PlanRequest later = request;
  later.facets = {chosen.facet};
  FacetPlan plan = chosen;
  while (plan.backend && plan.mechanism) {
    later.failed.push_back({chosen.facet, *plan.backend, *plan.mechanism, "failed"});
    plan = plan_facet(report, later, chosen.facet);
    for (const Rung& rung : rungs(chosen.facet))
      if (plan.backend == rung.entry.backend && plan.mechanism == rung.entry.mechanism) found.push_back(rung.entry);
  }
  return found;
}

std::optional<Error> unmet(const Plan& plan, const PlanRequest& request, const CapabilityReport& report) {
  for (const Requirement& required : request.require) {
    const auto found = std::ranges::find(plan.facets, required.facet, &FacetPlan::facet);
    const bool met =
        found != plan.facets.end() && found->backend && (!required.backend || found->backend == required.backend);
    if (met) continue;
    const FacetPlan none{.facet = required.facet, .backend = {}, .mechanism = {}, .missing = {}, .rejected = {}};
    return unmet_error(found != plan.facets.end() ? *found : none, report,
                       "--require " + std::string(to_string(required.facet)) +
                           (required.backend ? "=" + std::string(to_string(*required.backend)) : ""));
  }
  if (auto error = contradiction(request)) return error;
  bool anything = false;
  for (const FacetPlan& facet : plan.facets) {
    anything = anything || facet.backend.has_value();
    if (request.strict && asked_for(request, facet.facet) && std::ranges::any_of(facet.rejected, is_step_down))
      return unmet_error(facet, report, "--strict");
  }
  if (anything) return std::nullopt;
  const auto first =
      std::ranges::find_if(plan.facets, [&](const FacetPlan& facet) { return asked_for(request, facet.facet); });
  if (first == plan.facets.end()) return Error{Errc::invalid_argument, 0, "nothing was asked for", {}};
  return unmet_error(
      *first, report,
      request.backends.empty() && !request.mechanism ? "--auto" : "the choice of --backend and --mechanism");
}

}  // namespace tracer
