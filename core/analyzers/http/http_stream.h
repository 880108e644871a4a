// One direction of an HTTP/1.x connection: where in a message it is, and what it keeps while it cannot go on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/analyzer.h"
#include "core/analyzers/http/chunked_decoder.h"
#include "core/analyzers/http/http_parser.h"

namespace tracer {

// Why what was under way when a stream ended is not complete.
[[nodiscard]] constexpr std::string_view reason_of(StreamEnd end) {
  switch (end) {
    case StreamEnd::closed:
      return "connection_closed";
    case StreamEnd::cut:
      return "trace_end";
    case StreamEnd::handed_over:
      return "backend_switch";
  }
  return "";
}

// Calls of the Analyzer interface kept for later, with a copy of their bytes.
struct HeldCalls {
  enum class Kind : std::uint8_t { bytes, gap, end };
  struct Call {
    Kind kind{};
    std::uint64_t offset = 0, size = 0;
    EventTime at;
    bool at_boundary = false;  // bytes: they begin one call of on_bytes
    GapCause cause{};          // gap
    StreamEnd end{};           // end
    std::size_t text_at = 0;   // bytes: where in `text`
  };
  std::vector<Call> calls;
  std::string text;

  [[nodiscard]] bool empty() const { return calls.empty(); }
  [[nodiscard]] Bytes bytes_of(const Call& call) const {
    return as_bytes(std::string_view(text).substr(call.text_at, static_cast<std::size_t>(call.size)));
  }
  void clear();
};

struct HttpStream {
  enum class State : std::uint8_t {
    head,  // at a message start or in a head
    content_length,
    chunked,
    until_close,
    lost,   // the position is not known; looking for a message start
    quiet,  // of no interest any more
  };
  State state = State::head;
  // The head in progress was picked by its looks after the position had been lost. It must be flawless, and nothing is
  // said of it if it is not.
  bool candidate = false;
  bool head_at_boundary = false;  // the head in progress began a call of on_bytes
  bool ended = false;
  bool whole_asked = false;  // need_whole() was called and not undone
  StreamEnd end{};
  std::string_view lost_reason = "begun_in_mid_stream";

  std::string buffer;  // the head in progress, where it did not come in one piece
  std::uint64_t buffer_offset = 0;
  EventTime buffer_at;

  std::uint64_t remaining = 0;  // State::content_length: bytes to come
  std::uint64_t counted = 0;    // body bytes so far, unless chunked
  ChunkedDecoder chunks;
  HeldCalls held;

  [[nodiscard]] bool in_body() const {
    return state == State::content_length || state == State::chunked || state == State::until_close;
  }
  [[nodiscard]] std::uint64_t body_bytes() const { return state == State::chunked ? chunks.body_bytes() : counted; }
  void drop_head();
};

struct HeadRead {
  HeadStatus status = HeadStatus::need_more;
  std::size_t used = 0;            // of the bytes given; need_more: all of them
  std::uint64_t first_offset = 0;  // complete: of the start line
  EventTime first_at;
  std::string_view reason;  // invalid
};

// Goes on with the head in progress: in place if all of it is in `bytes`, else by way of the buffer, which is left as
// it is when the head is invalid (see salvage_head) and emptied when it is complete.
[[nodiscard]] HeadRead read_head(HttpStream& stream, HeadKind kind, std::uint64_t offset, Bytes bytes, EventTime at,
                                 const HttpLimits& limits, HttpMessage& out, HeadFacts& facts);

// The start line of a head that will never be whole, with its place and time.
[[nodiscard]] bool salvage_head(const HttpStream& stream, HeadKind kind, HttpMessage& out, HeadFacts& facts);

struct BodyStep {
  enum class Status : std::uint8_t { more, done, invalid };
  Status status = Status::more;
  std::uint64_t used = 0;
};
// Both only while stream.in_body(). A gap is `invalid` where it hides more than body bytes.
[[nodiscard]] BodyStep read_body(HttpStream& stream, Bytes bytes, const HttpLimits& limits);
[[nodiscard]] BodyStep pass_body_gap(HttpStream& stream, std::uint64_t size);

}  // namespace tracer
