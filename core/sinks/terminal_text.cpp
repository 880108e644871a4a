#include "core/sinks/terminal_text.h"

#include "core/sinks/text_scan.h"
#include "core/sinks/utf8.h"

namespace tracer {
namespace {

void put_byte(LineBuffer& out, unsigned char byte) {
  static constexpr char hex_digits[] = "0123456789abcdef";
  out.put("\\x");
  out.put(hex_digits[byte >> 4]);
  out.put(hex_digits[byte & 0xf]);
}

void put_code_point(LineBuffer& out, char32_t c) {
  out.put("\\u{");
  char* const to = out.reserve(8);
  out.commit(static_cast<std::size_t>(std::to_chars(to, to + 8, static_cast<unsigned>(c), 16).ptr - to));
  out.put('}');
}

}  // namespace

std::size_t put_terminal_text(LineBuffer& out, std::string_view text) {
  if (!scan_text(text).escape) {
    out.put(text);
    return text.size();
  }
  std::size_t columns = 0;
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    const std::size_t before = out.size();
    if (!c.valid) {
      for (const char byte : text.substr(0, c.size)) put_byte(out, static_cast<unsigned char>(byte));
    } else if (c.value < 0x20 || c.value == 0x7f) {
      put_byte(out, static_cast<unsigned char>(c.value));
    } else if (is_deceptive(c.value)) {
      put_code_point(out, c.value);
    } else if (c.value == '\\') {
      out.put("\\\\");
    } else {
      out.put(text.substr(0, c.size));
    }
    columns += c.valid && c.value >= 0x80 && !is_deceptive(c.value) ? 1 : out.size() - before;
    text.remove_prefix(c.size);
  }
  return columns;
}

}  // namespace tracer
