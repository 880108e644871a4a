#include "cli/plan_request.h"

#include <algorithm>

namespace tracer::cli {

PlanRequest plan_request(const Options& options) {
  PlanRequest request;
  request.facets = options.show;
  request.backends = options.backends;
  request.mechanism = options.mechanism;
  request.strict = options.strict;
  request.require = options.required;
  for (const Requirement& required : options.required) {
    if (std::ranges::find(request.facets, required.facet) == request.facets.end())
      request.facets.push_back(required.facet);
  }
  // Who is whose child is not learned otherwise.
  if (options.follow_children && std::ranges::find(request.facets, Facet::process) == request.facets.end())
    request.facets.push_back(Facet::process);
  return request;
}

}  // namespace tracer::cli
