// One HTTP/1.x request with its response.
//
// Owns its text in one arena per message, so that a pooled record is refilled without allocating. All slices point into
// HttpMessage::text, which holds raw bytes as sent (RFC 9112); sinks escape and redact.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/records/flow_identity.h"

namespace tracer {

struct TextSlice {
  std::uint32_t at = 0;
  std::uint32_t size = 0;
};

struct HttpHeader {
  TextSlice name, value;  // value: without leading and trailing whitespace, obs-fold replaced by one space
};

// What both kinds of message have. A request fills method and url, a response status_code and status_text.
struct HttpMessage {
  bool present = false;   // the start line was seen
  std::string text;       // arena
  TextSlice method, url;  // request-target as sent
  TextSlice status_text;
  TextSlice version;                        // "HTTP/1.1"
  std::uint16_t status_code = 0;            // valid where present and a response
  std::vector<HttpHeader> headers;          // in order, case kept, repeated ones too; trailers are not among them
  std::uint64_t header_bytes = 0;           // start line and header section with the empty line
  std::optional<std::uint64_t> body_bytes;  // after transfer coding, before content coding; absent: not known
  // Where it lay in the stream of its sender, and when its first and last byte were seen.
  std::uint64_t first_offset = 0, end_offset = 0;
  EventTime first_at, end_at;

  [[nodiscard]] std::string_view view(TextSlice slice) const {
    return std::string_view(text).substr(slice.at, slice.size);
  }
  // Value of the first header of that name (ASCII case-insensitive); nullopt: none.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
  void clear();
};

enum class TimeSource : std::uint8_t { client, server, wire };

// The protection of the connection, from its handshake on the wire. Absent: not seen, or not there; which of the two,
// the record says in `missing`.
struct HttpTls {
  std::optional<std::string> version, cipher_suite, group, sni, alpn;
};

struct HttpTransaction {
  FlowIdentity flow;
  // Filled by the pipeline: it was read and written in clear inside of TLS. One for all transactions of a connection.
  std::shared_ptr<const HttpTls> tls;
  HttpMessage request, response;
  bool complete = false;
  std::string_view incomplete_reason;       // static storage; empty when complete
  std::vector<std::string_view> anomalies;  // smuggling shapes and other deviations from RFC 9112; static storage
  std::uint32_t interim_responses = 0;      // 1xx before the final one (RFC 9110 section 15.2)

  // Filled by the pipeline.
  std::optional<WallTime> request_time, response_time;  // first byte of the request, last byte of the response
  std::optional<double> duration_ms, time_to_first_byte_ms;
  std::optional<TimeSource> time_source;

  void clear();
};

}  // namespace tracer
