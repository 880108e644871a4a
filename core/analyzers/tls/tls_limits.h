// Every limit of the TLS analyzer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tracer {

struct TlsLimits {
  std::size_t message_bytes_max =
      256 * 1024;                     // of one handshake message; a longer one ends the record of its handshake
  std::size_t certificates_max = 64;  // of one side
  std::size_t alerts_max = 16;        // of one side
  // Event time that is left for the other stream to come after a fatal alert. Several times what a stream waits for
  // late bytes.
  std::uint64_t alert_wait_ns = 250'000'000;
};

}  // namespace tracer
