// Numbers as people read them, in a few columns.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

namespace tracer {

// A short text on the stack.
struct ShortText {
  char text[24]{};
  std::size_t size = 0;
  [[nodiscard]] std::string_view view() const { return {text, size}; }
};

inline void put_scaled(ShortText& text, double value, int digits, std::string_view unit) {
  char* const end = std::to_chars(text.text, text.text + 16, value, std::chars_format::fixed, digits).ptr;
  text.size = static_cast<std::size_t>(end - text.text);
  text.size += unit.copy(end, unit.size());
}

// Powers of 1024: "512B", "1.2K", "300K".
[[nodiscard]] inline ShortText size_text(std::optional<std::uint64_t> bytes) {
  ShortText text;
  if (!bytes) {
    text.text[text.size++] = '-';
    return text;
  }
  static constexpr std::string_view units[] = {"B", "K", "M", "G", "T", "P", "E"};
  auto value = static_cast<double>(*bytes);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(units)) value /= 1024, ++unit;
  put_scaled(text, value, unit > 0 && value < 9.95 ? 1 : 0, units[unit]);
  return text;
}

[[nodiscard]] inline ShortText duration_text(std::optional<double> ms) {
  ShortText text;
  constexpr double ms_max = 1e12;
  if (!ms || !(*ms >= 0 && *ms < ms_max)) {
    text.text[text.size++] = '-';
  } else if (*ms < 9.995) {
    put_scaled(text, *ms, 2, "ms");
  } else if (*ms < 999.5) {
    put_scaled(text, *ms, *ms < 99.95 ? 1 : 0, "ms");
  } else {
    put_scaled(text, *ms / 1000, *ms < 99'950 ? 1 : 0, "s");
  }
  return text;
}

}  // namespace tracer
