#include "cli/doctor_text.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "cli/doctor_tls.h"
#include "probe-matrix/prober.h"
#include "probe-matrix/report.h"

namespace tracer::cli {
namespace {

constexpr std::array backends{BackendKind::ebpf, BackendKind::tracepoint, BackendKind::pcap, BackendKind::procfs};
constexpr std::size_t facet_width = 12, cell_width = 14, family_width = 11;
constexpr std::size_t text_columns = 110;

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size() + 1, width), ' ');
  return text;
}

std::string trimmed(std::string line) {
  line.resize(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

bool can_ever_be_shown(Facet facet) {
  return std::ranges::any_of(rungs(facet), [](const Rung& rung) { return rung.never.empty(); });
}

// "a, b, c", broken between words; the next lines begin at `indent`.
void append_list(std::string& out, std::size_t at, std::size_t indent, std::span<const std::string> words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string word = words[i] + (i + 1 < words.size() ? "," : "");
    if (i != 0 && at + 1 + word.size() > text_columns) {
      out += "\n" + std::string(indent, ' ');
      at = indent;
    } else if (i != 0) {
      out += ' ';
      ++at;
    }
    out += word;
    at += word.size();
  }
  out += '\n';
}

// The best that this backend could do for the facet; brackets around the choice of the plan.
std::string cell(const DoctorReport& report, const PlanRequest& request, const FacetPlan& facet, BackendKind backend) {
  if (facet.backend == backend) return "[" + std::string(to_string(*facet.mechanism)) + "]";
  const bool allowed =
      request.backends.empty() || std::ranges::find(request.backends, backend) != request.backends.end();
  PlanRequest alone = request;
  alone.facets = {facet.facet};
  alone.backends = {backend};
  const Plan plan = allowed ? make_plan(report.capabilities, alone) : Plan{};
  for (const FacetPlan& row : plan.facets)
    if (row.facet == facet.facet && row.backend) return std::string(to_string(*row.mechanism));
  return "-";
}

// Facets that are shown in one way, and for the same reasons not in another.
struct Group {
  std::vector<const FacetPlan*> facets;
};
bool same(const FacetPlan& a, const FacetPlan& b) {
  return a.backend == b.backend && a.mechanism == b.mechanism &&
         std::ranges::equal(a.rejected, b.rejected, [](const RejectedChoice& x, const RejectedChoice& y) {
           return x.backend == y.backend && x.mechanism == y.mechanism && x.reason == y.reason;
         });
}

std::string name_of(const RejectedChoice& choice) {
  std::string name(to_string(choice.backend));
  if (choice.mechanism) name += "/" + std::string(to_string(*choice.mechanism));
  return name;
}

void append_choices(std::string& out, const CapabilityReport& report, const PlanRequest& request, const Plan& plan) {
  std::vector<Group> groups;
  std::vector<std::string> never;
  for (const FacetPlan& facet : plan.facets) {
    if (!facet.backend && facet.rejected.empty()) continue;  // not asked for
    if (!can_ever_be_shown(facet.facet)) {
      never.emplace_back(to_string(facet.facet));
      continue;
    }
    const auto group =
        std::ranges::find_if(groups, [&](const Group& each) { return same(*each.facets.front(), facet); });
    if (group == groups.end()) {
      groups.push_back({{&facet}});
    } else {
      group->facets.push_back(&facet);
    }
  }
  for (const Group& group : groups) {
    const FacetPlan& first = *group.facets.front();
    out += '\n';
    for (const FacetPlan* facet : group.facets)
      out += (facet == &first ? "" : ", ") + std::string(to_string(facet->facet));
    out += first.backend
               ? ": " + std::string(to_string(*first.backend)) + "/" + std::string(to_string(*first.mechanism)) + "\n"
               : ": not visible\n";
    for (const FacetPlan* facet : group.facets) {
      if (facet->missing.empty()) continue;
      const std::string head = "  never in " + std::string(to_string(facet->facet)) + " records: ";
      out += head;
      append_list(out, head.size(), 6, facet->missing);
    }
    std::vector<std::pair<std::string, std::string>> reasons;  // reason, names
    for (const RejectedChoice& rejected : first.rejected) {
      const auto known = std::ranges::find(reasons, rejected.reason, &std::pair<std::string, std::string>::first);
      if (known == reasons.end()) {
        reasons.emplace_back(rejected.reason, name_of(rejected));
      } else {
        known->second += ", " + name_of(rejected);
      }
    }
    for (const auto& [reason, names] : reasons) out += "  not " + names + ": " + reason + "\n";
    for (const FacetPlan* facet : group.facets) {
      std::vector<std::string> next;
      for (const MechanismEntry& entry : successors(report, request, *facet))
        next.push_back(std::string(to_string(entry.backend)) + "/" + std::string(to_string(entry.mechanism)));
      if (next.empty()) continue;
      const std::string head = "  " + std::string(to_string(facet->facet)) + ", if that fails: ";
      out += head;
      append_list(out, head.size(), 6, next);
    }
  }
  if (!never.empty()) {
    out += "\nNot in this version: ";
    append_list(out, 21, 2, never);
  }
}

void append_family(std::string& out, const CapabilityReport& report, Family family) {
  std::vector<std::string> yes;
  std::string rest;
  for (const Answer& answer : report.answers) {
    if (family_of(answer.capability) != to_string(family)) continue;
    const std::string name(to_string(answer.capability));
    if (answer.verdict == Verdict::supported && answer.reason.empty()) {
      yes.push_back(name);
      continue;
    }
    const char* mark = answer.verdict == Verdict::supported ? "yes "
                       : answer.verdict == Verdict::unknown ? "?   "
                                                            : "no  ";
    rest += std::string(family_width + 2, ' ') + mark + name + ": " + answer.reason + "\n";
  }
  if (yes.empty() && rest.empty()) return;
  std::string head = padded("  " + std::string(to_string(family)), family_width + 2);
  if (yes.empty()) {
    rest.replace(0, head.size(), head);
  } else {
    out += head + "yes ";
    append_list(out, head.size() + 4, head.size() + 4, yes);
  }
  out += rest;
}

struct Fix {
  std::string text;
  std::vector<std::string> of;
  bool for_the_plan = false;
};

void append_fixes(std::string& out, const CapabilityReport& report) {
  const std::vector<Capability> planned = capabilities_for({});
  std::vector<Fix> fixes;
  for (const Answer& answer : report.answers) {
    if (answer.verdict == Verdict::supported || answer.fix.empty()) continue;
    auto known = std::ranges::find(fixes, answer.fix, &Fix::text);
    if (known == fixes.end()) known = fixes.insert(known, Fix{answer.fix, {}, false});
    known->of.emplace_back(to_string(answer.capability));
    known->for_the_plan = known->for_the_plan || std::ranges::find(planned, answer.capability) != planned.end();
  }
  if (fixes.empty()) return;
  out += "\nWhat could be done (first what would give a better plan):\n\n";
  for (const bool for_the_plan : {true, false}) {
    for (const Fix& fix : fixes) {
      if (fix.for_the_plan != for_the_plan) continue;
      const std::string head = "  for ";
      out += head;
      append_list(out, head.size(), 6, fix.of);
      out += "      " + fix.text + "\n";
    }
  }
}

void append_verified(std::string& out, std::span<const VerifyRow> rows) {
  if (rows.empty()) return;
  out += "\nA trial run, with traffic of its own:\n\n";
  for (const VerifyRow& row : rows) {
    std::string line = padded("  " + std::string(to_string(row.facet)), facet_width + 2);
    if (!row.backend) {
      out += trimmed(line + row.note);
      continue;
    }
    line += padded(std::string(to_string(*row.backend)) + "/" + std::string(to_string(*row.mechanism)), 24);
    line += std::to_string(row.seen) + " of " + std::to_string(row.expected) + " " + std::string(row.what);
    if (!row.note.empty()) line += " (" + row.note + ")";
    out += trimmed(line);
  }
}

}  // namespace

