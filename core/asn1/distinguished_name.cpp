#include "core/asn1/distinguished_name.h"

#include <string_view>
#include <vector>

#include "core/asn1/digest.h"
#include "core/asn1/object_identifiers.h"

namespace tracer {

namespace {

constexpr std::size_t rdns_max = 64;  // more than that is nobody's name

void append_utf8(std::string& text, std::uint32_t code) {
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) code = 0xfffd;
  const auto tail = [&](unsigned shift) { text += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xc0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xe0 | code >> 12);
    tail(6), tail(0);
  } else {
    text += static_cast<char>(0xf0 | code >> 18);
    tail(12), tail(6), tail(0);
  }
}

// Big-endian characters of `width` bytes, surrogate pairs joined.
std::optional<std::string> wide_text(Bytes bytes, std::size_t width) {
  if (bytes.size() % width != 0) return std::nullopt;
  std::string text;
  std::uint32_t high = 0;
  for (std::size_t at = 0; at < bytes.size(); at += width) {
    std::uint32_t code = 0;
    for (std::size_t i = 0; i < width; ++i) code = code << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
    if (high != 0 && code >= 0xdc00 && code < 0xe000) {
      append_utf8(text, 0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00));
      high = 0;
      continue;
    }
    if (high != 0) append_utf8(text, 0xfffd);
    high = code >= 0xd800 && code < 0xdc00 ? code : 0;
    if (high == 0) append_utf8(text, code);
  }
  if (high != 0) append_utf8(text, 0xfffd);
  return text;
}

// RFC 4514 section 2.4; control characters as pairs of hexadecimal digits.
void append_escaped(std::string& out, std::string_view value) {
  constexpr std::string_view special = "\"+,;<>\\";
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const auto byte = static_cast<unsigned char>(c);
    const bool at_border = (c == ' ' && (i == 0 || i + 1 == value.size())) || (c == '#' && i == 0);
    if (byte < 0x20 || byte == 0x7f) {
      constexpr std::string_view digits = "0123456789ABCDEF";
      out += '\\';
      out += digits[byte >> 4];
      out += digits[byte & 15];
      continue;
    }
    if (at_border || special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
}

// One AttributeTypeAndValue.
bool append_attribute(std::string& out, Bytes content, std::size_t bytes_max) {
  DerReader reader(content);
  const auto type = reader.next(der::oid);
  const auto value = reader.next();
  if (!type || !value || !reader.at_end()) return false;
  const std::string_view name = attribute_name(type->content);
  std::string dotted = name.empty() ? dotted_oid(type->content) : std::string(name);
  if (dotted.empty()) return false;
  out += dotted;
  out += '=';
  // A type without a short name has its value in hexadecimal, so that nothing is lost (RFC 4514 section 2.4).
  const auto text = name.empty() ? std::nullopt : string_value(*value);
  if (text) {
    append_escaped(out, std::string_view(*text).substr(0, bytes_max));
  } else {
    out += '#';
    out += to_hex(value->whole.first(std::min(value->whole.size(), bytes_max)));
  }
  return true;
}

}  // namespace

void cut_text(std::string& text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return;
  std::size_t size = bytes_max;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  text.resize(size);
  text += "…";
}

std::optional<std::string> string_value(const DerElement& element) {
  switch (element.identifier) {
    case der::utf8_string:
    case der::printable_string:
    case der::numeric_string:
    case der::ia5_string:
    case der::visible_string:
      return std::string(as_text(element.content));
    case der::t61_string:
      return wide_text(element.content, 1);
    case der::bmp_string:
      return wide_text(element.content, 2);
    case der::universal_string:
      return wide_text(element.content, 4);
    default:
      return std::nullopt;
  }
}

std::optional<std::string> format_name(Bytes name, std::size_t bytes_max) {
  std::vector<Bytes> rdns;
  DerReader reader(name);
  while (const auto rdn = reader.next(der::set)) {
    if (rdns.size() == rdns_max) return std::nullopt;
    rdns.push_back(rdn->content);
  }
  if (!reader.at_end()) return std::nullopt;
  std::string text;
  for (std::size_t i = rdns.size(); i-- > 0;) {
    if (!text.empty()) text += ',';
    DerReader attributes(rdns[i]);
    if (attributes.at_end()) return std::nullopt;
    bool first = true;
    while (const auto attribute = attributes.next(der::sequence)) {
      if (!first) text += '+';
      first = false;
      if (!append_attribute(text, attribute->content, bytes_max)) return std::nullopt;
      if (text.size() > bytes_max) {
        cut_text(text, bytes_max);
        return text;
      }
    }
    if (!attributes.at_end()) return std::nullopt;
  }
  return text;
}

}  // namespace tracer
