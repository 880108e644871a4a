#include "probe-matrix/planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/plan/reports.h"

namespace tracer {
namespace {

using test::everything_supported;
using test::hardened_machine;
using test::reason_for;
using test::unprivileged_machine;
using test::with;

const PlanRequest only_http{
    .facets = {Facet::http}, .backends = {}, .mechanism = {}, .strict = false, .require = {}, .failed = {}};

FacetPlan http_of(const Plan& plan) {
  for (const FacetPlan& facet : plan.facets)
    if (facet.facet == Facet::http) return facet;
  ADD_FAILURE() << "http is not in the plan";
  return {};
}

TEST(Planner, TakesKernelFunctionsFirst) {
  const FacetPlan http = http_of(make_plan(everything_supported(), only_http));
  EXPECT_EQ(http.backend, BackendKind::ebpf);
  EXPECT_EQ(http.mechanism, Mechanism::fentry);
  EXPECT_TRUE(http.rejected.empty());
  const FacetPlan connection =
      make_plan(everything_supported(), {}).facets[static_cast<std::size_t>(Facet::connection)];
  EXPECT_EQ(connection.mechanism, Mechanism::fentry) << "the same programs show both";
}

TEST(Planner, WithoutOneMechanismTakesTheNext) {
  CapabilityReport report = without(everything_supported(), Capability::fentry);
  EXPECT_EQ(http_of(make_plan(report, only_http)).mechanism, Mechanism::kprobe);
  report = without(std::move(report), Capability::kprobe);
  EXPECT_EQ(http_of(make_plan(report, only_http)).mechanism, Mechanism::tp_btf);
}

TEST(Planner, SuccessorsAreWhatFailureWouldLeadTo) {
  const PlanRequest all;
  const CapabilityReport report = without(everything_supported(), Capability::raw_tp);
  std::vector<Mechanism> found;
  const Plan plan = make_plan(report, all);
  for (const MechanismEntry& entry : successors(report, all, http_of(plan))) found.push_back(entry.mechanism);
  EXPECT_EQ(found, (std::vector{Mechanism::tp_btf, Mechanism::syscall_tp, Mechanism::af_packet}));
  PlanRequest packets_only = only_http;
  packets_only.backends = {BackendKind::pcap};
  EXPECT_TRUE(successors(report, packets_only, http_of(make_plan(report, packets_only))).empty());
  EXPECT_TRUE(successors(report, all,
                         FacetPlan{.facet = Facet::http, .backend = {}, .mechanism = {}, .missing = {}, .rejected = {}})
                  .empty());
}

TEST(Planner, WithoutBpfTakesPackets) {
  const FacetPlan http = http_of(make_plan(without(everything_supported(), Capability::bpf_syscall), only_http));
  EXPECT_EQ(http.backend, BackendKind::pcap);
}

// A kernel before 5.8 has no ring buffer, which fentry and the typed tracepoints need; kprobe has the perf buffer.
TEST(Planner, WithoutARingBufferTakesKprobe) {
  const CapabilityReport report = without(everything_supported(), Capability::bpf_ring_buffer);
  EXPECT_EQ(http_of(make_plan(report, only_http)).mechanism, Mechanism::kprobe);
  EXPECT_EQ(http_of(make_plan(without(report, Capability::kprobe), only_http)).mechanism, Mechanism::syscall_tp);
}

// Both have programs without that helper; those of raw_tp and kprobe cannot do without.
TEST(Planner, WithoutKernelReadsTakesWhatIsTyped) {
  CapabilityReport report = without(everything_supported(), Capability::bpf_probe_read_kernel);
  EXPECT_EQ(http_of(make_plan(report, only_http)).mechanism, Mechanism::fentry);
  report = without(std::move(report), Capability::fentry);
  EXPECT_EQ(http_of(make_plan(report, only_http)).mechanism, Mechanism::tp_btf);
  report = without(std::move(report), Capability::tp_btf);
  EXPECT_EQ(http_of(make_plan(report, only_http)).mechanism, Mechanism::syscall_tp);
}

TEST(Planner, TakesTypedTracepointsWhereTheyWork) {
  const FacetPlan http = http_of(make_plan(hardened_machine(), only_http));
  EXPECT_EQ(http.backend, BackendKind::tracepoint);
  EXPECT_EQ(http.mechanism, Mechanism::tp_btf);
  EXPECT_EQ(reason_for(http, Mechanism::fentry), "not permitted: a policy forbids it");
  EXPECT_EQ(reason_for(http, Mechanism::kprobe), "this kernel has no kprobes");
  EXPECT_EQ(http.rejected.size(), 2U) << "what comes after the choice is not rejected";
}

TEST(Planner, WithoutTypeInformationTakesTheFloor) {
  const FacetPlan http = http_of(make_plan(without(hardened_machine(), Capability::btf), only_http));
  EXPECT_EQ(http.backend, BackendKind::tracepoint);
  EXPECT_EQ(http.mechanism, Mechanism::syscall_tp);
  EXPECT_EQ(reason_for(http, Mechanism::tp_btf), "switched off by --without");
}

TEST(Planner, NothingLeftSaysWhyForEveryAlternative) {
  const FacetPlan http = http_of(make_plan(unprivileged_machine(), only_http));
  EXPECT_FALSE(http.backend);
  EXPECT_FALSE(http.mechanism);
  EXPECT_EQ(http.rejected.size(), rungs(Facet::http).size());
  EXPECT_EQ(reason_for(http, Mechanism::tp_btf), "not permitted: needs CAP_BPF (or root)");
  EXPECT_EQ(reason_for(http, Mechanism::sock_diag), reason_no_payload);
}

TEST(Planner, AnUnprobedCapabilityIsNotAYes) {
  const FacetPlan http = http_of(make_plan(CapabilityReport{}, only_http));
  EXPECT_FALSE(http.backend);
  EXPECT_EQ(reason_for(http, Mechanism::tp_btf), "bpf_syscall was not probed");
}

TEST(Planner, NamesEveryFacetOnceInOrder) {
  const Plan plan = make_plan(everything_supported(), only_http);
  ASSERT_EQ(plan.facets.size(), facet_count);
  for (std::size_t index = 0; index < facet_count; ++index) {
    EXPECT_EQ(plan.facets[index].facet, static_cast<Facet>(index));
    if (plan.facets[index].facet == Facet::http) continue;
    EXPECT_FALSE(plan.facets[index].backend);
    EXPECT_TRUE(plan.facets[index].rejected.empty()) << "nobody asked for it";
  }
}

TEST(Planner, BackendListRestrictsAndSaysSo) {
  PlanRequest request = only_http;
  request.backends = {BackendKind::pcap, BackendKind::procfs};
  const Plan plan = make_plan(everything_supported(), request);
  EXPECT_EQ(http_of(plan).mechanism, Mechanism::af_packet);
  EXPECT_EQ(reason_for(http_of(plan), Mechanism::tp_btf), reason_other_backend);
  EXPECT_FALSE(unmet(plan, request, everything_supported()));

  request.backends = {BackendKind::procfs};
  const Plan none = make_plan(everything_supported(), request);
  EXPECT_FALSE(http_of(none).backend);
  EXPECT_EQ(reason_for(http_of(none), Mechanism::sock_diag), reason_no_payload);
  const std::optional<Error> error = unmet(none, request, everything_supported());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::not_supported);
}

TEST(Planner, MechanismRestricts) {
  PlanRequest request = only_http;
  request.mechanism = Mechanism::syscall_tp;
  const Plan plan = make_plan(everything_supported(), request);
  EXPECT_EQ(http_of(plan).mechanism, Mechanism::syscall_tp);
  EXPECT_EQ(reason_for(http_of(plan), Mechanism::tp_btf), reason_other_mechanism);
  request.strict = true;
  EXPECT_FALSE(unmet(plan, request, everything_supported())) << "what the user left out is not a step down";
}

TEST(Planner, ReplanGoesDownOneRungAtATimeAndRemembers) {
  PlanRequest request = only_http;
  const CapabilityReport report = everything_supported();
  ASSERT_EQ(http_of(make_plan(report, request)).mechanism, Mechanism::fentry);

  const Plan second = replan(report, request, {Facet::http, BackendKind::ebpf, Mechanism::fentry, "verifier: no"});
  EXPECT_EQ(http_of(second).mechanism, Mechanism::kprobe);
  EXPECT_EQ(reason_for(http_of(second), Mechanism::fentry), "verifier: no");

  const Plan third = replan(report, request, {Facet::http, BackendKind::ebpf, Mechanism::kprobe, "EINVAL"});
  EXPECT_EQ(http_of(third).mechanism, Mechanism::tp_btf);

  (void)replan(report, request, {Facet::http, BackendKind::tracepoint, Mechanism::tp_btf, "E2BIG"});
  const Plan fifth = replan(report, request, {Facet::http, BackendKind::tracepoint, Mechanism::raw_tp, "EPERM"});
  EXPECT_EQ(http_of(fifth).mechanism, Mechanism::syscall_tp);

  const Plan sixth = replan(report, request, {Facet::http, BackendKind::tracepoint, Mechanism::syscall_tp, "EMFILE"});
  EXPECT_EQ(http_of(sixth).mechanism, Mechanism::af_packet);

  const Plan last = replan(report, request, {Facet::http, BackendKind::pcap, Mechanism::af_packet, "ENETDOWN"});
  EXPECT_FALSE(http_of(last).backend);
  EXPECT_EQ(reason_for(http_of(last), Mechanism::fentry), "verifier: no");
  EXPECT_EQ(reason_for(http_of(last), Mechanism::kprobe), "EINVAL");
  EXPECT_EQ(reason_for(http_of(last), Mechanism::tp_btf), "E2BIG");
  EXPECT_EQ(reason_for(http_of(last), Mechanism::raw_tp), "EPERM");
  EXPECT_EQ(reason_for(http_of(last), Mechanism::syscall_tp), "EMFILE");
  EXPECT_EQ(reason_for(http_of(last), Mechanism::af_packet), "ENETDOWN");
}

TEST(Planner, AFailureOfOneFacetLeavesTheOthersAlone) {
  PlanRequest request;
  const Plan plan =
      replan(everything_supported(), request, {Facet::http, BackendKind::ebpf, Mechanism::fentry, "verifier: no"});
  EXPECT_EQ(http_of(plan).mechanism, Mechanism::kprobe);
  EXPECT_EQ(plan.facets[static_cast<std::size_t>(Facet::connection)].mechanism, Mechanism::fentry);
}

TEST(Planner, StrictRefusesAStepDown) {
  PlanRequest request = only_http;
  request.strict = true;
  EXPECT_FALSE(unmet(make_plan(everything_supported(), request), request, everything_supported()));

  const CapabilityReport lesser = without(hardened_machine(), Capability::btf);
  const std::optional<Error> kernel = unmet(make_plan(lesser, request), request, lesser);
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->code, Errc::not_supported);
  EXPECT_NE(kernel->context.find("--strict"), std::string::npos);