std::string plan_table(const DoctorReport& report, const PlanRequest& request) {
  std::string line = padded("  facet", facet_width + 2);
  for (const BackendKind backend : backends) line += padded(std::string(to_string(backend)), cell_width);
  std::string out = trimmed(line);
  for (const FacetPlan& facet : report.plan.facets) {
    if (!facet.backend && facet.rejected.empty()) continue;
    line = padded("  " + std::string(to_string(facet.facet)), facet_width + 2);
    for (const BackendKind backend : backends) line += padded(cell(report, request, facet, backend), cell_width);
    out += trimmed(line);
  }
  return out;
}

std::string doctor_text(const DoctorReport& report, const PlanRequest& request, std::span<const VerifyRow> verified) {
  std::string out = "tracer " + report.version + " doctor: ";
  out += (report.host.os.empty() ? "an unknown system" : report.host.os) + ", kernel ";
  out += report.host.kernel.empty() ? "unknown" : report.host.kernel;
  out += "\n\nWhat a trace takes here, in brackets; beside it the best of the other backends:\n\n";
  out += plan_table(report, request);
  append_verified(out, verified);
  append_choices(out, report.capabilities, request, report.plan);
  if (report.tls_libraries) {
    const Answer* maps = report.capabilities.find(Capability::proc_maps);
    out += tls_section(*report.tls_libraries, maps != nullptr ? maps->reason : std::string_view());
  }
  out += "\nWhat this kernel and these privileges allow (?: could not be found out):\n\n";
  for (std::size_t index = 0; index < family_count; ++index)
    append_family(out, report.capabilities, static_cast<Family>(index));
  append_fixes(out, report.capabilities);
  return out;
}

}  // namespace tracer::cli
