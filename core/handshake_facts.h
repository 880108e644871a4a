// What a transaction inside of TLS says of its protection: taken from the handshake on the wire, or missing.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "core/records/http_transaction.h"
#include "core/records/tls_handshake.h"

namespace tracer {

struct HandshakeFacts {
  std::shared_ptr<const HttpTls> tls = std::make_shared<const HttpTls>();
  // What `tls` lacks and there may have been: without a handshake, all.
  std::vector<std::string_view> missing{"tls.version", "tls.cipher_suite", "tls.group", "tls.sni", "tls.alpn"};
  bool failed = false;  // nothing was ever sent under its protection
};

[[nodiscard]] HandshakeFacts facts_of(const TlsHandshake& handshake);

}  // namespace tracer
