// What is found to be there when a trace begins may have begun between the attaching and the look: then it was told as
// it happened, and is not told again.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_set>

#include "core/records/record.h"

namespace tracer::cli {

class FirstLook {
 public:
  // To be asked about every record until the look is over.
  [[nodiscard]] bool is_news(const Record& record);

 private:
  static constexpr std::size_t told_max = 16'384;  // beyond it something may be told twice
  std::unordered_set<std::string> told_;
};

}  // namespace tracer::cli
