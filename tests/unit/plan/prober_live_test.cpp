// The probes on the machine that runs the tests. What a kernel allows is not ours to assert; that the answers hang
// together is.
#include <dirent.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <set>
#include <string>

#include "probe-matrix/planner.h"
#include "probe-matrix/prober.h"
#include "probe-matrix/report.h"

namespace tracer {
namespace {

std::set<std::string> open_descriptors() {
  std::set<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), ::closedir);
  while (const dirent* entry = ::readdir(folder.get())) names.insert(static_cast<const char*>(entry->d_name));
  return names;
}

TEST(ProberLive, AnswersHangTogetherAndLeaveNothingOpen) {
  const std::set<std::string> before = open_descriptors();
  CapabilityReport report;
  {
    HostSystem system;
    report = probe_all(system);
  }
  EXPECT_EQ(open_descriptors(), before);

  ASSERT_EQ(report.answers.size(), probes().size());
  for (const Answer& answer : report.answers) {
    if (answer.verdict != Verdict::supported || !is_fact(answer.capability)) {
      EXPECT_EQ(answer.reason.empty(), answer.verdict == Verdict::supported)
          << to_string(answer.capability) << ": " << answer.reason;
    }
    EXPECT_TRUE(!is_not_permitted(answer) || answer.verdict == Verdict::unknown) << to_string(answer.capability);
    std::string line(to_string(answer.capability));
    line += " " + std::string(to_string(answer.verdict)) + " " + answer.reason + " | " + answer.fix;
    std::puts(line.c_str());
  }
  const auto has = [&](Capability capability) { return report.find(capability)->verdict == Verdict::supported; };
  EXPECT_TRUE(!has(Capability::tp_btf) || has(Capability::btf));
  EXPECT_TRUE(!has(Capability::fentry) || has(Capability::btf));
  EXPECT_TRUE(!has(Capability::raw_tp) || has(Capability::bpf_syscall));
  EXPECT_TRUE(!has(Capability::syscall_tp) || has(Capability::tracefs));
}

TEST(ProberLive, RootWithTypedTracepointsPlansThem) {
  HostSystem system;
  const CapabilityReport report = probe_all(system);
  const Answer* typed = report.find(Capability::tp_btf);
  if (typed->verdict != Verdict::supported) GTEST_SKIP() << "tp_btf: " << typed->reason;
  const PlanRequest request{
      .facets = {Facet::http}, .backends = {}, .mechanism = {}, .strict = false, .require = {}, .failed = {}};
  const Plan plan = make_plan(report, request);
  EXPECT_EQ(plan.facets.front().backend, BackendKind::tracepoint) << describe(plan, report);
}

}  // namespace
}  // namespace tracer
