#include "cli/opener.h"

#include <algorithm>

namespace tracer::cli {

std::string to_string(const Choice& choice) {
  return std::string(tracer::to_string(choice.backend)) + "/" + std::string(tracer::to_string(choice.mechanism));
}

Opener::Opener(std::span<const BackendRow> rows, PlanRequest request, OpenRequest how)
    : rows_(rows), request_(std::move(request)), how_(how), plan_(make_plan(*how.report, request_)) {
  how_.chosen = !request_.backends.empty() || request_.mechanism.has_value();
}

namespace {

// The plan says the same to the user: a record must not know less of what it lacks.
void add_missing(OpenedSource& source, const Choice& choice) {
  std::vector<std::string_view>& missing = source.backend.missing;
  for (const Facet facet : source.facets) {
    for (const Rung& rung : rungs(facet)) {
      if (Choice{rung.entry.backend, rung.entry.mechanism} != choice) continue;
      std::ranges::copy_if(rung.entry.missing, std::back_inserter(missing),
                           [&](std::string_view field) { return std::ranges::find(missing, field) == missing.end(); });
    }
  }
}

}  // namespace

std::optional<Choice> Opener::planned(Facet facet) const {
  const auto row = std::ranges::find(plan_.facets, facet, &FacetPlan::facet);
  if (row == plan_.facets.end() || !row->backend || !row->mechanism) return std::nullopt;
  return Choice{*row->backend, *row->mechanism};
}

std::vector<OpenedSource> Opener::open(std::span<const Facet> facets) {
  std::vector<OpenedSource> sources;
  std::vector<Facet> waiting(facets.begin(), facets.end());
  while (true) {
    const auto first = std::ranges::find_if(waiting, [&](Facet facet) { return planned(facet).has_value(); });
    if (first == waiting.end()) return sources;
    const Choice choice = *planned(*first);
    std::vector<Facet> together;  // what is opened once for one facet is not opened again for another
    std::ranges::copy_if(waiting, std::back_inserter(together), [&](Facet each) { return planned(each) == choice; });

    auto opened = open(choice, together);
    if (!opened) {
      attempt_failed_ = attempt_failed_ || opened.error().context != reason_not_built;
      give_up(together, choice, opened.error().context);
      continue;
    }
    for (const RefusedFacet& refused : opened->backend.refused) {
      attempt_failed_ = true;
      // The breakpoints beside a backend are the same beside each: what runs without them is not opened once more.
      if (refused.facet == Facet::https) {
        give_up_everywhere(refused.facet, refused.reason);
      } else {
        give_up(std::span(&refused.facet, 1), choice, refused.reason);
      }
    }
    std::erase_if(waiting, [&](Facet each) { return std::ranges::find(opened->facets, each) != opened->facets.end(); });
    sources.push_back(std::move(*opened));
  }
}

Result<OpenedSource> Opener::open(const Choice& choice, std::span<const Facet> facets) {
  const auto row = std::ranges::find_if(rows_, [&](const BackendRow& candidate) {
    return candidate.backend == choice.backend && candidate.mechanism == choice.mechanism;
  });
  if (row == rows_.end()) return fail(Errc::not_supported, std::string(reason_not_built));
  OpenRequest how = how_;
  how.mechanism = choice.mechanism;
  how.facets = facets;
  if (on_try) on_try(choice);
  auto opened = row->open(how);
  if (!opened) return std::unexpected(std::move(opened.error()));
  if (opened->backend == nullptr) return fail(Errc::os, "opened without a backend");
  opened->kind = choice.backend;
  opened->mechanism = choice.mechanism;
  OpenedSource source{std::move(*opened), {}};
  std::ranges::copy_if(facets, std::back_inserter(source.facets), [&](Facet facet) {
    return std::ranges::find(source.backend.refused, facet, &RefusedFacet::facet) == source.backend.refused.end();
  });
  if (source.facets.empty()) return fail(Errc::not_supported, source.backend.refused.front().reason);
  add_missing(source, choice);
  if (on_opened) on_opened(source.backend);
  return source;
}

void Opener::want(std::span<const Facet> facets) {
  for (const Facet facet : facets) {
    if (std::ranges::find(request_.facets, facet) == request_.facets.end()) request_.facets.push_back(facet);
  }
  replan();
}

void Opener::give_up(std::span<const Facet> facets, const Choice& choice, const std::string& reason) {
  for (const Facet facet : facets) request_.failed.push_back({facet, choice.backend, choice.mechanism, reason});
  replan();
}

void Opener::give_up_everywhere(Facet facet, const std::string& reason) {
  for (const Rung& rung : rungs(facet))
    request_.failed.push_back({facet, rung.entry.backend, rung.entry.mechanism, reason});
  replan();
}

void Opener::forgive(std::span<const Facet> facets, const Choice& choice) {
  std::erase_if(request_.failed, [&](const FailedChoice& failed) {
    return Choice{failed.backend, failed.mechanism} == choice &&
           std::ranges::find(facets, failed.facet) != facets.end();
  });
  replan();
}

std::optional<Error> Opener::unmet() const {
  PlanRequest request = request_;
  request.require.clear();
  return tracer::unmet(plan_, request, *how_.report);
}

std::optional<Error> Opener::unmet_requirement() const {
  for (const Requirement& required : request_.require) {
    PlanRequest request;
    request.facets = {required.facet};
    request.backends = request_.backends;
    request.require = {required};
    if (auto error = tracer::unmet(plan_, request, *how_.report)) return error;
  }
  return std::nullopt;
}

}  // namespace tracer::cli
