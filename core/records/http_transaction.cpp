#include "core/records/http_transaction.h"

namespace tracer {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i)
    if (lower(left[i]) != lower(right[i])) return false;
  return true;
}

}  // namespace

std::optional<std::string_view> HttpMessage::header(std::string_view name) const {
  for (const HttpHeader& candidate : headers)
    if (equals_ignoring_case(view(candidate.name), name)) return view(candidate.value);
  return std::nullopt;
}

// Both keep the capacity of what they hold: a pooled record is refilled without allocating.
void HttpMessage::clear() {
  present = false;
  text.clear();
  method = url = status_text = version = {};
  status_code = 0;
  headers.clear();
  header_bytes = 0;
  body_bytes.reset();
  first_offset = end_offset = 0;
  first_at = end_at = {};
}

void HttpTransaction::clear() {
  flow = {};
  tls.reset();
  request.clear();
  response.clear();
  complete = false;
  incomplete_reason = {};
  anomalies.clear();
  interim_responses = 0;
  request_time.reset();
  response_time.reset();
  duration_ms.reset();
  time_to_first_byte_ms.reset();
  time_source.reset();
}

}  // namespace tracer
