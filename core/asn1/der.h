// Distinguished encoding rules (ITU-T X.690): a reader over borrowed bytes that goes forward through one level at a
// time.
//
// It never recurses: a caller that goes down makes a reader over an element's content, as deep as it has code for.
// Nesting in hostile input therefore costs nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/bytes.h"

namespace tracer {

// Identifier octets: class, constructed bit and number in one.
namespace der {
inline constexpr std::uint8_t boolean = 0x01, integer = 0x02, bit_string = 0x03, octet_string = 0x04, null = 0x05,
                              oid = 0x06, enumerated = 0x0a, utf8_string = 0x0c, numeric_string = 0x12,
                              printable_string = 0x13, t61_string = 0x14, ia5_string = 0x16, utc_time = 0x17,
                              generalized_time = 0x18, visible_string = 0x1a, universal_string = 0x1c,
                              bmp_string = 0x1e, sequence = 0x30, set = 0x31;
// Context-specific ones.
[[nodiscard]] constexpr std::uint8_t context(unsigned number) { return static_cast<std::uint8_t>(0x80 | number); }
[[nodiscard]] constexpr std::uint8_t context_constructed(unsigned number) {
  return static_cast<std::uint8_t>(0xa0 | number);
}
}  // namespace der

struct DerElement {
  std::uint8_t identifier = 0;  // its first octet; the number of one above 30 is skipped
  Bytes content;
  Bytes whole;  // with identifier and length
};

class DerReader {
 public:
  explicit DerReader(Bytes bytes) : rest_(bytes) {}

  // The next element; nullopt at the end and where no whole element follows: then failed() is true for good. Lengths
  // are definite and in their shortest form, as DER wants them.
  [[nodiscard]] std::optional<DerElement> next();
  // The same if its identifier is this one; another is left where it is.
  [[nodiscard]] std::optional<DerElement> next(std::uint8_t identifier);

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] Bytes rest() const { return rest_; }

 private:
  Bytes rest_;
  bool failed_ = false;
};

// The one element that these bytes are, with nothing behind it.
[[nodiscard]] std::optional<DerElement> der_only(Bytes bytes, std::uint8_t identifier);

// How many bytes the element takes that begins here, by its first bytes alone; nullopt: none begins here, or its header
// is not whole. The element itself may be longer than what is there.
struct DerHeader {
  std::uint8_t identifier = 0;
  std::size_t header_bytes = 0;
  std::uint64_t content_bytes = 0;
};
[[nodiscard]] std::optional<DerHeader> read_der_header(Bytes bytes);

// "1.2.840.113549"; empty: no object identifier, or one with an arc of more than 64 bits.
[[nodiscard]] std::string dotted_oid(Bytes content);

// Significant bits of a non-negative INTEGER, from its length and its first significant byte alone.
[[nodiscard]] std::optional<std::uint32_t> integer_bits(Bytes content);

// The value of a small non-negative INTEGER.
[[nodiscard]] std::optional<std::uint32_t> small_integer(Bytes content);

}  // namespace tracer
