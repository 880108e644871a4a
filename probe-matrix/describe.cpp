// The plan in words for a person.
#include <algorithm>
#include <utility>
#include <vector>

#include "probe-matrix/fix_text.h"
#include "probe-matrix/planner.h"
#include "probe-matrix/report.h"

namespace tracer {
namespace {

std::string choice_name(BackendKind backend, const std::optional<Mechanism>& mechanism) {
  std::string name(to_string(backend));
  if (mechanism) name += "/" + std::string(to_string(*mechanism));
  return name;
}

// "a/x, a/y: reason; b/z: other reason", without what the user left out himself. Where nothing is left, only what could
// have been different on another machine, if there is any.
std::string rejections(const FacetPlan& plan) {
  const bool steps_only = !plan.backend && std::ranges::any_of(plan.rejected, is_step_down);
  std::string text;
  std::string_view last;
  bool open = false;
  for (const RejectedChoice& rejected : plan.rejected) {
    if (rejected.reason == reason_other_backend || rejected.reason == reason_other_mechanism) continue;
    if (steps_only && !is_step_down(rejected)) continue;
    if (open && rejected.reason != last) text += ": " + std::string(last) + "; ";
    if (open && rejected.reason == last) text += ", ";
    text += choice_name(rejected.backend, rejected.mechanism);
    last = rejected.reason;
    open = true;
  }
  if (open) text += ": " + std::string(last);
  return text;
}

bool possible(const MechanismEntry& entry, const CapabilityReport& report) {
  return std::ranges::all_of(entry.needs, [&](Capability need) {
    const Answer* answer = report.find(need);
    return answer != nullptr && answer->verdict == Verdict::supported;
  });
}

// The option that took away what this machine could do; empty where none did.
std::string_view own_doing(const FacetPlan& plan, const CapabilityReport& report) {
  for (const RejectedChoice& rejected : plan.rejected) {
    if (rejected.reason.ends_with(reason_switched_off)) return "leave out --without";
    const bool backend = rejected.reason == reason_other_backend;
    if (!backend && rejected.reason != reason_other_mechanism) continue;
    for (const Rung& rung : rungs(plan.facet)) {
      if (rung.entry.backend != rejected.backend || rung.entry.mechanism != rejected.mechanism) continue;
      if (rung.never.empty() && possible(rung.entry, report))
        return backend ? "leave out --backend" : "leave out --mechanism";
    }
  }
  return {};
}

// What would make an alternative possible: the best one that does not take another kernel, else the best.
std::string_view suggestion(const FacetPlan& plan, const CapabilityReport& report) {
  if (const std::string_view option = own_doing(plan, report); !option.empty()) return option;
  std::string_view other_kernel;
  for (const Rung& rung : rungs(plan.facet)) {
    if (!rung.never.empty()) continue;
    for (const Capability need : rung.entry.needs) {
      const Answer* answer = report.find(need);
      if (answer == nullptr || answer->verdict == Verdict::supported || answer->fix.empty()) continue;
      if (!answer->fix.starts_with(another_kernel_prefix)) return answer->fix;
      if (other_kernel.empty()) other_kernel = answer->fix;
    }
  }
  return other_kernel;
}

// Where privileges are all that every alternative lacks: "needs CAP_BPF and CAP_PERFMON, or CAP_NET_RAW (or root)".
// Else empty.
std::string lacking_privilege(const FacetPlan& plan) {
  constexpr std::string_view root = " (or root)";
  std::vector<std::string_view> needs;
  for (const RejectedChoice& rejected : plan.rejected) {
    if (!is_step_down(rejected)) continue;
    std::string_view reason = rejected.reason;
    const std::size_t at = reason.find("needs ");
    if (!reason.starts_with(not_permitted_prefix) || at == std::string_view::npos) return {};
    reason.remove_prefix(at);
    if (reason.ends_with(root)) reason.remove_suffix(root.size());
    if (std::ranges::find(needs, reason) == needs.end()) needs.push_back(reason);
  }
  std::string text;
  for (std::string_view need : needs) {
    if (!text.empty()) need = need.substr(std::string_view("needs ").size());
    text += (text.empty() ? "" : ", or ") + std::string(need);
  }
  return text.empty() ? text : text + std::string(root);
}

// Of a facet: how it is shown, and why not better.
std::string outcome(const FacetPlan& plan, const CapabilityReport& report) {
  std::string text = plan.backend ? choice_name(*plan.backend, plan.mechanism) : "not visible";
  const std::string privilege = plan.backend ? std::string{} : lacking_privilege(plan);
  const std::string why = privilege.empty() ? rejections(plan) : privilege;
  if (!why.empty()) text += " (" + why + ")";
  if (plan.backend) return text;
  if (const std::string_view fix = suggestion(plan, report); !fix.empty()) text += ": " + std::string(fix);
  return text;
}

}  // namespace

std::string describe(const FacetPlan& plan, const CapabilityReport& report) {
  return std::string(to_string(plan.facet)) + ": " + outcome(plan, report);
}

std::vector<std::string> describe(std::span<const FacetPlan* const> plans, const CapabilityReport& report) {
  std::vector<std::pair<std::string, std::string>> rows;  // outcome, names
  for (const FacetPlan* plan : plans) {
    std::string text = outcome(*plan, report);
    const auto same = std::ranges::find(rows, text, &std::pair<std::string, std::string>::first);
    if (same == rows.end()) {
      rows.emplace_back(std::move(text), to_string(plan->facet));
    } else {
      same->second += ", " + std::string(to_string(plan->facet));
    }
  }
  std::vector<std::string> lines;
  for (const auto& [text, names] : rows) lines.push_back(names + ": " + text);
  return lines;
}

std::string describe(const Plan& plan, const CapabilityReport& report) {
  std::vector<const FacetPlan*> asked_for;
  for (const FacetPlan& facet : plan.facets)
    if (facet.backend || !facet.rejected.empty()) asked_for.push_back(&facet);
  std::string text;
  for (const std::string& line : describe(asked_for, report)) text += (text.empty() ? "" : "\n") + line;
  return text;
}

}  // namespace tracer
