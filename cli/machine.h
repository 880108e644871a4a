// Facts about this machine and run that trace_start tells.
#pragma once

#include <string>
#include <vector>

namespace tracer::cli {

struct Machine {
  std::string host, boot_id, kernel;
  std::vector<std::string> scope;  // what the capture covers, in words
};
[[nodiscard]] Machine this_machine();

// 16 hexadecimal digits, different for every run.
[[nodiscard]] std::string new_run_id();
[[nodiscard]] int local_utc_offset_seconds();

}  // namespace tracer::cli
