#include "backends/bpf/facet_programs.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "backends/bpf/file_setting.h"

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

bool needs_sockets(Facet facet) {
  return facet == Facet::http || facet == Facet::tls || facet == Facet::https || facet == Facet::connection;
}

}  // namespace

bool wants_sockets(std::span<const Facet> facets) {
  return facets.empty() || std::ranges::any_of(facets, needs_sockets);
}

void choose_programs(BpfImage& image, std::span<const Facet> facets) {
  const bool files = wants_files(facets);
  if (wants_sockets(facets)) {
    if (!files) image.without.insert(image.without.end(), std::begin(file_programs), std::end(file_programs));
    return;
  }
  image.only.insert(image.only.end(), std::begin(process_programs), std::end(process_programs));
  if (files) image.only.insert(image.only.end(), std::begin(file_programs), std::end(file_programs));
}

void size_plaintext_map(BpfImage& image, bool carried) {
  if (!carried) image.map_entries.push_back({"tls_calls", 1});
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
  std::vector<Facet> without_sockets;
  std::ranges::remove_copy_if(facets, std::back_inserter(without_sockets), needs_sockets);
  if (opened || without_sockets.empty() || without_sockets.size() == facets.size() ||
      opened.error().code == Errc::not_permitted)
    return opened;
  auto rest = open(without_sockets);
  if (!rest) return opened;
  for (const Facet facet : facets)
    if (needs_sockets(facet)) rest->refused.push_back({facet, opened.error().context});
  return rest;
}

}  // namespace tracer
