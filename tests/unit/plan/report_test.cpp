#include "probe-matrix/report.h"

#include <gtest/gtest.h>

#include "probe-matrix/planner.h"
#include "probe-matrix/report_json.h"
#include "tests/unit/plan/reports.h"

namespace tracer {
namespace {

Verdict verdict_of(const CapabilityReport& report, Capability capability) {
  const Answer* answer = report.find(capability);
  return answer == nullptr ? Verdict::unknown : answer->verdict;
}

TEST(Without, TakesWhatDependsOnItAlong) {
  const CapabilityReport report = without(test::everything_supported(), Capability::btf);
  EXPECT_EQ(verdict_of(report, Capability::btf), Verdict::unsupported);
  EXPECT_EQ(verdict_of(report, Capability::tp_btf), Verdict::unsupported);
  EXPECT_EQ(verdict_of(report, Capability::fentry), Verdict::unsupported);
  EXPECT_EQ(report.find(Capability::btf)->reason, "switched off by --without");
  EXPECT_EQ(report.find(Capability::tp_btf)->reason, "needs btf, switched off by --without");
  EXPECT_EQ(verdict_of(report, Capability::raw_tp), Verdict::supported);
  EXPECT_EQ(verdict_of(report, Capability::syscall_tp), Verdict::supported);
}

TEST(Without, BpfTakesEveryProgramAndMap) {
  const CapabilityReport report = without(test::everything_supported(), Capability::bpf_syscall);
  for (const Capability gone :
       {Capability::bpf_ring_buffer, Capability::bpf_mmapable_array, Capability::bpf_probe_read_kernel,
        Capability::raw_tp, Capability::tp_btf, Capability::fentry, Capability::syscall_tp})
    EXPECT_EQ(verdict_of(report, gone), Verdict::unsupported) << to_string(gone);
  for (const Capability kept :
       {Capability::perf_event_open, Capability::tracefs, Capability::sock_diag, Capability::packet_socket})
    EXPECT_EQ(verdict_of(report, kept), Verdict::supported) << to_string(kept);
}

TEST(Without, WorksOnAReportThatNeverAsked) {
  EXPECT_EQ(verdict_of(without(CapabilityReport{}, Capability::tracefs), Capability::tracefs), Verdict::unsupported);
}

TEST(Names, EveryCapabilityHasOneAndAFamily) {
  for (const Probe& probe : probes()) {
    EXPECT_EQ(capability_from_name(to_string(probe.capability)), probe.capability);
    EXPECT_FALSE(family_of(probe.capability).empty()) << to_string(probe.capability);
  }
  EXPECT_FALSE(capability_from_name("warp_drive"));
  EXPECT_FALSE(capability_from_name(""));
  EXPECT_EQ(mechanism_from_name("poll"), Mechanism::poll);
  EXPECT_EQ(backend_from_name("procfs"), BackendKind::procfs);
  EXPECT_EQ(facet_from_name("connection"), Facet::connection);
}

TEST(ReportJson, RoundTrip) {
  const CapabilityReport report = test::hardened_machine();
  const Result<CapabilityReport> back = report_from_json(to_json(report).dump());
  ASSERT_TRUE(back) << back.error().context;
  ASSERT_EQ(back->answers.size(), report.answers.size());
  for (std::size_t i = 0; i < report.answers.size(); ++i) {
    EXPECT_EQ(back->answers[i].capability, report.answers[i].capability);
    EXPECT_EQ(back->answers[i].verdict, report.answers[i].verdict);
    EXPECT_EQ(back->answers[i].reason, report.answers[i].reason);
    EXPECT_EQ(back->answers[i].fix, report.answers[i].fix);
  }
}

TEST(ReportJson, SaysWhichRowIsWrong) {
  for (const char* text :
       {"", "{}", "[1]", R"([{"name":"warp_drive","verdict":"supported"}])", R"([{"name":"btf","verdict":"maybe"}])",
        R"([{"name":"btf"}])", R"([{"name":3,"verdict":"unknown"}])",
        R"([{"name":"btf","verdict":"unknown"},{"name":"btf","verdict":"unknown"}])"}) {
    const Result<CapabilityReport> report = report_from_json(text);
    ASSERT_FALSE(report) << text;
    EXPECT_EQ(report.error().code, Errc::malformed);
  }
}

TEST(PlanJson, HasTheDocumentedShape) {
  const PlanRequest request{
      .facets = {Facet::http}, .backends = {}, .mechanism = {}, .strict = false, .require = {}, .failed = {}};
  const nlohmann::ordered_json plan = to_json(make_plan(test::hardened_machine(), request));
  EXPECT_EQ(plan.size(), facet_count);
  EXPECT_EQ(plan["http"].dump(),
            R"({"backend":"tracepoint","mechanism":"tp_btf","missing":[],"rejected":[)"
            R"({"backend":"ebpf","mechanism":"fentry","reason":"not permitted: a policy forbids it"},)"
            R"({"backend":"ebpf","mechanism":"kprobe","reason":"this kernel has no kprobes"}]})");
  EXPECT_EQ(plan["tls"].dump(), R"({"backend":null,"mechanism":null,"missing":[],"rejected":[]})");
}

}  // namespace
}  // namespace tracer
