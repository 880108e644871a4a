#include "core/analyzers/http/http_stream.h"

#include <algorithm>
#include <cstring>

namespace tracer {

namespace {

// What an idle connection may keep for the next time.
constexpr std::size_t idle_bytes_max = 1024;
constexpr std::size_t idle_calls_max = 16;

// Below this, a parse at every call costs nothing and tells garbage early; above, only a line end can change the
// answer.
constexpr std::size_t eager_parse_bytes_max = 64;

}  // namespace

void HeldCalls::clear() {
  calls.clear();
  text.clear();
  if (text.capacity() > idle_bytes_max) std::string().swap(text);
  if (calls.capacity() > idle_calls_max) std::vector<Call>().swap(calls);
}

void HttpStream::drop_head() {
  buffer.clear();
  if (buffer.capacity() > idle_bytes_max) std::string().swap(buffer);
}

HeadRead read_head(HttpStream& stream, HeadKind kind, std::uint64_t offset, Bytes bytes, EventTime at,
                   const HttpLimits& limits, HttpMessage& out, HeadFacts& facts) {
  const std::string_view text = as_text(bytes);
  if (stream.buffer.empty()) {
    const HeadResult result = parse_head(bytes, kind, limits, out, facts);
    if (result.status == HeadStatus::complete) return {result.status, result.consumed, offset + result.skipped, at, {}};
    stream.buffer.assign(text.substr(result.skipped, limits.head_bytes_max));
    stream.buffer_offset = offset + result.skipped;
    stream.buffer_at = at;
    return {result.status, text.size(), 0, {}, result.reason};
  }

  const std::size_t before = stream.buffer.size();
  const std::string_view piece = text.substr(0, limits.head_bytes_max - std::min(before, limits.head_bytes_max));
  stream.buffer.append(piece);
  const bool full = stream.buffer.size() >= limits.head_bytes_max;
  if (!full && stream.buffer.size() > eager_parse_bytes_max && piece.find('\n') == std::string_view::npos)
    return {HeadStatus::need_more, text.size(), 0, {}, {}};

  const HeadResult result = parse_head(as_bytes(stream.buffer), kind, limits, out, facts);
  HeadRead read{result.status, text.size(), stream.buffer_offset + result.skipped, stream.buffer_at, result.reason};
  if (result.status == HeadStatus::complete) {
    read.used = result.consumed - before;
    stream.drop_head();
  } else if (result.status == HeadStatus::need_more && result.skipped != 0) {
    stream.buffer.erase(0, result.skipped);
    stream.buffer_offset += result.skipped;
    stream.buffer_at = at;
  }
  return read;
}

bool salvage_head(const HttpStream& stream, HeadKind kind, HttpMessage& out, HeadFacts& facts) {
  if (!parse_start_line(as_bytes(stream.buffer), kind, out, facts)) return false;
  out.first_offset = stream.buffer_offset;
  out.first_at = stream.buffer_at;
  out.end_offset = stream.buffer_offset + stream.buffer.size();
  out.end_at = stream.buffer_at;
  return true;
}

BodyStep read_body(HttpStream& stream, Bytes bytes, const HttpLimits& limits) {
  if (stream.state != HttpStream::State::chunked) return pass_body_gap(stream, bytes.size());
  const ChunkedDecoder::Progress progress = stream.chunks.feed(bytes, limits);
  switch (progress.status) {
    case ChunkedDecoder::Status::need_more:
      return {BodyStep::Status::more, progress.consumed};
    case ChunkedDecoder::Status::done:
      return {BodyStep::Status::done, progress.consumed};
    case ChunkedDecoder::Status::invalid:
      break;
  }
  return {BodyStep::Status::invalid, progress.consumed};
}

BodyStep pass_body_gap(HttpStream& stream, std::uint64_t size) {
  switch (stream.state) {
    case HttpStream::State::content_length: {
      const std::uint64_t used = std::min(size, stream.remaining);
      stream.remaining -= used;
      stream.counted += used;
      return {stream.remaining == 0 ? BodyStep::Status::done : BodyStep::Status::more, used};
    }
    case HttpStream::State::until_close:
      stream.counted += size;
      return {BodyStep::Status::more, size};
    default:
      break;
  }
  if (size > stream.chunks.data_ahead()) return {BodyStep::Status::invalid, size};
  stream.chunks.skip(size);
  return {BodyStep::Status::more, size};
}

}  // namespace tracer
