// One BPF object file in memory, put where every backend looks for its own, with one of its programs spoiled.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tracer {

enum class Spoil {
  nothing,
  refused,  // the program runs on behind its last instruction, which no verifier allows
  gone,     // the object has no such program
};

// In this test the images that the backends embed are one and the same buffer (CMakeLists.txt), and this fills it.
// False: there is no such program.
[[nodiscard]] bool place_image(std::span<const unsigned char> packed, Spoil how, std::string_view program);

}  // namespace tracer
