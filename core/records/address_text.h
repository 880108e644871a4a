// Addresses as people write them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tracer {

inline constexpr std::size_t address_text_max = 45;  // characters, without a terminating NUL

// Writes IPv4 for v4-mapped addresses, else IPv6 as in RFC 5952 section 4. Returns the number of characters.
std::size_t format_address(const std::array<std::uint8_t, 16>& address, char* out);

}  // namespace tracer
