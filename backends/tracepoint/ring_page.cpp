#include "backends/tracepoint/ring_page.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "backends/tracepoint/event_format.h"

namespace tracer {
namespace {

// include/linux/ring_buffer.h and kernel/trace/ring_buffer.c. A record begins with 32 bits: 5 of type or length, 27 of
// the time since the record before.
constexpr std::uint32_t type_bits = 5, longest_short_record = 28, padding = 29, time_extend = 30, time_stamp = 31;
constexpr std::uint32_t time_bits = 27;
constexpr std::uint32_t records_missing_mark = 1U << 31U;
constexpr std::uint32_t commit_mask = (1U << 30U) - 1;  // above: marks
constexpr std::uint64_t stamp_bits = 59;                // what a time stamp holds; the rest is as it was

std::uint32_t word_at(Bytes bytes, std::size_t at) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof(word));
  return word;
}

}  // namespace

std::optional<RingPageLayout> parse_ring_page_layout(std::string_view header_page) {
  // The lines are those of a format file, without its head.
  const auto format = parse_event_format("format:\n" + std::string(header_page));
  if (!format) return std::nullopt;
  const EventField* timestamp = format->find("timestamp");
  const EventField* commit = format->find("commit");
  const EventField* data = format->find("data");
  if (timestamp == nullptr || commit == nullptr || data == nullptr) return std::nullopt;
  RingPageLayout layout{timestamp->offset, commit->offset, commit->size, data->offset,
                        std::size_t{data->offset} + data->size};
  const bool fits = (layout.commit_size == 4 || layout.commit_size == 8) && layout.timestamp + 8 <= layout.data &&
                    layout.commit + layout.commit_size <= layout.data && layout.data <= 4096 &&
                    layout.page > layout.data && layout.page <= ring_page_bytes_max;
  return fits ? std::optional(layout) : std::nullopt;
}

RingPage parse_ring_page(Bytes page, const RingPageLayout& layout, TraceHandler& handler) {
  RingPage out;
  if (page.size() < layout.data || layout.commit + 4 > layout.data || layout.timestamp + 8 > layout.data) return out;
  std::uint64_t now = 0;
  std::memcpy(&now, page.data() + layout.timestamp, sizeof(now));
  const std::uint32_t commit = word_at(page, layout.commit);  // the marks are in its low half too
  out.records_missing = (commit & records_missing_mark) != 0;
  Bytes data = page.subspan(layout.data);
  if ((commit & commit_mask) > data.size()) return out;
  data = data.first(commit & commit_mask);
  while (data.size() >= 4) {
    const std::uint32_t head = word_at(data, 0);
    const std::uint32_t type = head & ((1U << type_bits) - 1);
    const std::uint64_t delta = head >> type_bits;
    if (type == padding && delta == 0) break;  // nothing more in this page
    if (type != 0 && type <= longest_short_record) {
      const std::size_t size = std::size_t{type} * 4;
      if (data.size() < 4 + size) return out;
      now += delta;
      handler.on_trace({now, {}, data.subspan(4, size)});
      data = data.subspan(4 + size);
      continue;
    }
    if (data.size() < 8) return out;
    const std::uint32_t word = word_at(data, 4);
    if (type == time_extend || type == time_stamp) {
      const std::uint64_t time = (std::uint64_t{word} << time_bits) + delta;
      if (type == time_extend)
        now += time;
      else
        now = (now >> stamp_bits << stamp_bits) | time;
      data = data.subspan(8);
      continue;
    }
    // A long record, or a discarded one: its length, which counts itself, follows.
    if (word < 4 || data.size() - 4 < word) return out;
    now += delta;
    if (type == 0) handler.on_trace({now, {}, data.subspan(8, word - 4)});
    const std::size_t whole = std::min(data.size(), (std::size_t{word} + 3) / 4 * 4 + 4);
    data = data.subspan(whole);
  }
  out.complete = true;
  return out;
}

}  // namespace tracer
