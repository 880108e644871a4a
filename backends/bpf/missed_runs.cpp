#include "backends/bpf/missed_runs.h"

#include <algorithm>

namespace tracer {
namespace {

std::string_view without_mark(std::string_view program) { return program.substr(0, program.find(copy_mark)); }

bool has_stand_in(std::span<const ProgramMisses> programs, std::string_view name) {
  const bool released = std::ranges::find(released_programs, name) != released_programs.end();
  return std::ranges::any_of(programs, [&](const ProgramMisses& other) {
    return (released && other.program == release_program) ||
           (other.program != name && without_mark(other.program) == name);
  });
}

}  // namespace

std::uint64_t untold_runs(std::span<const ProgramMisses> programs) {
  std::uint64_t sum = 0;
  for (const ProgramMisses& each : programs)
    if (!has_stand_in(programs, without_mark(each.program))) sum += each.missed;
  return sum;
}

}  // namespace tracer
