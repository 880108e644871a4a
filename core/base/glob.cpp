#include "core/base/glob.h"

#include <cstddef>

namespace tracer {

namespace {

// Where the set that begins at pattern[at] == '[' ends; npos: it does not, so the bracket means itself.
std::size_t set_end(std::string_view pattern, std::size_t at) {
  std::size_t i = at + 1;
  if (i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^')) ++i;
  return pattern.find(']', i + 1);  // a first ']' belongs to the set
}

bool in_set(std::string_view set, char c) {
  const bool negated = set.starts_with('!') || set.starts_with('^');
  if (negated) set.remove_prefix(1);
  const auto byte = [](char x) { return static_cast<unsigned char>(x); };
  bool found = false;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (i + 2 < set.size() && set[i + 1] == '-') {
      found = found || (byte(set[i]) <= byte(c) && byte(c) <= byte(set[i + 2]));
      i += 2;
    } else {
      found = found || set[i] == c;
    }
  }
  return found != negated;
}

// Matches one element of the pattern other than `*` against `c`; returns the element's size, 0: no match.
std::size_t match_one(std::string_view pattern, std::size_t at, char c) {
  if (pattern[at] == '?') return 1;
  if (pattern[at] == '[') {
    if (const std::size_t end = set_end(pattern, at); end != std::string_view::npos) {
      return in_set(pattern.substr(at + 1, end - at - 1), c) ? end - at + 1 : 0;
    }
  }
  if (pattern[at] == '\\' && at + 1 < pattern.size()) return pattern[at + 1] == c ? 2 : 0;
  return pattern[at] == c ? 1 : 0;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, star_text = 0;  // where to go on after a mismatch
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
      continue;
    }
    const std::size_t size = p < pattern.size() ? match_one(pattern, p, text[t]) : 0;
    if (size != 0) {
      p += size;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace tracer
