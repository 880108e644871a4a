// Real machines, without a machine: the reviewed reports of probe-matrix/expected/, planned again.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "probe-matrix/planner.h"
#include "probe-matrix/prober.h"
#include "probe-matrix/report_json.h"

namespace tracer {
namespace {

using Json = nlohmann::ordered_json;

struct Machine {
  std::string name;  // by its file
  Json document;
};

std::vector<Machine> reviewed_machines() {
  std::vector<Machine> machines;
  std::error_code missing;  // then there are none, and each test says so
  for (const auto& entry : std::filesystem::directory_iterator(TRACER_SOURCE_DIR "/probe-matrix/expected", missing)) {
    constexpr bool throws = false;
    std::ifstream file(entry.path());
    machines.push_back({entry.path().stem(), Json::parse(file, nullptr, throws)});
  }
  std::ranges::sort(machines, {}, &Machine::name);
  return machines;
}

PlanRequest without_options() {
  return {.facets = {}, .backends = {}, .mechanism = {}, .strict = false, .require = {}, .failed = {}};
}

// The order of an object's members says nothing.
nlohmann::json unordered(const Json& json) { return nlohmann::json::parse(json.dump()); }

// Each test does its work for all of them, and there must be some.
class Expected : public testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(machines_.empty()) << "there is no report in probe-matrix/expected"; }
  const std::vector<Machine> machines_ = reviewed_machines();
};

TEST_F(Expected, IsThePlanThatIsMadeOfItsCapabilities) {
  for (const Machine& machine : machines_) {
    SCOPED_TRACE(machine.name);
    ASSERT_TRUE(machine.document.is_object() && machine.document.contains("plan"));
    const auto report = capabilities_from_json(machine.document.value("capabilities", Json()));
    ASSERT_TRUE(report) << report.error().context;
    const Json planned = to_json(make_plan(*report, without_options()));
    for (const auto& [facet, plan] : planned.items())
      EXPECT_EQ(unordered(plan), unordered(machine.document["plan"].value(facet, Json()))) << facet;
    EXPECT_EQ(planned.size(), machine.document["plan"].size());
  }
}

TEST_F(Expected, AnswersEveryQuestionAndSaysWhy) {
  for (const Machine& machine : machines_) {
    SCOPED_TRACE(machine.name);
    ASSERT_TRUE(machine.document.is_object());
    EXPECT_EQ(machine.document.value("machine", ""), machine.name);
    const auto report = capabilities_from_json(machine.document.value("capabilities", Json()));
    ASSERT_TRUE(report) << report.error().context;
    EXPECT_EQ(report->answers.size(), probes().size());
    for (const Probe& probe : probes()) {
      const Answer* answer = report->find(probe.capability);
      ASSERT_NE(answer, nullptr) << to_string(probe.capability) << ": review it (probe-matrix/run --accept)";
      EXPECT_TRUE(answer->verdict == Verdict::supported || !answer->reason.empty()) << to_string(probe.capability);
    }
  }
}

// Else they would be one machine under many names.
TEST_F(Expected, AreDifferentMachines) {
  std::vector<std::string> plans;
  for (const Machine& machine : machines_) plans.push_back(machine.document.value("plan", Json()).dump());
  std::ranges::sort(plans);
  const auto repeated = std::ranges::unique(plans);
  EXPECT_GE(std::distance(plans.begin(), repeated.begin()), 10);
}

}  // namespace
}  // namespace tracer
