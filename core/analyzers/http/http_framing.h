// Where a message ends: RFC 9112 section 6.3 as a pure function.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/analyzers/http/http_parser.h"

namespace tracer {

struct BodyFraming {
  enum class Kind : std::uint8_t {
    none,
    content_length,  // `length` bytes
    chunked,
    until_close,
    tunnel,   // what follows is not HTTP/1.x any more
    unknown,  // the RFC calls the message unrecoverable: nobody can say where it ends
  };
  Kind kind = Kind::none;
  std::uint64_t length = 0;
  std::string_view reason;   // unknown: why; static storage
  HttpAnomalySet anomalies;  // seen while deciding, those of the head not repeated
};

[[nodiscard]] BodyFraming request_framing(const HeadFacts& request);
// A response cannot be framed without the method that it answers.
[[nodiscard]] BodyFraming response_framing(const HeadFacts& response, RequestMethod method);

}  // namespace tracer
