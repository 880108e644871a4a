#include "core/analyzers/crypto/pem.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace tracer {

namespace {

constexpr std::string_view begin_mark = "-----BEGIN ";
constexpr std::string_view end_mark = "-----END ";
constexpr std::string_view dashes = "-----";
constexpr std::size_t label_bytes_max = 64;

// Takes one line off the front, without its end.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  return line;
}

// RFC 7468 section 3: printable characters, no dash at either end.
bool is_label(std::string_view label) {
  const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
  return !label.empty() && label.size() <= label_bytes_max && std::ranges::all_of(label, printable) &&
         label.front() != '-' && label.back() != '-';
}

// Lines "Name: value" up to an empty line, if the block begins with any.
void take_headers(PemBlock& block) {
  std::string_view rest = block.body;
  bool any = false;
  while (!rest.empty()) {
    const std::string_view line = take_line(rest);
    if (line.empty()) {
      block.body = rest;  // also where there are no headers: OpenPGP has the empty line then, too
      return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos && !(any && (line.front() == ' ' || line.front() == '\t'))) return;
    any = true;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = colon == std::string_view::npos ? line : line.substr(colon + 1);
    if (name == "Proc-Type" && value.find("ENCRYPTED") != std::string_view::npos) block.encrypted = true;
    if (name == "DEK-Info") {
      block.dek_info = value.substr(0, value.find(','));
      block.dek_info.remove_prefix(std::min(block.dek_info.find_first_not_of(' '), block.dek_info.size()));
    }
  }
}

constexpr std::array<std::int8_t, 256> base64_values = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < digits.size(); ++i)
    values[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
  return values;
}();

}  // namespace

std::optional<PemBlock> PemReader::next() {
  while (!rest_.empty()) {
    const std::size_t at = rest_.find(begin_mark);
    if (at == std::string_view::npos) break;
    const bool at_line_begin = at == 0 || rest_[at - 1] == '\n' || rest_[at - 1] == '\r';
    std::string_view behind = rest_.substr(at + begin_mark.size());
    rest_ = behind;
    if (!at_line_begin) continue;
    const std::string_view line = take_line(behind);
    if (!line.ends_with(dashes)) continue;
    PemBlock block;
    block.label = line.substr(0, line.size() - dashes.size());
    if (!is_label(block.label)) continue;
    // The next mark of any kind must be this block's own end.
    const std::size_t mark = behind.find(dashes);
    if (mark == std::string_view::npos) break;
    std::string_view end = behind.substr(mark);
    const std::string_view end_line = take_line(end);
    const bool ends = end_line.starts_with(end_mark) && end_line.ends_with(dashes) &&
                      end_line.size() == end_mark.size() + block.label.size() + dashes.size() &&
                      end_line.substr(end_mark.size(), block.label.size()) == block.label;
    if (!ends) continue;
    block.body = behind.substr(0, mark);
    take_headers(block);
    rest_ = end;
    return block;
  }
  rest_ = {};
  return std::nullopt;
}

std::optional<SecretBytes> decode_base64(std::string_view text, std::size_t bytes_max) {
  SecretBytes out(std::min(text.size() / 4 * 3 + 3, bytes_max));
  std::uint32_t bits = 0;
  unsigned digits = 0, padding = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n' || c == '\r' || c == ' ' || c == '\t') continue;
    const bool line_begins = i == 0 || text[i - 1] == '\n';
    if (c == '=' && line_begins) break;  // OpenPGP's checksum
    if (c == '=') {
      if (++padding > 2) return std::nullopt;
      continue;
    }
    const int value = base64_values[static_cast<unsigned char>(c)];
    if (value < 0 || padding > 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if (++digits % 4 == 0) {
      for (const unsigned shift : {16U, 8U, 0U}) {
        if (!out.append(static_cast<std::byte>(bits >> shift & 0xff))) return out;
      }
    }
  }
  const unsigned left = digits % 4;
  if (left == 1) return std::nullopt;
  if (left >= 2 && !out.append(static_cast<std::byte>((left == 2 ? bits >> 4 : bits >> 10) & 0xff))) return out;
  if (left == 3 && !out.append(static_cast<std::byte>(bits >> 2 & 0xff))) return out;
  return out;
}

}  // namespace tracer
