// "Did you mean": the nearest known word.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tracer::cli {

// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);
// Empty when nothing is near enough to be meant.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string_view> known);
// As it would have to be typed in a POSIX shell.
[[nodiscard]] std::string shell_quoted(std::string_view word);

}  // namespace tracer::cli
