#include "cli/opener.h"

#include <algorithm>

namespace tracer::cli {
namespace {

bool is_open(const Opened& opened, const FacetPlan& facet) {
  return std::ranges::any_of(opened.backends, [&](const OpenedBackend& backend) {
    return backend.kind == facet.backend && backend.mechanism == facet.mechanism;
  });
}

// The first choice of the plan that is not open yet.
const FacetPlan* next_choice(const Opened& opened) {
  const auto found = std::ranges::find_if(opened.plan.facets, [&](const FacetPlan& facet) {
    return facet.backend && facet.mechanism && !is_open(opened, facet);
  });
  return found == opened.plan.facets.end() ? nullptr : &*found;
}

Result<OpenedBackend> open_choice(std::span<const BackendRow> rows, const FacetPlan& choice, OpenRequest how) {
  const auto row = std::ranges::find_if(rows, [&](const BackendRow& candidate) {
    return candidate.backend == choice.backend && candidate.mechanism == choice.mechanism;
  });
  if (row == rows.end()) return fail(Errc::not_supported, std::string(reason_not_built));
  how.mechanism = *choice.mechanism;
  auto opened = row->open(how);
  if (!opened) return opened;
  if (opened->backend == nullptr) return fail(Errc::os, "opened without a backend");
  opened->kind = *choice.backend;
  opened->mechanism = *choice.mechanism;
  return opened;
}

}  // namespace

Opened open_backends(std::span<const BackendRow> rows, PlanRequest& request, OpenRequest how) {
  how.chosen = !request.backends.empty() || request.mechanism.has_value();
  Opened opened{make_plan(*how.report, request), {}, false};
  while (const FacetPlan* choice = next_choice(opened)) {
    auto backend = open_choice(rows, *choice, how);
    if (backend) {
      opened.backends.push_back(std::move(*backend));
      continue;
    }
    opened.attempt_failed = true;
    const std::string& reason = backend.error().context;
    const BackendKind kind = *choice->backend;
    const Mechanism mechanism = *choice->mechanism;
    // What cannot be opened for one facet cannot be opened for another.
    for (const FacetPlan& facet : opened.plan.facets) {
      if (facet.backend == kind && facet.mechanism == mechanism) {
        request.failed.push_back({facet.facet, kind, mechanism, reason});
      }
    }
    opened.plan = make_plan(*how.report, request);
  }
  return opened;
}

}  // namespace tracer::cli
