// Which opened files matter, in a form that a kernel program can decide by map look-ups. It may let more pass than is
// wanted, never less; the rest is decided in user space.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace tracer {

inline constexpr std::size_t file_suffix_bytes_max = 8;
inline constexpr std::size_t file_prefix_bytes_max = 64;

struct FileFilter {
  bool all = true;                    // every open; the lists mean nothing then
  std::vector<std::string> suffixes;  // of the whole path: its last 1 to 8 bytes
  std::vector<std::string> prefixes;  // of the path as given; at most 64 bytes each
  bool shared_objects = false;        // also what ends as names of shared objects do: ".so", ".so.3", ".so.1.1"
};

}  // namespace tracer
