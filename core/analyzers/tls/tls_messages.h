// The messages of a TLS handshake that are sent in clear, from their bytes: pure functions over one whole message, as
// RFC 8446 section 4, RFC 5246 section 7.4 and RFC 6101 (SSL 3.0) lay it out.
//
// Each takes the body of the message, without the four bytes of its header. nullopt: it does not follow its format, of
// which every length is checked against what it lies in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"

namespace tracer {

enum class HandshakeType : std::uint8_t {
  hello_request = 0,
  client_hello = 1,
  server_hello = 2,
  new_session_ticket = 4,
  certificate = 11,
  server_key_exchange = 12,
  certificate_request = 13,
  server_hello_done = 14,
  certificate_verify = 15,
  client_key_exchange = 16,
  finished = 20,
  certificate_status = 22,
};

struct ClientHello {
  bool sslv2_format = false;  // RFC 5246 appendix E.2: no extensions, and suites of three bytes
  std::uint16_t legacy_version = 0;
  std::vector<std::byte> session_id;
  std::vector<std::uint16_t> suites;
  std::vector<std::uint32_t> sslv2_suites;  // those of SSL 2.0 alone
  std::vector<std::uint16_t> extensions;    // their types, in order
  // Empty or absent: no such extension.
  std::optional<std::string> server_name;
  std::vector<std::string> alpn;
  std::vector<std::uint16_t> versions, groups, key_shares, schemes;
  std::vector<std::uint8_t> point_formats;
  std::vector<std::uint32_t> psk_ages;  // obfuscated ticket age of each pre-shared key
  bool has_ticket = false;              // of an earlier session, up to TLS 1.2

  [[nodiscard]] bool has(std::uint16_t extension) const;
};

struct ServerHello {
  bool is_retry_request = false;
  std::uint16_t legacy_version = 0;
  std::optional<std::uint16_t> selected_version;  // supported_versions
  std::vector<std::byte> session_id;
  std::uint16_t suite = 0;
  std::vector<std::uint16_t> extensions;
  std::optional<std::uint16_t> group;         // key_share
  std::optional<std::uint16_t> psk_identity;  // the chosen one, by its index
  std::optional<std::string> alpn;
  bool certificates_are_x509 = true;  // RFC 7250: it may have chosen raw public keys

  [[nodiscard]] std::uint16_t version() const { return selected_version.value_or(legacy_version); }
  [[nodiscard]] bool has(std::uint16_t extension) const;
};

// What the server signs for its key exchange, up to TLS 1.2.
struct ServerKeyExchange {
  std::optional<std::uint16_t> group;       // a named one
  std::optional<std::uint32_t> prime_bits;  // of a finite field
  std::optional<std::uint16_t> scheme;      // said from TLS 1.2 on
  bool is_signed = false;
};

struct CertificateRequest {
  std::vector<std::uint16_t> schemes;  // from TLS 1.2 on
  std::size_t authorities = 0;
};

struct NewSessionTicket {
  std::uint32_t lifetime_s = 0;
  Bytes ticket;
};

struct Alert {
  bool fatal = false;
  std::uint8_t description = 0;
};

namespace tls_extension {
inline constexpr std::uint16_t server_name = 0, supported_groups = 10, ec_point_formats = 11, signature_algorithms = 13,
                               alpn = 16, client_certificate_type = 19, server_certificate_type = 20,
                               session_ticket = 35, pre_shared_key = 41, early_data = 42, supported_versions = 43,
                               cert_with_extern_psk = 33, key_share = 51, encrypted_client_hello = 0xfe0d;
}  // namespace tls_extension

[[nodiscard]] std::optional<ClientHello> parse_client_hello(Bytes body);
// The message of an SSLv2 record: behind its two bytes of length.
[[nodiscard]] std::optional<ClientHello> parse_sslv2_client_hello(Bytes message);
[[nodiscard]] std::optional<ServerHello> parse_server_hello(Bytes body);
// Up to TLS 1.2. Each is the DER of one certificate; the leaf first.
[[nodiscard]] std::optional<std::vector<Bytes>> parse_certificate_list(Bytes body);
// By what the suite agrees on keys with; nullopt also where that is not known here.
[[nodiscard]] std::optional<ServerKeyExchange> parse_server_key_exchange(Bytes body, std::uint16_t version,
                                                                         std::uint16_t suite);
[[nodiscard]] std::optional<CertificateRequest> parse_certificate_request(Bytes body, std::uint16_t version);
[[nodiscard]] std::optional<NewSessionTicket> parse_new_session_ticket(Bytes body);
// Two bytes.
[[nodiscard]] std::optional<Alert> parse_alert(Bytes bytes);

}  // namespace tracer
