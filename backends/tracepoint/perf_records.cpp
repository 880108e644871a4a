#include "backends/tracepoint/perf_records.h"

#include <linux/perf_event.h>

#include <cstring>

namespace tracer {
namespace {

static_assert(perf_sample_fields == (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW));

// Takes a value from the front of `data`; false: it is too short.
template <typename T>
bool take(Bytes& data, T& value) {
  if (data.size() < sizeof(T)) return false;
  std::memcpy(&value, data.data(), sizeof(T));
  data = data.subspan(sizeof(T));
  return true;
}

bool parse_sample(Bytes body, TraceHandler& handler) {
  TraceRecord record;
  std::uint32_t raw_size = 0;
  if (!take(body, record.who.tgid) || !take(body, record.who.tid) || !take(body, record.at_ns) ||
      !take(body, raw_size) || body.size() < raw_size)
    return false;
  record.raw = body.first(raw_size);
  handler.on_trace(record);
  return true;
}

bool parse_lost(Bytes body, TraceHandler& handler) {
  std::uint64_t event = 0, lost = 0;
  if (!take(body, event) || !take(body, lost)) return false;
  handler.on_lost(lost);
  return true;
}

}  // namespace

bool parse_perf_records(Bytes data, TraceHandler& handler) {
  while (!data.empty()) {
    Bytes rest = data;
    perf_event_header header{};
    if (!take(rest, header) || header.size < sizeof(header) || header.size > data.size()) return false;
    const Bytes body = data.subspan(sizeof(header), header.size - sizeof(header));
    data = data.subspan(header.size);
    if (header.type == PERF_RECORD_SAMPLE && !parse_sample(body, handler)) return false;
    if (header.type == PERF_RECORD_LOST && !parse_lost(body, handler)) return false;
  }
  return true;
}

}  // namespace tracer
