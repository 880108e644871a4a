#include "core/records/address_text.h"

#include <algorithm>
#include <charconv>

namespace tracer {
namespace {

char* put_number(char* out, unsigned value, int base) { return std::to_chars(out, out + 5, value, base).ptr; }

std::size_t format_v4(const std::uint8_t* octets, char* out) {
  char* end = out;
  for (int i = 0; i < 4; ++i) {
    if (i > 0) *end++ = '.';
    end = put_number(end, octets[i], 10);
  }
  return static_cast<std::size_t>(end - out);
}

struct Run {
  int at = -1, size = 1;  // a run of one group is not shortened
};

Run longest_zero_run(const std::array<unsigned, 8>& groups) {
  Run best;
  for (int at = 0; at < 8;) {
    int end = at;
    while (end < 8 && groups[static_cast<std::size_t>(end)] == 0) ++end;
    if (end - at > best.size) best = {at, end - at};
    at = std::max(end, at + 1);
  }
  return best;
}

}  // namespace

std::size_t format_address(const std::array<std::uint8_t, 16>& address, char* out) {
  static constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(mapped_prefix.begin(), mapped_prefix.end(), address.begin())) return format_v4(&address[12], out);

  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) groups[i] = static_cast<unsigned>(address[2 * i] << 8 | address[2 * i + 1]);
  const Run zeros = longest_zero_run(groups);
  char* end = out;
  for (int i = 0; i < 8;) {
    if (i == zeros.at) {
      *end++ = ':';
      *end++ = ':';
      i += zeros.size;
      continue;
    }
    if (i > 0 && i != zeros.at + zeros.size) *end++ = ':';
    end = put_number(end, groups[static_cast<std::size_t>(i)], 16);
    ++i;
  }
  return static_cast<std::size_t>(end - out);
}

}  // namespace tracer