  const CapabilityReport refused =
      with(everything_supported(), {Capability::fentry, Verdict::unknown, "not permitted: needs CAP_BPF", {}});
  const std::optional<Error> privileges = unmet(make_plan(refused, request), request, refused);
  ASSERT_TRUE(privileges);
  EXPECT_EQ(privileges->code, Errc::not_permitted);
  const CapabilityReport forbidden =
      with(everything_supported(), {Capability::fentry, Verdict::unknown, "not permitted: a policy forbids it", {}});
  const std::optional<Error> policy = unmet(make_plan(forbidden, request), request, forbidden);
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->code, Errc::not_supported) << "no privilege would change it";

  request.backends = {BackendKind::tracepoint};
  EXPECT_FALSE(unmet(make_plan(refused, request), request, refused)) << "the best of what the user allows";
}

TEST(Planner, RequireNamesAFacetOrAFacetAndItsBackend) {
  PlanRequest request = only_http;
  request.require = {{Facet::http, std::nullopt}};
  EXPECT_FALSE(unmet(make_plan(hardened_machine(), request), request, hardened_machine()));
  request.require = {{Facet::http, BackendKind::ebpf}};
  const std::optional<Error> error = unmet(make_plan(hardened_machine(), request), request, hardened_machine());
  ASSERT_TRUE(error);
  EXPECT_NE(error->context.find("--require http=ebpf"), std::string::npos) << error->context;
}

