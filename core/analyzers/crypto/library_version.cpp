#include "core/analyzers/crypto/library_version.h"

#include <algorithm>

namespace tracer {

namespace {

constexpr std::size_t version_bytes_max = 32;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool in_version(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '+';
}

// The version at the front; empty: none, or one without an end.
std::string_view take_version(std::string_view text) {
  const std::size_t size = static_cast<std::size_t>(std::ranges::find_if_not(text, in_version) - text.begin());
  if (size == 0 || size == text.size() || size > version_bytes_max || !is_digit(text.front())) return {};
  std::string_view version = text.substr(0, size);
  while (!version.empty() && (version.back() == '.' || version.back() == '-')) version.remove_suffix(1);
  return version;
}

}  // namespace

std::string_view version_in_name(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  constexpr std::string_view mark = ".so.";
  const std::size_t at = name.find(mark);
  if (at == std::string_view::npos) return {};
  const std::string_view version = name.substr(at + mark.size());
  const bool good = !version.empty() && version.size() <= version_bytes_max && is_digit(version.front()) &&
                    std::ranges::all_of(version, in_version);
  return good ? version : std::string_view();
}

std::optional<VersionText> find_version(Bytes bytes, std::span<const std::string> texts) {
  const std::string_view all = as_text(bytes);
  for (const std::string& text : texts) {
    for (std::size_t at = all.find(text); at != std::string_view::npos; at = all.find(text, at + 1)) {
      const std::string_view version = take_version(all.substr(at + text.size()));
      if (!version.empty()) return VersionText{std::string(version), text + std::string(version)};
    }
  }
  return std::nullopt;
}

}  // namespace tracer
