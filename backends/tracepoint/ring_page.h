// Parser of the pages of the kernel's trace buffer (per_cpu/cpuN/trace_pipe_raw). Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "backends/tracepoint/trace_record.h"

namespace tracer {

inline constexpr std::size_t ring_page_bytes_max = 1U << 20U;

// Where the parts of a page lie, as events/header_page says.
struct RingPageLayout {
  std::size_t timestamp = 0;
  std::size_t commit = 8;
  std::size_t commit_size = 8;
  std::size_t data = 16;
  std::size_t page = 4096;  // the whole of it
};

// nullopt: not such a file, or a layout that no page can have.
[[nodiscard]] std::optional<RingPageLayout> parse_ring_page_layout(std::string_view header_page);

struct RingPage {
  bool complete = false;  // false: it does not follow the format; what was read before the damage was told
  // Records before this page were overwritten. How many is not always in the page: the buffer's statistics say it.
  bool records_missing = false;
};

[[nodiscard]] RingPage parse_ring_page(Bytes page, const RingPageLayout& layout, TraceHandler& handler);

}  // namespace tracer