TEST(Planner, AMechanismOfAnotherBackendIsAMistakeAndNotTheKernelsFault) {
  PlanRequest request;
  request.backends = {BackendKind::ebpf};
  request.mechanism = Mechanism::tp_btf;
  const std::optional<Error> error = unmet(make_plan(everything_supported(), request), request, everything_supported());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::invalid_argument);
  EXPECT_EQ(error->context, "--mechanism tp_btf is one of --backend tracepoint, which was not chosen");
  request.backends.push_back(BackendKind::tracepoint);
  EXPECT_FALSE(unmet(make_plan(everything_supported(), request), request, everything_supported()));
}

TEST(Planner, NothingAtAllLeftIsAnErrorThatTellsPrivilegesFromKernels) {
  const std::optional<Error> user =
      unmet(make_plan(unprivileged_machine(), only_http), only_http, unprivileged_machine());
  ASSERT_TRUE(user);
  EXPECT_EQ(user->code, Errc::not_permitted);
  const CapabilityReport bare =
      without(without(everything_supported(), Capability::bpf_syscall), Capability::packet_socket);
  const std::optional<Error> kernel = unmet(make_plan(bare, only_http), only_http, bare);
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->code, Errc::not_supported);
}

TEST(Planner, SocketStatesAloneAreTakenOnlyWhenAskedFor) {
  const auto connection_of = [](const CapabilityReport& report, const PlanRequest& request) {
    return make_plan(report, request).facets[static_cast<std::size_t>(Facet::connection)];
  };
  CapabilityReport report = without(everything_supported(), Capability::bpf_syscall);
  report = without(without(std::move(report), Capability::packet_socket), Capability::sock_diag);
  EXPECT_EQ(connection_of(report, {}).mechanism, Mechanism::proc_net);
  report = without(std::move(report), Capability::proc_net_tcp);
  const FacetPlan nothing = connection_of(report, {});
  EXPECT_FALSE(nothing.backend);
  EXPECT_EQ(reason_for(nothing, Mechanism::tracefs), reason_only_when_asked);
  PlanRequest asked;
  asked.mechanism = Mechanism::tracefs;
  EXPECT_EQ(connection_of(report, asked).mechanism, Mechanism::tracefs);
  EXPECT_FALSE(connection_of(without(report, Capability::tracefs_instance), asked).mechanism);
}

