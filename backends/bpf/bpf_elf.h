// What a compiled BPF object file holds, before any kernel has seen it: its sections and its code, function by
// function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace tracer {

// One instruction, decoded; the second half of a 16-byte load stands for itself with opcode 0.
struct BpfInstruction {
  std::uint8_t opcode = 0;
  std::uint8_t source = 0;  // register, or the kind of a call
  std::int16_t offset = 0;  // of a jump: instructions, from the next one
  std::int32_t immediate = 0;

  // The number of the kernel's helper that is called here.
  [[nodiscard]] std::optional<std::uint32_t> helper() const;
  // Calls another function of the object.
  [[nodiscard]] bool calls_function() const;
  // Where a jump within the function goes, in instructions from the next one.
  [[nodiscard]] std::optional<int> jump() const;
  // A comparison of 32-bit registers: code generation v3, which kernels before 5.1 do not know.
  [[nodiscard]] bool is_jump32() const;
};

struct BpfFunction {
  std::string name;
  std::string section;  // what a program attaches to; ".text": only called by others
  std::vector<BpfInstruction> code;
  std::vector<std::string> calls;  // functions of the object that it calls, once for each place
};

struct BpfSection {
  std::string name;
  std::size_t bytes = 0;
};

struct BpfElf {
  std::vector<BpfSection> sections;
  std::vector<BpfFunction> functions;
  std::size_t core_relocation_bytes =
      0;  // of .BTF.ext: accesses that the loader moves to where this kernel has a field
};

// `image` may be packed (packed_image.h).
[[nodiscard]] Result<BpfElf> read_bpf_elf(std::span<const unsigned char> image);

}  // namespace tracer
