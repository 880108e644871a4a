#include "core/asn1/der.h"

#include <bit>
#include <limits>

namespace tracer {

namespace {

constexpr std::size_t length_octets_max = 4;
constexpr std::size_t tag_octets_max = 4;
constexpr std::size_t oid_octets_max = 128;

std::uint8_t octet(Bytes bytes, std::size_t at) { return std::to_integer<std::uint8_t>(bytes[at]); }

}  // namespace

std::optional<DerHeader> read_der_header(Bytes bytes) {
  if (bytes.size() < 2) return std::nullopt;
  DerHeader header;
  header.identifier = octet(bytes, 0);
  std::size_t at = 1;
  if ((header.identifier & 0x1f) == 0x1f) {
    while (at < bytes.size() && at <= tag_octets_max && (octet(bytes, at) & 0x80) != 0) ++at;
    if (at > tag_octets_max || at + 1 >= bytes.size()) return std::nullopt;
    ++at;
  }
  const std::uint8_t first = octet(bytes, at++);
  header.content_bytes = first;
  if (first >= 0x80) {
    const std::size_t octets = first & 0x7f;
    if (octets == 0 || octets > length_octets_max || octets > bytes.size() - at) return std::nullopt;
    header.content_bytes = 0;
    for (std::size_t i = 0; i < octets; ++i) header.content_bytes = header.content_bytes << 8 | octet(bytes, at++);
    const bool shortest = header.content_bytes >= 0x80 && header.content_bytes >> (8 * (octets - 1)) != 0;
    if (!shortest) return std::nullopt;
  }
  header.header_bytes = at;
  return header;
}

std::optional<DerElement> DerReader::next() {
  if (rest_.empty() || failed_) return std::nullopt;
  const auto header = read_der_header(rest_);
  if (!header || header->content_bytes > rest_.size() - header->header_bytes) {
    failed_ = true;
    return std::nullopt;
  }
  const auto content_bytes = static_cast<std::size_t>(header->content_bytes);
  const DerElement element{header->identifier, rest_.subspan(header->header_bytes, content_bytes),
                           rest_.first(header->header_bytes + content_bytes)};
  rest_ = rest_.subspan(element.whole.size());
  return element;
}

std::optional<DerElement> DerReader::next(std::uint8_t identifier) {
  if (rest_.empty() || octet(rest_, 0) != identifier) return std::nullopt;
  return next();
}

std::optional<DerElement> der_only(Bytes bytes, std::uint8_t identifier) {
  DerReader reader(bytes);
  auto element = reader.next(identifier);
  if (!reader.at_end()) return std::nullopt;
  return element;
}

std::string dotted_oid(Bytes content) {
  if (content.empty() || content.size() > oid_octets_max || (octet(content, content.size() - 1) & 0x80) != 0) return {};
  std::string text;
  std::uint64_t arc = 0;
  bool begins = true;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const std::uint8_t byte = octet(content, i);
    if (begins && byte == 0x80) return {};  // a leading zero
    if (arc > std::numeric_limits<std::uint64_t>::max() >> 7) return {};
    arc = arc << 7 | (byte & 0x7fU);
    begins = (byte & 0x80) == 0;
    if (!begins) continue;
    if (text.empty()) {
      const std::uint64_t top = arc < 80 ? arc / 40 : 2;
      text = std::to_string(top) + '.' + std::to_string(arc - top * 40);
    } else {
      text += '.' + std::to_string(arc);
    }
    arc = 0;
  }
  return text;
}

std::optional<std::uint32_t> integer_bits(Bytes content) {
  if (content.empty() || content.size() > (1U << 20) || (octet(content, 0) & 0x80) != 0) return std::nullopt;
  if (octet(content, 0) == 0) content = content.subspan(1);
  if (content.empty()) return 0;
  return static_cast<std::uint32_t>((content.size() - 1) * 8) +
         static_cast<std::uint32_t>(std::bit_width(static_cast<unsigned>(octet(content, 0))));
}

std::optional<std::uint32_t> small_integer(Bytes content) {
  if (content.empty() || content.size() > 4 || (octet(content, 0) & 0x80) != 0) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < content.size(); ++i) value = value << 8 | octet(content, i);
  return value;
}

}  // namespace tracer
