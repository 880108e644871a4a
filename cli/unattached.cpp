#include "cli/unattached.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tracer::cli {

std::vector<std::string> describe_unattached(std::span<const AttachOutcome> outcomes) {
  std::vector<std::pair<std::string_view, std::string>> by_reason;
  for (const AttachOutcome& outcome : outcomes) {
    if (outcome.attached) continue;
    const std::string_view reason = outcome.reason.empty() ? std::string_view("no reason is known") : outcome.reason;
    const auto same = std::ranges::find(by_reason, reason, &decltype(by_reason)::value_type::first);
    if (same == by_reason.end()) {
      by_reason.emplace_back(reason, outcome.what);
    } else {
      same->second += ", " + outcome.what;
    }
  }
  std::vector<std::string> lines;
  for (const auto& [reason, names] : by_reason) lines.push_back("not running: " + names + ": " + std::string(reason));
  return lines;
}

}  // namespace tracer::cli
