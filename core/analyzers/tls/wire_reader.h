// Reads numbers and length-prefixed vectors of the presentation language of TLS (RFC 8446 section 3).
//
// The first read beyond the end fails it for good: from then on everything reads as 0 or empty, so that a parser asks
// ok() once, behind what it has read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/bytes.h"

namespace tracer {

class WireReader {
 public:
  explicit WireReader(Bytes bytes) : rest_(bytes) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u24() { return number(3); }
  std::uint32_t u32() { return number(4); }
  Bytes bytes(std::size_t size) {
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const Bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  // A vector whose length is in front of it.
  Bytes vector8() { return bytes(u8()); }
  Bytes vector16() { return bytes(u16()); }
  Bytes vector24() { return bytes(u24()); }
  // One of two-byte numbers. An odd length fails.
  std::vector<std::uint16_t> numbers(Bytes from) {
    std::vector<std::uint16_t> list;
    if (from.size() % 2 != 0) fail();
    if (failed_) return list;
    list.reserve(from.size() / 2);
    for (WireReader in(from); !in.at_end();) list.push_back(in.u16());
    return list;
  }

  void fail() {
    failed_ = true;
    rest_ = {};
  }
  [[nodiscard]] bool ok() const { return !failed_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] Bytes rest() const { return rest_; }

 private:
  std::uint32_t number(std::size_t size) {
    std::uint32_t value = 0;
    for (const std::byte each : bytes(size)) value = value << 8U | std::to_integer<std::uint32_t>(each);
    return value;
  }

  Bytes rest_;
  bool failed_ = false;
};

}  // namespace tracer
