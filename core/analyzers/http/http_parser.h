// HTTP/1.x message syntax (RFC 9112): pure functions over bytes, no state, no clock, no connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/analyzers/http/http_anomaly.h"
#include "core/analyzers/http/http_limits.h"
#include "core/base/bytes.h"
#include "core/records/http_transaction.h"

namespace tracer {

enum class HeadKind : std::uint8_t { request, response };
enum class HeadStatus : std::uint8_t { complete, need_more, invalid };

struct HeadResult {
  HeadStatus status = HeadStatus::need_more;
  std::size_t skipped = 0;   // empty lines ahead of the start line (RFC 9112 section 2.2)
  std::size_t consumed = 0;  // complete: bytes up to the body, `skipped` included
  std::string_view reason;   // invalid: why; static storage
};

enum class RequestMethod : std::uint8_t { other, head, connect };

// What a head says about its body and its connection, gathered while parsing.
struct HeadFacts {
  enum class Length : std::uint8_t { absent, valid, invalid, conflicting };
  RequestMethod method = RequestMethod::other;  // request
  std::uint16_t status_code = 0;                // response
  std::uint8_t version_minor = 0;
  Length length = Length::absent;
  std::uint64_t content_length = 0;  // Length::valid
  bool transfer_encoding = false;
  bool chunked_last = false;
  std::uint32_t chunked_count = 0;
  bool expects_continue = false;
  bool connection_upgrade = false;     // Connection: upgrade
  bool upgrade = false;                // an Upgrade field
  bool framing_field_damaged = false;  // whitespace between a length field's name and its colon
  HttpAnomalySet anomalies;
};

// Parses one head from the start of `bytes`.
//   complete: `out` has start line, headers, header_bytes and a copy of the text; `facts` is filled.
//   need_more, invalid: `out` is as HttpMessage::clear() leaves it; `facts` means nothing.
// Allocates only when `out` has to grow beyond what it ever held.
[[nodiscard]] HeadResult parse_head(Bytes bytes, HeadKind kind, const HttpLimits& limits, HttpMessage& out,
                                    HeadFacts& facts);

// What can be told of a head that will never be whole: fills the start line if all of it is there, and `present`.
// Header fields are left out. False: not even a start line; `out` is cleared.
[[nodiscard]] bool parse_start_line(Bytes bytes, HeadKind kind, HttpMessage& out, HeadFacts& facts);

// What the first bytes of a stream begin with.
enum class HttpStart : std::uint8_t {
  need_more,     // could still become a start line
  request_line,  // method SP target SP HTTP/1.x, or a common method with a long target
  status_line,   // HTTP/1.x SP 3DIGIT
  no,            // anything else, at the first byte that tells; HTTP/2 too
};
[[nodiscard]] HttpStart classify_start(Bytes prefix);

// Is this a method of RFC 9110, 5789 or 4918, or may become one? Others are valid too, but prove nothing.
[[nodiscard]] bool begins_with_known_method(Bytes prefix);

// For the router: is this the start of a stream of HTTP/1.x?
enum class Likeness : std::uint8_t { no, need_more, yes };
[[nodiscard]] Likeness looks_like_http1(Bytes prefix);

// Static storage; what parse_head says of "PRI * HTTP/2.0" (RFC 9113 section 3.4).
inline constexpr std::string_view http2_preface_reason = "http2_preface";
inline constexpr std::string_view head_too_large_reason = "head_too_large";

}  // namespace tracer
