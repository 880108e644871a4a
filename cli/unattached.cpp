#include "cli/unattached.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tracer::cli {
namespace {

constexpr std::size_t names_max = 24;  // on one line

struct Row {
  std::string_view reason;
  std::vector<std::string_view> names;
};

std::string line_of(const Row& row) {
  std::string line = "not running: ";
  for (std::size_t i = 0; i < std::min(row.names.size(), names_max); ++i)
    line += (i == 0 ? "" : ", ") + std::string(row.names[i]);
  if (row.names.size() > names_max) line += " and " + std::to_string(row.names.size() - names_max) + " more";
  return line + ": " + std::string(row.reason);
}

}  // namespace

std::vector<std::string> describe_unattached(std::span<const AttachOutcome> outcomes) {
  std::vector<Row> rows;
  for (const AttachOutcome& outcome : outcomes) {
    if (outcome.attached) continue;
    const std::string_view reason = outcome.reason.empty() ? std::string_view("no reason is known") : outcome.reason;
    auto row = std::ranges::find(rows, reason, &Row::reason);
    if (row == rows.end()) row = rows.insert(row, {reason, {}});
    row->names.push_back(outcome.what);
  }
  std::vector<std::string> lines;
  for (const Row& row : rows) lines.push_back(line_of(row));
  return lines;
}

}  // namespace tracer::cli
