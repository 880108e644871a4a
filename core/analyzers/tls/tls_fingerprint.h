// Fingerprints of hellos. GREASE is left out everywhere, so that one program has one.
#pragma once

#include <string>

#include "core/analyzers/tls/tls_messages.h"

namespace tracer {

// What is hashed: "771,4865-4866,0-11-10,29-23,0". Empty: an SSLv2-compatible hello, for which none of them is defined.
[[nodiscard]] std::string ja3_text(const ClientHello& hello);
[[nodiscard]] std::string ja3s_text(const ServerHello& hello);
// MD5 of it, in hexadecimal.
[[nodiscard]] std::string ja3(const ClientHello& hello);
[[nodiscard]] std::string ja3s(const ServerHello& hello);
// "t13d1516h2_8daaf6152771_e5627efa2ab1": TLS over TCP, whole version, kind of SNI, counts and ALPN; then the first
// twelve digits of the SHA-256 of the suites, and of the extensions with the signature algorithms.
[[nodiscard]] std::string ja4(const ClientHello& hello);

}  // namespace tracer
