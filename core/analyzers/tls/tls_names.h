// Names of what TLS numbers, as the IANA registries spell them. A value without a name reads "0x1234", a reserved one
// that only exercises extensibility (RFC 8701) "GREASE".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tracer {

[[nodiscard]] constexpr bool is_grease(std::uint16_t value) {
  return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

// "0x1301"
[[nodiscard]] std::string hex_number(std::uint32_t value, unsigned digits = 4);

[[nodiscard]] std::string suite_name(std::uint16_t suite);
[[nodiscard]] std::string group_name(std::uint16_t group);
// Pairs of hash and signature from before RFC 8446 that got no name there are written alike: "rsa_pkcs1_sha224".
[[nodiscard]] std::string scheme_name(std::uint16_t scheme);
// "TLS 1.2", "SSL 3.0"
[[nodiscard]] std::string version_name(std::uint16_t version);
// "handshake_failure"; one without a name is "unassigned".
[[nodiscard]] std::string_view alert_name(std::uint8_t description);

// Empty: it has no name.
[[nodiscard]] std::string_view known_suite(std::uint16_t suite);

// A group whose key exchange withstands quantum computers, by itself or beside an older one.
[[nodiscard]] bool is_post_quantum(std::uint16_t group);

namespace tls {
inline constexpr std::uint16_t ssl2 = 0x0002, ssl3 = 0x0300, tls1_0 = 0x0301, tls1_1 = 0x0302, tls1_2 = 0x0303,
                               tls1_3 = 0x0304;
// Drafts of TLS 1.3 behave like it.
[[nodiscard]] constexpr bool encrypts_its_handshake(std::uint16_t version) {
  return version == tls1_3 || version >> 8 == 0x7f;
}
}  // namespace tls

}  // namespace tracer
