#include "backends/bpf/facet_programs.h"

#include <algorithm>
#include <string>

namespace tracer {
namespace {

// Empty: all of them are attached.
std::string why_not(std::span<const std::string_view> programs, std::span<const AttachOutcome> outcomes) {
  for (const std::string_view program : programs) {
    const auto outcome = std::ranges::find(outcomes, program, &AttachOutcome::what);
    if (outcome == outcomes.end()) return std::string(program) + " is not in the object";
    if (!outcome->attached) return outcome->what + ": " + outcome->reason;
  }
  return {};
}

}  // namespace

bool wants_sockets(std::span<const Facet> facets) {
  return facets.empty() || std::ranges::any_of(facets, [](Facet facet) { return facet != Facet::process; });
}

Result<std::vector<RefusedFacet>> settle_facets(std::span<const FacetNeed> needs, std::span<const Facet> asked,
                                                std::span<const AttachOutcome> outcomes) {
  std::vector<RefusedFacet> refused;
  std::vector<Facet> facets(asked.begin(), asked.end());
  if (facets.empty()) std::ranges::transform(needs, std::back_inserter(facets), &FacetNeed::facet);
  for (const Facet facet : facets) {
    const auto need = std::ranges::find(needs, facet, &FacetNeed::facet);
    std::string reason = need == needs.end() ? "this mechanism does not see it" : why_not(need->programs, outcomes);
    if (!reason.empty()) refused.push_back({facet, std::move(reason)});
  }
  if (refused.size() == facets.size() && !refused.empty()) return fail(Errc::not_supported, refused.front().reason);
  return refused;
}

Result<OpenedBackend> open_what_attaches(const std::vector<Facet>& facets, const OpenForFacets& open) {
  auto opened = open(facets);
  const bool processes = std::ranges::find(facets, Facet::process) != facets.end();
  if (opened || !processes || !wants_sockets(facets) || opened.error().code == Errc::not_permitted) return opened;
  auto alone = open({Facet::process});
  if (!alone) return opened;
  for (const Facet facet : facets)
    if (facet != Facet::process) alone->refused.push_back({facet, opened.error().context});
  return alone;
}

}  // namespace tracer
