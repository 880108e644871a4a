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

std::string reason_for(const FacetPlan& plan, Mechanism mechanism) {
  for (const RejectedChoice& rejected : plan.rejected)
    if (rejected.mechanism == mechanism) return rejected.reason;
  return "(not rejected)";
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
      with(everything_supported(), {Capability::fentry, Verdict::unknown, "not permitted: no", {}});
  const std::optional<Error> privileges = unmet(make_plan(refused, request), request, refused);
  ASSERT_TRUE(privileges);
  EXPECT_EQ(privileges->code, Errc::not_permitted);

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

TEST(Describe, NotVisibleEndsOnWhatToDo) {
  EXPECT_EQ(describe(make_plan(unprivileged_machine(), only_http), unprivileged_machine()),
            "http: not visible (needs CAP_BPF (or root)): sudo tracer");
}

std::string table_of(Facet facet) {
  std::string table;
  for (const Rung& rung : rungs(facet)) {
    table += std::string(to_string(rung.entry.backend)) + "/" + std::string(to_string(rung.entry.mechanism)) + " needs";
    for (const Capability need : rung.entry.needs) table += " " + std::string(to_string(need));
    if (!rung.entry.missing.empty()) table += " missing";
    for (const std::string_view field : rung.entry.missing) table += " " + std::string(field);
    table += rung.never.empty() ? "\n" : " [" + std::string(rung.never) + "]\n";
  }
  return table;
}

// Reviewed tables: a change here is a change of what users are promised.
TEST(Rungs, GoldenTableOfHttp) {
  EXPECT_EQ(table_of(Facet::http),
            "ebpf/fentry needs bpf_syscall btf fentry bpf_ring_buffer\n"
            "ebpf/kprobe needs bpf_syscall btf perf_event_open kprobe raw_tp bpf_probe_read_kernel\n"
            "tracepoint/tp_btf needs bpf_syscall btf tp_btf bpf_ring_buffer\n"
            "tracepoint/raw_tp needs bpf_syscall btf raw_tp bpf_probe_read_kernel bpf_ring_buffer\n"
            "tracepoint/syscall_tp needs bpf_syscall perf_event_open tracefs syscall_tp\n"
            "pcap/af_packet needs packet_socket\n"
            "procfs/sock_diag needs sock_diag [the socket table carries no payload]\n");
}

TEST(Rungs, GoldenTableOfConnection) {
  EXPECT_EQ(table_of(Facet::connection),
            "ebpf/fentry needs bpf_syscall btf fentry bpf_ring_buffer missing rtt_ms tcp_state retransmits\n"
            "ebpf/kprobe needs bpf_syscall btf perf_event_open kprobe raw_tp bpf_probe_read_kernel missing rtt_ms "
            "tcp_state retransmits\n"
            "tracepoint/tp_btf needs bpf_syscall btf tp_btf bpf_ring_buffer missing rtt_ms tcp_state retransmits\n"
            "tracepoint/raw_tp needs bpf_syscall btf raw_tp bpf_probe_read_kernel bpf_ring_buffer missing rtt_ms "
            "tcp_state retransmits\n"
            "tracepoint/syscall_tp needs bpf_syscall perf_event_open tracefs syscall_tp missing rtt_ms tcp_state "
            "retransmits client_to_server.witnessed server_to_client.witnessed\n"
            "pcap/af_packet needs packet_socket missing rtt_ms tcp_state retransmits\n"
            "procfs/sock_diag needs sock_diag missing protocol transactions\n");
}

TEST(Rungs, GoldenTableOfProcessAndFile) {
  EXPECT_EQ(table_of(Facet::process),
            "ebpf/fentry needs bpf_syscall btf fentry bpf_ring_buffer\n"
            "ebpf/kprobe needs bpf_syscall btf perf_event_open kprobe raw_tp bpf_probe_read_kernel\n"
            "tracepoint/tp_btf needs bpf_syscall btf tp_btf bpf_ring_buffer\n"
            "tracepoint/raw_tp needs bpf_syscall btf raw_tp bpf_probe_read_kernel bpf_ring_buffer\n"
            "tracepoint/syscall_tp needs bpf_syscall perf_event_open tracefs syscall_tp missing ppid exit_code "
            "signal\n"
            "tracepoint/tracefs needs tracefs_instance missing exit_code signal\n"
            "procfs/proc_events needs proc_events\n"
            "procfs/poll needs missing exit_code signal\n");
  EXPECT_EQ(table_of(Facet::file),
            "tracepoint/tp_btf needs bpf_syscall btf tp_btf bpf_ring_buffer [not built into this version]\n"
            "tracepoint/syscall_tp needs bpf_syscall perf_event_open tracefs syscall_tp [not built into this "
            "version]\n"
            "tracepoint/tracefs needs tracefs_instance\n"
            "procfs/fanotify needs fanotify [not built into this version]\n"
            "procfs/poll needs [not built into this version]\n");
}

// Each capability that a mechanism needs, taken away alone, moves every facet that rests on it to its next rung.
TEST(Rungs, FlippingACapabilityThatIsNeededMovesToTheNextRung) {
  std::size_t moved = 0;
  for (std::size_t index = 0; index < facet_count; ++index) {
    const auto facet = static_cast<Facet>(index);
    std::vector<const Rung*> usable;
    for (const Rung& rung : rungs(facet))
      if (rung.never.empty()) usable.push_back(&rung);
    for (std::size_t at = 0; at < usable.size(); ++at) {
      for (const Capability need : usable[at]->entry.needs) {
        for (const Verdict verdict : {Verdict::unsupported, Verdict::unknown}) {
          // The rungs above are out of the way by a failure, so that this one is chosen.
          PlanRequest request{
              .facets = {facet}, .backends = {}, .mechanism = {}, .strict = false, .require = {}, .failed = {}};
          for (std::size_t above = 0; above < at; ++above)
            request.failed.push_back({facet, usable[above]->entry.backend, usable[above]->entry.mechanism, "left out"});
          const FacetPlan before = make_plan(everything_supported(), request).facets[index];
          ASSERT_EQ(before.mechanism, usable[at]->entry.mechanism);
          const CapabilityReport flipped = with(everything_supported(), {need, verdict, "flipped", {}});
          const FacetPlan after = make_plan(flipped, request).facets[index];
          std::size_t next = at + 1;
          while (next < usable.size() &&
                 std::ranges::find(usable[next]->entry.needs, need) != usable[next]->entry.needs.end())
            ++next;
          if (next < usable.size()) {
            EXPECT_EQ(after.mechanism, usable[next]->entry.mechanism)
                << to_string(facet) << " without " << to_string(need);
          } else {
            EXPECT_FALSE(after.backend) << to_string(facet) << " without " << to_string(need);
          }
          EXPECT_EQ(reason_for(after, usable[at]->entry.mechanism), "flipped");
          ++moved;
        }
      }
    }
  }
  EXPECT_GT(moved, 80U);
}

TEST(Rungs, OnlyWhatIsNeededIsProbedForATrace) {
  const std::vector<Facet> shown{Facet::http, Facet::tls, Facet::https};
  const std::vector<Capability> few = capabilities_for(shown);
  for (const Capability slow : {Capability::proc_events, Capability::tracefs_instance, Capability::in_container})
    EXPECT_EQ(std::ranges::find(few, slow), few.end()) << to_string(slow);
  CapabilityReport report;
  for (const Capability needed : few) report.answers.push_back({needed, Verdict::supported, {}, {}});
  for (const Rung& rung : rungs(Facet::http))
    for (const Capability need : rung.entry.needs)
      EXPECT_TRUE(!rung.never.empty() || report.find(need) != nullptr) << to_string(need);
  EXPECT_GT(capabilities_for({}).size(), few.size());
}

TEST(Rungs, EveryFacetHasAtLeastOneAndNoneTwice) {
  for (std::size_t index = 0; index < facet_count; ++index) {
    const std::span<const Rung> list = rungs(static_cast<Facet>(index));
    EXPECT_FALSE(list.empty());
    for (std::size_t a = 0; a < list.size(); ++a)
      for (std::size_t b = a + 1; b < list.size(); ++b)
        EXPECT_FALSE(list[a].entry.backend == list[b].entry.backend &&
                     list[a].entry.mechanism == list[b].entry.mechanism);
  }
}

}  // namespace
}  // namespace tracer
