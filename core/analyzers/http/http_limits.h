// Every limit of the HTTP/1.x analyzer. Hitting one is counted in HttpCounters and ends at worst one transaction.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tracer {

struct HttpLimits {
  std::size_t head_bytes_max = 64 * 1024;        // start line and header section; also the trailer section of a body
  std::size_t headers_max = 256;                 // header fields of one message
  std::size_t chunk_line_bytes_max = 16 * 1024;  // chunk size with its extensions
  std::size_t pipeline_depth_max = 256;          // requests without a response on one connection
  std::size_t held_bytes_max = 64 * 1024;        // of one stream, waiting for the other
  std::size_t held_items_max = 16 * 1024;        // of one stream: calls of on_bytes, on_gap and on_end
  // Event time that a response waits for its request. Several times what a stream waits for late bytes, so that the
  // answers are still here when the requests behind a hole come all at once.
  std::uint64_t held_ns_max = 250'000'000;
  std::size_t waits_min = 2;                // times a client has to be seen waiting before a loss can be repaired
  std::uint64_t skip_bytes_min = 4 * 1024;  // smaller bodies and chunks are not worth a verdict
};

// What went wrong or was given up, since the analyzer was made.
struct HttpCounters {
  std::uint64_t requests = 0, responses = 0;  // heads accepted; interim responses are not counted
  std::uint64_t resynchronised = 0;           // message starts accepted after the position was lost
  std::uint64_t position_lost = 0;            // times that a stream lost its place
  std::uint64_t heads_over_limit = 0;         // longer than head_bytes_max or more fields than headers_max
  std::uint64_t pipeline_over_limit = 0;      // requests beyond pipeline_depth_max
  std::uint64_t held_over_limit = 0;          // times that held_bytes_max or held_items_max was reached
  std::uint64_t held_expired = 0;             // times that held_ns_max passed
};

}  // namespace tracer
