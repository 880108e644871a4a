// The chunked transfer coding (RFC 9112 section 7.1) as a state machine over bytes. Chunk data is counted, never looked
// at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/analyzers/http/http_anomaly.h"
#include "core/analyzers/http/http_limits.h"
#include "core/base/bytes.h"

namespace tracer {

class ChunkedDecoder {
 public:
  enum class Status : std::uint8_t { need_more, done, invalid };
  struct Progress {
    Status status = Status::need_more;
    std::size_t consumed = 0;  // invalid: up to the byte that cannot be
  };

  // Takes the next bytes of the body; stops behind its last byte.
  [[nodiscard]] Progress feed(Bytes bytes, const HttpLimits& limits);
  // The following so many bytes are chunk data and need not be seen.
  [[nodiscard]] std::uint64_t data_ahead() const { return state_ == State::data ? remaining_ : 0; }
  // `size` <= data_ahead() bytes went by unseen.
  void skip(std::uint64_t size);
  [[nodiscard]] bool begun() const { return state_ != State::size_first || body_bytes_ != 0; }
  [[nodiscard]] std::uint64_t body_bytes() const { return body_bytes_; }
  [[nodiscard]] HttpAnomalySet anomalies() const { return anomalies_; }
  void reset() { *this = {}; }

 private:
  enum class State : std::uint8_t {
    size_first,
    size,
    size_space,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer_line,
    last_lf
  };
  // One byte of everything but data. False: it cannot be here.
  [[nodiscard]] bool step(char c, const HttpLimits& limits);
  void size_line_ended();

  State state_ = State::size_first;
  bool done_ = false;
  HttpAnomalySet anomalies_;
  std::uint64_t remaining_ = 0;  // of the chunk
  std::uint64_t body_bytes_ = 0;
  std::size_t line_bytes_ = 0;  // of the chunk line, then of the whole trailer section
};

}  // namespace tracer