TEST(Describe, OneLinePerFacetThatWasAskedFor) {
  EXPECT_EQ(describe(make_plan(hardened_machine(), only_http), hardened_machine()),
            "http: tracepoint/tp_btf (ebpf/fentry: not permitted: a policy forbids it; "
            "ebpf/kprobe: this kernel has no kprobes)");
  const CapabilityReport lesser =
      with(hardened_machine(), {Capability::tp_btf, Verdict::unsupported, "no such program type", {}});
  EXPECT_EQ(describe(make_plan(lesser, only_http), lesser),
            "http: tracepoint/raw_tp (ebpf/fentry: not permitted: a policy forbids it; "
            "ebpf/kprobe: this kernel has no kprobes; tracepoint/tp_btf: no such program type)");
}

TEST(Describe, WhatIsTheSameOfSeveralIsSaidOnce) {
  PlanRequest request;
  request.facets = {Facet::http, Facet::tls, Facet::https};
  const CapabilityReport hardened = hardened_machine();
  EXPECT_EQ(describe(make_plan(hardened, request), hardened),
            "http, tls, https: tracepoint/tp_btf (ebpf/fentry: not permitted: a policy forbids it; "
            "ebpf/kprobe: this kernel has no kprobes)");
  const CapabilityReport no_uprobes =
      with(everything_supported(), {Capability::uprobe, Verdict::unsupported, "this kernel has no uprobes", {}});
  EXPECT_EQ(describe(make_plan(no_uprobes, request), no_uprobes),
            "http, tls: ebpf/fentry\n"
            "https: not visible (ebpf/fentry, ebpf/kprobe, tracepoint/tp_btf, tracepoint/raw_tp, "
            "tracepoint/syscall_tp: this kernel has no uprobes)");
}

TEST(Describe, NotVisibleEndsOnWhatToDo) {
  EXPECT_EQ(describe(make_plan(unprivileged_machine(), only_http), unprivileged_machine()),
            "http: not visible (needs CAP_BPF (or root)): sudo tracer");
  const CapabilityReport two =
      with(unprivileged_machine(), {Capability::packet_socket, Verdict::unknown,
                                    "not permitted: a packet socket needs CAP_NET_RAW (or root)", "sudo tracer"});
  EXPECT_EQ(describe(make_plan(two, only_http), two),
            "http: not visible (needs CAP_BPF, or CAP_NET_RAW (or root)): sudo tracer");
}

TEST(Describe, NamesTheOptionThatTookItAway) {
  PlanRequest request = only_http;
  request.backends = {BackendKind::procfs};
  EXPECT_TRUE(
      describe(make_plan(everything_supported(), request), everything_supported()).ends_with("leave out --backend"));
  CapabilityReport report = everything_supported();
  for (const Capability capability : {Capability::bpf_syscall, Capability::packet_socket})
    report = without(std::move(report), capability);
  EXPECT_TRUE(describe(make_plan(report, only_http), report).ends_with("leave out --without"));
}

}  // namespace
}  // namespace tracer
