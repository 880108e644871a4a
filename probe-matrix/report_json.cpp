#include "probe-matrix/report_json.h"

#include <string>
#include <utility>

#include "probe-matrix/report.h"

namespace tracer {
namespace {

using Json = nlohmann::ordered_json;

std::optional<std::string> text_of(const Json& row, const char* key) {
  const auto member = row.find(key);
  if (member == row.end() || !member->is_string()) return std::nullopt;
  return member->get<std::string>();
}

template <typename E>
Json name_or_null(const std::optional<E>& value) {
  return value ? Json(to_string(*value)) : Json(nullptr);
}

}  // namespace

Json to_json(const CapabilityReport& report) {
  Json rows = Json::array();
  for (const Answer& answer : report.answers)
    rows.push_back({{"name", to_string(answer.capability)},
                    {"family", family_of(answer.capability)},
                    {"verdict", to_string(answer.verdict)},
                    {"reason", answer.reason},
                    {"fix", answer.fix}});
  return rows;
}

Json to_json(const Plan& plan) {
  Json facets = Json::object();
  for (const FacetPlan& facet : plan.facets) {
    Json rejected = Json::array();
    for (const RejectedChoice& choice : facet.rejected)
      rejected.push_back({{"backend", to_string(choice.backend)},
                          {"mechanism", name_or_null(choice.mechanism)},
                          {"reason", choice.reason}});
    facets[std::string(to_string(facet.facet))] = {{"backend", name_or_null(facet.backend)},
                                                   {"mechanism", name_or_null(facet.mechanism)},
                                                   {"missing", facet.missing},
                                                   {"rejected", std::move(rejected)}};
  }
  return facets;
}

Result<CapabilityReport> report_from_json(std::string_view text) {
  constexpr bool throws = false;
  return capabilities_from_json(Json::parse(text, nullptr, throws));
}

Result<CapabilityReport> capabilities_from_json(const Json& rows) {
  if (!rows.is_array()) return fail(Errc::malformed, "a capability report is a JSON array");
  CapabilityReport report;
  for (const Json& row : rows) {
    const std::string where = "row " + std::to_string(report.answers.size()) + " of the capability report";
    if (!row.is_object()) return fail(Errc::malformed, where + " is not an object");
    const auto name = text_of(row, "name");
    const auto capability = name ? capability_from_name(*name) : std::nullopt;
    if (!capability) return fail(Errc::malformed, where + " names no known capability");
    const auto verdict_name = text_of(row, "verdict");
    const auto verdict = verdict_name ? verdict_from_name(*verdict_name) : std::nullopt;
    if (!verdict) return fail(Errc::malformed, where + " has no known verdict");
    if (report.find(*capability) != nullptr) return fail(Errc::malformed, where + " is the second for " + *name);
    report.answers.push_back(
        {*capability, *verdict, text_of(row, "reason").value_or(""), text_of(row, "fix").value_or("")});
  }
  return report;
}

}  // namespace tracer
