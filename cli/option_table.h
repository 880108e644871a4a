// Every option and command, as rows of one table: parser, help text, suggestions and tests all read these.
#pragma once

#include <span>
#include <string_view>

#include "cli/options.h"

namespace tracer::cli {

enum class Section : std::uint8_t {
  choice,
  filter,
  output,
  general,
  advanced,
  doctor
};  // the last two: not in the short help

struct OptionRow {
  std::string_view name;      // without the dashes
  char letter;                // 0: none
  std::string_view argument;  // what help calls the value; empty: the option takes none
  std::string_view help;
  std::string_view example;  // a value that is valid; empty where the option takes none
  Section section;
  Result<void> (*apply)(Options& options, std::string_view value);  // its error needs no option name or suggestion
};
[[nodiscard]] std::span<const OptionRow> option_rows();
// The facets whose records can pass this filter: a file has no status. Empty: it is no filter, or fits records of each.
[[nodiscard]] std::span<const Facet> facets_with(const OptionRow& row);
[[nodiscard]] const OptionRow* find_option(std::string_view name);
// Means nothing for a capture file: how to capture, and who the processes are.
[[nodiscard]] bool is_live_only(const OptionRow& row);

// Named in the design, not built yet: known so that the answer can be better than "unknown".
[[nodiscard]] std::span<const std::string_view> later_options();
[[nodiscard]] std::span<const std::string_view> later_commands();
[[nodiscard]] std::span<const std::string_view> commands();

}  // namespace tracer::cli
