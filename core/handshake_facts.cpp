#include "core/handshake_facts.h"

#include <algorithm>

namespace tracer {

HandshakeFacts facts_of(const TlsHandshake& handshake) {
  HandshakeFacts facts;
  facts.tls = std::make_shared<const HttpTls>(
      HttpTls{handshake.version, handshake.cipher_suite, handshake.group, handshake.sni, handshake.alpn});
  facts.missing.clear();
  const auto lacks = [&](bool it, std::string_view name) {
    if (it) facts.missing.push_back(name);
  };
  lacks(!handshake.version, "tls.version");
  lacks(!handshake.cipher_suite, "tls.cipher_suite");
  // Up to TLS 1.2 the group comes in a message of its own; without one there is none (RSA, pre-shared keys).
  lacks(!handshake.group && !(handshake.server_hello && handshake.complete), "tls.group");
  lacks(!handshake.sni && !handshake.client_hello, "tls.sni");
  // The choice is encrypted since TLS 1.3 (RFC 8446 section 4.3.1), but who offers nothing gets nothing.
  const bool none_offered = handshake.client_hello && handshake.alpn_offered.empty();
  const bool choice_in_clear = handshake.server_hello && handshake.version && *handshake.version != "TLS 1.3";
  lacks(!handshake.alpn && !none_offered && !choice_in_clear, "tls.alpn");
  facts.failed = !handshake.complete ||
                 std::ranges::any_of(handshake.alerts, [](const TlsAlert& alert) { return alert.level == "fatal"; });
  return facts;
}

}  // namespace tracer
