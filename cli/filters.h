// Which records the user wants: a pure predicate over raw values, before redaction.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/options.h"
#include "cli/selection.h"
#include "core/records/record.h"

namespace tracer::cli {

enum class FilterKind : std::uint8_t { pid, name, port, addr, host, path, status, library, file };
inline constexpr std::size_t filter_count = 9;
[[nodiscard]] std::string_view option_of(FilterKind kind);  // "--pid"

struct FilterCounts {
  std::uint64_t seen = 0;  // records that were asked about; those about the trace itself are not
  std::uint64_t dropped = 0;
  std::array<std::uint64_t, filter_count> refused{};  // by each filter; several may refuse one record
};

// A record passes when every filter holds. What a record does not know does not hold: a connection without a
// transaction has no path. Records about the trace itself always pass.
class Filters {
 public:
  // `selection`: knows which process a number means, and who was started by whom; null: numbers are just compared.
  explicit Filters(FilterOptions options, const Selection* selection = nullptr)
      : options_(std::move(options)), selection_(selection) {}

  [[nodiscard]] bool pass(const Record& record);
  [[nodiscard]] const FilterCounts& counts() const { return counts_; }
  // The filter that alone would have dropped every record so far; nullopt while one passed or none was seen.
  [[nodiscard]] std::optional<FilterKind> culprit() const;

 private:
  [[nodiscard]] bool holds(FilterKind kind, const Record& record, const FlowIdentity& flow) const;
  [[nodiscard]] bool is_process(const Party& party) const;
  [[nodiscard]] bool has_name(const Party& party) const;

  FilterOptions options_;
  const Selection* selection_;
  FilterCounts counts_;
};

}  // namespace tracer::cli
