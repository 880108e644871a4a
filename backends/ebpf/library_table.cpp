#include "backends/ebpf/library_table.h"

#include <algorithm>

#include "core/base/glob.h"

namespace tracer {

std::optional<std::string_view> family_of(std::span<const LibraryFile> files, std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const auto row = std::ranges::find_if(files, [&](const LibraryFile& file) { return glob_match(file.pattern, name); });
  return row != files.end() ? std::optional(row->family) : std::nullopt;
}

std::vector<std::string_view> LibraryTable::names(std::optional<std::string_view> family) const {
  std::vector<std::string_view> out;
  for (const LibraryFunction& each : functions)
    if (!family || each.family == *family) out.push_back(each.name);
  return out;
}

namespace {

bool is_needed(const LibraryFunction& function, std::string_view family, const LibraryTable::Offsets& found) {
  return function.family == family && (function.unless.empty() || !found.contains(function.unless));
}

}  // namespace

std::vector<LibraryTable::Place> LibraryTable::places(std::string_view family, const Offsets& found) const {
  std::vector<Place> out;
  for (std::size_t number = 0; number < functions.size(); ++number) {
    const auto offset = found.find(functions[number].name);
    if (offset != found.end() && is_needed(functions[number], family, found)) out.push_back({number, offset->second});
  }
  return out;
}

std::size_t LibraryTable::needed(std::string_view family, const Offsets& found) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(functions, [&](const LibraryFunction& each) { return is_needed(each, family, found); }));
}

std::optional<std::string_view> LibraryTable::held_family(const Offsets& found) const {
  for (const LibraryFunction& first : functions) {
    if (first.part != 1) continue;
    std::uint32_t wanted = 0, there = 0;
    for (const LibraryFunction& each : functions) {
      if (each.family != first.family || each.part == 0) continue;
      wanted |= 1U << each.part;
      if (found.contains(each.name)) there |= 1U << each.part;
    }
    if (wanted == there) return first.family;
  }
  return std::nullopt;
}

}  // namespace tracer
