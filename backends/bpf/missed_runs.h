// What skipped runs of programs amount to, where several programs stand in for each other.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace tracer {

// A copy of another program: `name` + this + anything. It does the work when the first was skipped.
inline constexpr std::string_view copy_mark = "_again";
// Where it is attached it sees what these see, when they are skipped.
inline constexpr std::string_view release_program = "tracer_release";
inline constexpr std::array<std::string_view, 3> released_programs{"tracer_send_exit", "tracer_receive_exit",
                                                                   "tracer_sendpage_exit"};

struct ProgramMisses {
  std::string_view program;  // its name
  std::uint64_t missed = 0;
};

// Runs that nobody stood in for. Of programs with a stand-in nothing counts: whether both were skipped only the
// programs themselves can say (wire_counters::missed). Pure.
[[nodiscard]] std::uint64_t untold_runs(std::span<const ProgramMisses> programs);

}  // namespace tracer
