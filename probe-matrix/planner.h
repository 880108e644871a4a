// Chooses, per facet, the best way to capture that this machine allows. Pure: report + request → plan.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/backend.h"
#include "core/capability.h"
#include "core/records/trace_records.h"

namespace tracer {

// One alternative of a facet, best first.
struct Rung {
  MechanismEntry entry;
  std::string_view never;  // why it can never be chosen in this version; empty where it can
};
[[nodiscard]] std::span<const Rung> rungs(Facet facet);

// What must be known of a machine to plan these facets (none: all) and to open what was planned.
[[nodiscard]] std::vector<Capability> capabilities_for(std::span<const Facet> facets);

// A choice that turned out not to work when it was opened, or stopped working.
struct FailedChoice {
  Facet facet{};
  BackendKind backend{};
  Mechanism mechanism{};
  std::string reason;
};

struct Requirement {
  Facet facet{};
  std::optional<BackendKind> backend;
};

struct PlanRequest {
  std::vector<Facet> facets;           // empty: all
  std::vector<BackendKind> backends;   // allowed, in order of preference; empty: all, in their own order
  std::optional<Mechanism> mechanism;  // no other
  bool strict = false;                 // no falling back
  std::vector<Requirement> require;
  std::vector<FailedChoice> failed;  // tried, and not to be tried again
};

// Always a plan; whether it is good enough is unmet()'s to say. A facet that was not asked for has neither choice nor
// rejections.
[[nodiscard]] Plan make_plan(const CapabilityReport& report, const PlanRequest& request);

// Notes that a choice failed and plans without it.
[[nodiscard]] Plan replan(const CapabilityReport& report, PlanRequest& request, FailedChoice failed);

// What would take the facet over if its choice failed, best first.
[[nodiscard]] std::vector<MechanismEntry> successors(const CapabilityReport& report, const PlanRequest& request,
                                                     const FacetPlan& chosen);

// What --backend, --mechanism, --strict or --require ask for and the plan does not give, or that nothing at all is
// left: Errc::not_permitted if privileges could change it, else Errc::not_supported.
[[nodiscard]] std::optional<Error> unmet(const Plan& plan, const PlanRequest& request, const CapabilityReport& report);

// One line: "http: tracepoint/tp_btf (ebpf/fentry, ebpf/kprobe: not built into this version)", or "http: not visible
// (needs CAP_BPF (or root)): sudo tracer". Of several: one for all of which the same is to be said.
[[nodiscard]] std::string describe(const FacetPlan& plan, const CapabilityReport& report);
[[nodiscard]] std::vector<std::string> describe(std::span<const FacetPlan* const> plans,
                                                const CapabilityReport& report);
// All that were asked for.
[[nodiscard]] std::string describe(const Plan& plan, const CapabilityReport& report);

// The reasons of rejections that do not come from the machine.
inline constexpr std::string_view reason_not_built = "not built into this version";
inline constexpr std::string_view reason_no_payload = "the socket table carries no payload";
// Of the socket states alone each end of a connection is a record of its own, and nobody accepts.
inline constexpr std::string_view reason_only_when_asked =
    "only with --mechanism tracefs: each end would be a record of its own, without sizes";
inline constexpr std::string_view reason_other_backend = "left out by --backend";
inline constexpr std::string_view reason_other_mechanism = "left out by --mechanism";
// Whether this machine, or a failure on it, is the reason: not the user, and not this version of the tracer.
[[nodiscard]] bool is_step_down(const RejectedChoice& rejected);

}  // namespace tracer
