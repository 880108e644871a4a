// Text as JSON strings.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/records/flow_identity.h"
#include "core/sinks/line_buffer.h"

namespace tracer {

// Appends `text` between quotes. Bytes that are not UTF-8 become U+FFFD; returns whether there were none. What a
// terminal would act on is written \uXXXX.
bool put_json_string(LineBuffer& out, std::string_view text);

// The same for text that scan_text() found to need no escape.
void put_plain_json_string(LineBuffer& out, std::string_view text);

// RFC 4648 section 4, between quotes.
void put_base64(LineBuffer& out, std::string_view bytes);

// RFC 3339 in UTC with microseconds, between quotes. Remembers the last second.
class TimestampWriter {
 public:
  void put(LineBuffer& out, WallTime time);

 private:
  std::int64_t second_ = INT64_MIN;
  std::array<char, 48> text_{};  // "2026-01-02T03:04:05.
  std::size_t size_ = 0;
};

}  // namespace tracer
