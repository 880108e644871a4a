#include "core/sinks/text_scan.h"

#include <cstdint>
#include <cstring>

namespace tracer {
namespace {

// GCC and clang vector extension: SSE2 on x86-64, NEON on arm64.
using Block = std::uint8_t __attribute__((vector_size(16)));

constexpr std::uint64_t every_byte = 0x0101010101010101;
constexpr std::uint8_t escape_mark = 1, assign_mark = 2;

Block marks_of(Block bytes) {
  // Unsigned: 0x20..0x7e become 0..0x5e.
  const auto escape = ((bytes - 0x20) > 0x5e) | (bytes == '"') | (bytes == '\\');
  const auto assign = (bytes == '=') | (bytes == '@') | (bytes == '%');
  return (reinterpret_cast<Block>(escape) & escape_mark) | (reinterpret_cast<Block>(assign) & assign_mark);
}

template <typename Word>
Word load(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Fewer than 16 bytes, filled up by reading some of them twice.
Block load_short(const char* data, std::size_t size) {
  std::uint64_t halves[2];
  if (size >= 8) {
    halves[0] = load<std::uint64_t>(data);
    halves[1] = load<std::uint64_t>(data + size - 8);
  } else if (size >= 4) {
    const std::uint64_t low = load<std::uint32_t>(data), high = load<std::uint32_t>(data + size - 4);
    halves[0] = halves[1] = low | high << 32;
  } else {
    const auto byte = [&](std::size_t i) -> std::uint64_t { return static_cast<unsigned char>(data[i]); };
    halves[0] = halves[1] = (byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16) | 0x6161616161000000;
  }
  Block block;
  std::memcpy(&block, halves, sizeof block);
  return block;
}

}  // namespace

TextTraits scan_text(std::string_view text) {
  if (text.empty()) return {};
  Block marks;
  if (text.size() < 16) {
    marks = marks_of(load_short(text.data(), text.size()));
  } else {
    const char* const last = text.data() + text.size() - 16;
    marks = marks_of(load<Block>(last));
    for (const char* at = text.data(); at < last; at += 16) marks |= marks_of(load<Block>(at));
  }
  std::uint64_t halves[2];
  std::memcpy(halves, &marks, sizeof marks);
  const std::uint64_t all = halves[0] | halves[1];
  return {(all & every_byte * escape_mark) != 0, (all & every_byte * assign_mark) != 0};
}

}  // namespace tracer
