// `doctor --from` on any bytes: an error or a report, and of a report a plan that rests on what it says is supported.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "probe-matrix/doctor_report.h"
#include "probe-matrix/planner.h"
#include "probe-matrix/report_json.h"

namespace {

using namespace tracer;

void require(bool condition) {
  if (!condition) std::abort();
}

void stands_on_supported(const FacetPlan& facet, const CapabilityReport& report) {
  require(facet.backend.has_value() == facet.mechanism.has_value());
  if (!facet.backend) return;
  for (const Rung& rung : rungs(facet.facet)) {
    if (rung.entry.backend != *facet.backend || rung.entry.mechanism != *facet.mechanism) continue;
    require(rung.never.empty());
    for (const Capability need : rung.entry.needs) {
      const Answer* answer = report.find(need);
      require(answer != nullptr && answer->verdict == Verdict::supported);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto report = doctor_report_from_json({reinterpret_cast<const char*>(data), size});
  if (!report) {
    require(report.error().code == Errc::malformed || report.error().code == Errc::invalid_argument);
    require(!report.error().context.empty());
    return 0;
  }
  report->plan = make_plan(report->capabilities, {});
  for (const FacetPlan& facet : report->plan.facets) stands_on_supported(facet, report->capabilities);
  (void)describe(report->plan, report->capabilities);
  (void)is_degraded(report->plan);
  // What is written is read back as the same, whatever text the answers hold.
  constexpr bool ensure_ascii = false;
  const auto replaced = nlohmann::ordered_json::error_handler_t::replace;
  const std::string written = to_json(*report).dump(-1, ' ', ensure_ascii, replaced);
  const auto again = doctor_report_from_json(written);
  require(again && again->capabilities.answers.size() == report->capabilities.answers.size());
  require(to_json(make_plan(again->capabilities, {})) == to_json(*report)["plan"]);
  return 0;
}
