#include "core/analyzers/http/chunked_decoder.h"

#include <algorithm>
#include <limits>

namespace tracer {

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Far beyond any real chunk, and small enough that offset + size never wraps.
constexpr std::uint64_t chunk_bytes_max = std::numeric_limits<std::int64_t>::max() / 2;

}  // namespace

ChunkedDecoder::Progress ChunkedDecoder::feed(Bytes bytes, const HttpLimits& limits) {
  const std::string_view text = as_text(bytes);
  std::size_t at = 0;
  while (at < text.size()) {
    if (state_ == State::data) {
      const std::uint64_t size = std::min<std::uint64_t>(remaining_, text.size() - at);
      skip(size);
      at += static_cast<std::size_t>(size);
      continue;
    }
    if (!step(text[at], limits)) return {Status::invalid, at};
    ++at;
    if (done_) return {Status::done, at};
  }
  return {Status::need_more, at};
}

void ChunkedDecoder::skip(std::uint64_t size) {
  remaining_ -= size;
  body_bytes_ += size;
  if (remaining_ == 0) state_ = State::data_cr;
}

void ChunkedDecoder::size_line_ended() {
  line_bytes_ = 0;
  state_ = remaining_ == 0 ? State::trailer_start : State::data;
}

bool ChunkedDecoder::step(char c, const HttpLimits& limits) {
  switch (state_) {
    case State::size_first:
      if (hex_value(c) < 0) return false;
      remaining_ = static_cast<std::uint64_t>(hex_value(c));
      line_bytes_ = 1;
      state_ = State::size;
      return true;

    case State::size:
      if (const int digit = hex_value(c); digit >= 0) {
        if (++line_bytes_ > limits.chunk_line_bytes_max) return false;
        if (remaining_ > chunk_bytes_max / 16 || body_bytes_ > chunk_bytes_max) return false;
        remaining_ = remaining_ * 16 + static_cast<std::uint64_t>(digit);
        return true;
      }
      [[fallthrough]];
    case State::size_space:
      if (++line_bytes_ > limits.chunk_line_bytes_max) return false;
      if (c == ' ' || c == '\t') {
        anomalies_.add(HttpAnomaly::chunk_size_whitespace);
        state_ = State::size_space;
        return true;
      }
      if (c == ';') {
        state_ = State::extension;
        return true;
      }
      [[fallthrough]];
    case State::extension:
      if (c == '\r') {
        state_ = State::size_lf;
        return true;
      }
      if (c == '\n') {
        anomalies_.add(HttpAnomaly::chunk_bare_lf);
        size_line_ended();
        return true;
      }
      return state_ == State::extension && ++line_bytes_ <= limits.chunk_line_bytes_max;

    case State::size_lf:
      if (c != '\n') return false;
      size_line_ended();
      return true;

    case State::data:
      return false;  // feed() counts data

    case State::data_cr:
      if (c == '\n') anomalies_.add(HttpAnomaly::chunk_bare_lf);
      state_ = c == '\n' ? State::size_first : State::data_lf;
      return c == '\n' || c == '\r';

    case State::data_lf:
      state_ = State::size_first;
      return c == '\n';

    case State::trailer_start:
      if (c == '\r') {
        state_ = State::last_lf;
        return true;
      }
      if (c == '\n') {
        anomalies_.add(HttpAnomaly::chunk_bare_lf);
        done_ = true;
        return true;
      }
      state_ = State::trailer_line;
      return ++line_bytes_ <= limits.head_bytes_max;

    case State::trailer_line:
      if (c == '\n') state_ = State::trailer_start;
      return ++line_bytes_ <= limits.head_bytes_max;

    case State::last_lf:
      done_ = true;
      return c == '\n';
  }
  return false;
}

}  // namespace tracer
