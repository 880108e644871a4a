#include "core/exporters/user_names.h"

#include <algorithm>
#include <charconv>

namespace tracer {
namespace {

// Up to the next `end`, which is taken off too.
std::string_view take_until(std::string_view& text, char end) {
  const std::string_view part = text.substr(0, std::min(text.find(end), text.size()));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  return part;
}

}  // namespace

std::map<std::uint32_t, std::string> parse_user_names(std::string_view passwd) {
  std::map<std::uint32_t, std::string> names;
  while (!passwd.empty()) {
    std::string_view line = take_until(passwd, '\n');
    const std::string_view name = take_until(line, ':');
    take_until(line, ':');
    const std::string_view number = take_until(line, ':');
    std::uint32_t uid = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), uid);
    if (name.empty() || number.empty() || error != std::errc() || end != number.data() + number.size()) continue;
    names.try_emplace(uid, name);
  }
  return names;
}

}  // namespace tracer
