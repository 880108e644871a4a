#include "probe-matrix/doctor_report.h"

#include <algorithm>

#include "probe-matrix/planner.h"
#include "probe-matrix/report_json.h"

namespace tracer {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& object, const char* key) {
  const auto member = object.find(key);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

std::string_view major_of(std::string_view version) { return version.substr(0, version.find('.')); }

bool can_ever_be_shown(Facet facet) {
  return std::ranges::any_of(rungs(facet), [](const Rung& rung) { return rung.never.empty(); });
}

}  // namespace

bool works(const Plan& plan) {
  return std::ranges::any_of(plan.facets, [](const FacetPlan& facet) { return facet.backend.has_value(); });
}

bool is_degraded(const Plan& plan) {
  return std::ranges::any_of(plan.facets, [](const FacetPlan& facet) {
    return can_ever_be_shown(facet.facet) && std::ranges::any_of(facet.rejected, is_step_down);
  });
}

Json to_json(const DoctorReport& report) {
  Json document{{"schema_version", doctor_schema_version},
                {"version", report.version},
                {"host", {{"kernel", report.host.kernel}, {"boot_id", report.host.boot_id}, {"os", report.host.os}}},
                {"degraded", is_degraded(report.plan)},
                {"plan", to_json(report.plan)},
                {"capabilities", to_json(report.capabilities)}};
  if (report.tls_libraries) add_to(document, *report.tls_libraries);
  return document;
}

Result<DoctorReport> doctor_report_from_json(std::string_view text) {
  constexpr bool throws = false;
  const Json document = Json::parse(text, nullptr, throws);
  if (!document.is_object())
    return fail(Errc::malformed, "it is not a JSON object", "tracer doctor --json >report.json");
  const std::string schema = text_of(document, "schema_version");
  if (schema.empty()) return fail(Errc::malformed, "it has no schema_version", "tracer doctor --json >report.json");
  if (major_of(schema) != major_of(doctor_schema_version)) {
    return fail(Errc::invalid_argument,
                "it is a report of version " + schema + ", and this tracer reads version " +
                    std::string(doctor_schema_version) + "; make it anew with this tracer on that machine",
                "tracer doctor --json >report.json");
  }
  DoctorReport report;
  report.version = text_of(document, "version");
  if (const auto host = document.find("host"); host != document.end() && host->is_object())
    report.host = {text_of(*host, "kernel"), text_of(*host, "boot_id"), text_of(*host, "os")};
  const auto rows = document.find("capabilities");
  if (rows == document.end()) return fail(Errc::malformed, "it has no capabilities");
  auto capabilities = capabilities_from_json(*rows);
  if (!capabilities) return std::unexpected(std::move(capabilities.error()));
  report.capabilities = std::move(*capabilities);
  if (document.contains("tls_libraries")) {
    auto libraries = tls_libraries_from_json(document);
    if (!libraries) return std::unexpected(std::move(libraries.error()));
    report.tls_libraries = std::move(*libraries);
  }
  return report;
}

}  // namespace tracer
