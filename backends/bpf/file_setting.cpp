#include "backends/bpf/file_setting.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "backends/bpf/control_maps.h"

namespace tracer {
namespace {

static_assert(std::endian::native == std::endian::little, "wire_suffix is read from memory by 8 bytes at once");

constexpr std::string_view file_maps[] = {"file_ops",      "file_calls",    "file_works",
                                          "file_suffixes", "file_prefixes", "open_libraries"};

bool has(std::span<const Facet> facets, Facet facet) {
  return facets.empty() || std::ranges::find(facets, facet) != facets.end();
}

bool fits(const std::vector<std::string>& rows, std::size_t bytes_max) {
  return rows.size() <= WIRE_FILTER_ROWS &&
         std::ranges::all_of(rows, [&](const std::string& row) { return !row.empty() && row.size() <= bytes_max; });
}

bool can_be_written(const FileFilter& filter) {
  return fits(filter.suffixes, file_suffix_bytes_max) && fits(filter.prefixes, file_prefix_bytes_max);
}

wire_suffix suffix_of(std::string_view text) {
  wire_suffix suffix{0, text.size()};
  std::memcpy(&suffix.bytes, text.data(), text.size());
  return suffix;
}

wire_prefix prefix_of(std::string_view text) {
  wire_prefix prefix{};
  prefix.bits = static_cast<__u32>(8 * text.size());
  std::ranges::copy(text, prefix.bytes);
  return prefix;
}

// As is_shared_object() of file_calls.bpf.h: ".so" at the end, or ".so." and at most 12 bytes behind it.
bool is_shared_object(std::string_view path) {
  constexpr std::size_t looked_at = 16;
  if (path.ends_with(".so")) return true;
  const std::string_view end = path.substr(path.size() - std::min(path.size(), looked_at));
  return end.substr(0, end.empty() ? 0 : end.size() - 1).contains(".so.");
}

Result<void> write_rows(int map, const auto& rows, const char* what) {
  const std::uint32_t present = 1;
  for (const auto& row : rows)
    if (const int failed = bpf_map_update_elem(map, &row, &present, BPF_ANY); failed != 0)
      return std::unexpected(os_failure(-failed, what));
  return {};
}

}  // namespace

bool wants_files(std::span<const Facet> facets) { return has(facets, Facet::file) || has(facets, Facet::library); }

FileSetting file_setting(std::span<const Facet> facets, const FileFilter& filter) {
  FileSetting setting;
  if (has(facets, Facet::library)) setting.flags |= WIRE_FILES_LIBRARIES;
  if (!has(facets, Facet::file)) return setting;
  setting.flags |= WIRE_FILES_TOLD;
  if (filter.all || !can_be_written(filter)) {
    setting.flags |= WIRE_FILES_ALL;
    return setting;
  }
  if (filter.shared_objects) setting.flags |= WIRE_FILES_SHARED;
  if (!filter.prefixes.empty()) setting.flags |= WIRE_FILES_PREFIXES;
  for (const std::string& suffix : filter.suffixes) {
    setting.suffixes.push_back(suffix_of(suffix));
    setting.suffix_lengths |= 1u << (suffix.size() - 1);
  }
  for (const std::string& prefix : filter.prefixes) setting.prefixes.push_back(prefix_of(prefix));
  return setting;
}

bool passes(const FileFilter& filter, std::string_view path) {
  if (filter.all || path.empty() || path.size() >= WIRE_PATH_SIZE || !can_be_written(filter)) return true;
  return (filter.shared_objects && is_shared_object(path)) ||
         std::ranges::any_of(filter.suffixes, [&](const std::string& suffix) { return path.ends_with(suffix); }) ||
         std::ranges::any_of(filter.prefixes, [&](const std::string& prefix) { return path.starts_with(prefix); });
}

void size_file_maps(BpfImage& image, const FileSetting& setting) {
  if (setting.flags == 0) {
    image.maps_left_out.insert(image.maps_left_out.end(), std::begin(file_maps), std::end(file_maps));
    return;
  }
  const auto entries = [](std::size_t rows) { return static_cast<std::uint32_t>(std::max<std::size_t>(rows, 1)); };
  image.map_entries.push_back({"file_suffixes", entries(setting.suffixes.size())});
  image.map_entries.push_back({"file_prefixes", entries(setting.prefixes.size())});
  if ((setting.flags & WIRE_FILES_LIBRARIES) == 0) image.map_entries.push_back({"open_libraries", 1});
}

Result<void> write_file_maps(const BpfObject& object, const FileSetting& setting) {
  if (setting.flags == 0) return {};
  if (auto written = write_rows(object.map_fd("file_suffixes"), setting.suffixes, "write the suffixes of files");
      !written)
    return written;
  if (auto written = write_rows(object.map_fd("file_prefixes"), setting.prefixes, "write the prefixes of files");
      !written)
    return written;
  const int ops = object.map_fd("file_ops");
  if (auto written = write_syscall_ops(ops, compat_open_syscalls()); !written) return written;
  return write_syscall_ops(ops, file_syscalls((setting.flags & WIRE_FILES_LIBRARIES) != 0));
}

}  // namespace tracer
