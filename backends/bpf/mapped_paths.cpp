#include "backends/bpf/mapped_paths.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "core/base/unique_fd.h"

namespace tracer {
namespace {

constexpr std::size_t maps_bytes_max = 4u << 20;
constexpr std::uint64_t second_ns = 1'000'000'000;

std::optional<std::uint64_t> hexadecimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return failed == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// "begin-end perms offset device inode path", the path behind blanks.
bool holds(std::string_view line, std::uint64_t address) {
  const std::size_t dash = line.find('-'), blank = line.find(' ');
  if (dash == std::string_view::npos || blank == std::string_view::npos || dash > blank) return false;
  const auto begin = hexadecimal(line.substr(0, dash)), end = hexadecimal(line.substr(dash + 1, blank - dash - 1));
  return begin && end && *begin <= address && address < *end;
}

}  // namespace

std::optional<std::string> file_mapped_at(std::string_view maps, std::uint64_t address) {
  while (!maps.empty()) {
    const std::size_t end = std::min(maps.find('\n'), maps.size());
    const std::string_view line = maps.substr(0, end);
    maps.remove_prefix(std::min(end + 1, maps.size()));
    if (!holds(line, address)) continue;
    // No field before the path holds a slash: "08:01" is the device.
    const std::size_t slash = line.find('/');
    if (slash == std::string_view::npos || line.ends_with(" (deleted)")) return std::nullopt;
    return std::string(line.substr(slash));
  }
  return std::nullopt;
}

std::optional<std::string> MappedPaths::find(std::uint32_t tgid, std::uint64_t address, std::uint64_t now_ns) {
  if (now_ns / second_ns != second_) {
    second_ = now_ns / second_ns;
    asked_ = 0;
  }
  if (asked_ >= options_.per_second_max) {
    ++counters_.left_out;
    return std::nullopt;
  }
  ++asked_;
  ++counters_.asked;
  auto path = look_(tgid, address);
  if (!path) ++counters_.unknown;
  return path;
}

std::optional<std::string> look_up_mapping(const std::string& proc, std::uint32_t tgid, std::uint64_t address) {
  const UniqueFd file(::open((proc + "/" + std::to_string(tgid) + "/maps").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string text(64u << 10, '\0');
  std::size_t filled = 0;
  while (filled < maps_bytes_max) {
    const ssize_t got = ::read(file.get(), text.data() + filled, text.size() - filled);
    if (got <= 0) break;
    filled += static_cast<std::size_t>(got);
    if (filled == text.size()) text.resize(2 * filled);
  }
  text.resize(filled);
  return file_mapped_at(text, address);
}

}  // namespace tracer
