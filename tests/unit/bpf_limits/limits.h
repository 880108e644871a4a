// What a BPF object may contain so that the kernels that it is for take it: by default those of the time of 4.18.
// Judged on the object file alone: no kernel of that age is needed to notice that one of its limits was passed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backends/bpf/bpf_elf.h"

namespace tracer {

struct AllowedHelper {
  std::uint32_t number = 0;
  const char* since = "";  // kernel, or what the loader does where it is missing
};

struct ObjectLimits {
  std::size_t instructions_max = 4095;  // of a program with the functions that it calls
  bool loops = false;                   // the verifier of 5.3 can follow them
  bool jumps32 = false;                 // comparisons of 32-bit registers: code generation v3, 5.1
  bool atomics = false;                 // operations other than "add, and forget what was there": 5.12
  std::span<const AllowedHelper> helpers;
};

// One line for each thing that does not hold; empty: the object keeps within the limits.
[[nodiscard]] std::vector<std::string> violations(const BpfElf& object, const ObjectLimits& limits);

// A jump that can come back to where it was, as the old verifier looks for it: an edge to an instruction that is still
// being followed. A jump backwards to a shared end is none.
[[nodiscard]] bool has_loop(std::span<const BpfInstruction> code);

}  // namespace tracer
