#include "core/sinks/json_text.h"

#include <chrono>

#include "core/sinks/text_scan.h"
#include "core/sinks/utf8.h"

namespace tracer {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

void put_unit(LineBuffer& out, unsigned unit) {
  char* const to = out.reserve(6);
  to[0] = '\\';
  to[1] = 'u';
  for (unsigned i = 0; i < 4; ++i) to[2 + i] = hex_digits[unit >> (12 - 4 * i) & 0xf];
  out.commit(6);
}

std::size_t plain_prefix(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && text[size] >= ' ' && text[size] < 0x7f && text[size] != '"' && text[size] != '\\')
    ++size;
  return size;
}

void put_escaped(LineBuffer& out, char32_t c) {
  switch (c) {
    case '\n':
      return out.put("\\n");
    case '\r':
      return out.put("\\r");
    case '\t':
      return out.put("\\t");
    default:
      break;
  }
  if (c < 0x10000) return put_unit(out, static_cast<unsigned>(c));
  const auto rest = static_cast<unsigned>(c - 0x10000);
  put_unit(out, 0xd800 + (rest >> 10));
  put_unit(out, 0xdc00 + (rest & 0x3ff));
}

}  // namespace

void put_plain_json_string(LineBuffer& out, std::string_view text) {
  char* const to = out.reserve(text.size() + 2);
  to[0] = '"';
  if (!text.empty()) std::memcpy(to + 1, text.data(), text.size());
  to[text.size() + 1] = '"';
  out.commit(text.size() + 2);
}

bool put_json_string(LineBuffer& out, std::string_view text) {
  if (!scan_text(text).escape) {
    put_plain_json_string(out, text);
    return true;
  }
  bool valid = true;
  out.put('"');
  while (!text.empty()) {
    if (const std::size_t plain = plain_prefix(text); plain > 0) {
      out.put(text.substr(0, plain));
      text.remove_prefix(plain);
      continue;
    }
    const CodePoint c = decode_utf8(text);
    if (!c.valid) {
      valid = false;
      out.put("\xef\xbf\xbd");
    } else if (c.value == '"' || c.value == '\\') {
      out.put('\\');
      out.put(text[0]);
    } else if (is_deceptive(c.value)) {
      put_escaped(out, c.value);
    } else {
      out.put(text.substr(0, c.size));
    }
    text.remove_prefix(c.size);
  }
  out.put('"');
  return valid;
}

void put_base64(LineBuffer& out, std::string_view bytes) {
  static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  const std::size_t size = (bytes.size() + 2) / 3 * 4;
  char* to = out.reserve(size + 2);
  *to++ = '"';
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    *to++ = alphabet[group >> 18];
    *to++ = alphabet[group >> 12 & 0x3f];
    *to++ = i + 1 < bytes.size() ? alphabet[group >> 6 & 0x3f] : '=';
    *to++ = i + 2 < bytes.size() ? alphabet[group & 0x3f] : '=';
  }
  *to = '"';
  out.commit(size + 2);
}

void TimestampWriter::put(LineBuffer& out, WallTime time) {
  using namespace std::chrono;
  constexpr std::int64_t second_ns = 1'000'000'000;
  const std::int64_t second = time.ns / second_ns - (time.ns % second_ns < 0 ? 1 : 0);
  if (second != second_) {
    const sys_seconds at{seconds{second}};
    const sys_days day = floor<days>(at);
    const year_month_day date{day};
    const auto of_day = static_cast<unsigned>((at - day).count());
    char* to = text_.data();
    const auto two = [&](unsigned value, char after) {
      *to++ = static_cast<char>('0' + value / 10 % 10);
      *to++ = static_cast<char>('0' + value % 10);
      *to++ = after;
    };
    // An int64 of nanoseconds reaches the years 1677 to 2262 only: always four digits.
    const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
    *to++ = '"';
    *to++ = static_cast<char>('0' + year / 1000);
    *to++ = static_cast<char>('0' + year / 100 % 10);
    two(year, '-');
    two(static_cast<unsigned>(date.month()), '-');
    two(static_cast<unsigned>(date.day()), 'T');
    two(of_day / 3600, ':');
    two(of_day / 60 % 60, ':');
    two(of_day % 60, '.');
    size_ = static_cast<std::size_t>(to - text_.data());
    second_ = second;
  }
  auto micro = static_cast<unsigned>((time.ns - second * second_ns) / 1000);
  char* const to = out.reserve(size_ + 8);
  std::memcpy(to, text_.data(), size_);
  for (std::size_t i = 6; i-- > 0; micro /= 10) to[size_ + i] = static_cast<char>('0' + micro % 10);
  to[size_ + 6] = 'Z';
  to[size_ + 7] = '"';
  out.commit(size_ + 8);
}

}  // namespace tracer
