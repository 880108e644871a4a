// Walks the plan, facet by facet: opens what it chose; what does not open, or does not attach a facet, is planned
// around, with its reason.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "cli/backend_table.h"
#include "probe-matrix/planner.h"

namespace tracer::cli {

struct OpenedSource {
  OpenedBackend backend;
  std::vector<Facet> facets;  // that really attached; never empty
  bool beside = false;        // not of the plan: looked through once, for what was there before, then closed
};

struct Choice {
  BackendKind backend{};
  Mechanism mechanism{};
  bool operator==(const Choice&) const = default;
};
[[nodiscard]] std::string to_string(const Choice& choice);  // "tracepoint/tp_btf"

class Opener {
 public:
  // What `how` refers to must outlive the opener; its mechanism and facets are set here.
  Opener(std::span<const BackendRow> rows, PlanRequest request, OpenRequest how);
  // Called with every backend that opened: tests and builds for tests change them.
  std::function<void(OpenedBackend&)> on_opened;
  // Called before each try: it may take long.
  std::function<void(const Choice&)> on_try;

  // The best for each of `facets` that can be had.
  [[nodiscard]] std::vector<OpenedSource> open(std::span<const Facet> facets);
  // This one and no other, whatever the plan says.
  [[nodiscard]] Result<OpenedSource> open(const Choice& choice, std::span<const Facet> facets);

  // Asked for from now on too.
  void want(std::span<const Facet> facets);
  void give_up(std::span<const Facet> facets, const Choice& choice, const std::string& reason);
  // Whatever shows it.
  void give_up_everywhere(Facet facet, const std::string& reason);
  void forgive(std::span<const Facet> facets, const Choice& choice);

  [[nodiscard]] const Plan& plan() const { return plan_; }
  [[nodiscard]] const PlanRequest& request() const { return request_; }
  [[nodiscard]] std::optional<Choice> planned(Facet facet) const;
  // What was asked for and cannot be had; --require apart, because it has an exit code of its own.
  [[nodiscard]] std::optional<Error> unmet() const;
  [[nodiscard]] std::optional<Error> unmet_requirement() const;
  // Something that the probes allowed did not open.
  [[nodiscard]] bool attempt_failed() const { return attempt_failed_; }

 private:
  void replan() { plan_ = make_plan(*how_.report, request_); }

  std::span<const BackendRow> rows_;
  PlanRequest request_;
  OpenRequest how_;
  Plan plan_;
  bool attempt_failed_ = false;
};

}  // namespace tracer::cli
