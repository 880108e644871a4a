#include "cli/plan_request.h"

#include <gtest/gtest.h>

namespace tracer::cli {
namespace {

TEST(PlanRequest, WhatIsRequiredIsAskedForToo) {
  Options options;
  options.show = {Facet::http};
  options.required = {{Facet::process, {}}, {Facet::http, {}}};
  EXPECT_EQ(plan_request(options).facets, (std::vector{Facet::http, Facet::process}));
}

TEST(PlanRequest, ChildrenAreFollowedByTheirProcesses) {
  Options options;
  options.show = {Facet::library};
  EXPECT_EQ(plan_request(options).facets, std::vector{Facet::library});
  options.follow_children = true;
  EXPECT_EQ(plan_request(options).facets, (std::vector{Facet::library, Facet::process}));
}

}  // namespace
}  // namespace tracer::cli
