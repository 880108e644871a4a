#include "core/records/trace_records.h"

#include <algorithm>

namespace tracer {

BlindCount& TraceEnd::blind_row(std::string_view what) {
  const auto found = std::ranges::find(blind, what, &BlindCount::what);
  return found != blind.end() ? *found : blind.emplace_back(BlindCount{what, {}, {}, {}});
}

}  // namespace tracer
