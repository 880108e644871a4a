// What the programs that see files are told to tell, as they understand it: pure, but for writing it into their maps.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "backends/bpf/bpf_object.h"
#include "backends/bpf/wire.h"
#include "core/capability.h"
#include "core/file_filter.h"

namespace tracer {

struct FileSetting {
  std::uint32_t flags = 0;           // WIRE_FILES_*
  std::uint32_t suffix_lengths = 0;  // bit n - 1: there are suffixes of n bytes
  std::vector<wire_suffix> suffixes;
  std::vector<wire_prefix> prefixes;
};

[[nodiscard]] bool wants_files(std::span<const Facet> facets);  // file, library; or empty: all

// What cannot be put into the maps (a suffix that is too long, too many of them) lets every open pass.
[[nodiscard]] FileSetting file_setting(std::span<const Facet> facets, const FileFilter& filter);

// True for every path that the programs let pass by this filter, and for no other.
[[nodiscard]] bool passes(const FileFilter& filter, std::string_view path);

// Before loading: how large the maps are to be, or that they are not needed.
void size_file_maps(BpfImage& image, const FileSetting& setting);
// After loading: the filter, and which system call does what.
[[nodiscard]] Result<void> write_file_maps(const BpfObject& object, const FileSetting& setting);

}  // namespace tracer
