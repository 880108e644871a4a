// Reads big-endian numbers and counted bytes, forward; every read says whether there was enough.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/bytes.h"

namespace tracer {

class ForwardReader {
 public:
  explicit ForwardReader(Bytes bytes) : rest_(bytes) {}
  std::optional<std::uint32_t> number(std::size_t octets) {
    if (rest_.size() < octets) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < octets; ++i) value = value << 8 | std::to_integer<std::uint32_t>(rest_[i]);
    rest_ = rest_.subspan(octets);
    return value;
  }
  std::optional<Bytes> take(std::size_t size) {
    if (rest_.size() < size) return std::nullopt;
    const Bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  // With a count of so many octets before it.
  std::optional<Bytes> counted(std::size_t octets) {
    const auto size = number(octets);
    return size ? take(*size) : std::nullopt;
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] Bytes rest() const { return rest_; }

 private:
  Bytes rest_;
};

}  // namespace tracer
