// TLS handshakes to be said again, byte for byte, so that a machine without any TLS library has some too.
#pragma once

#include <span>
#include <string_view>

namespace tracer::workload {

struct Flight {
  bool by_client;
  std::string_view hexadecimal;
};

struct RecordedHandshake {
  std::string_view name;
  std::span<const Flight> flights;
  std::string_view fields;  // of the record, a JSON object
};

[[nodiscard]] std::span<const RecordedHandshake> recorded_handshakes();
// The server's certificate in them, and its key.
extern const std::string_view certificate_pem, private_key_pem;

}  // namespace tracer::workload
