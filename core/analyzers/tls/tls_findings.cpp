#include "core/analyzers/tls/tls_findings.h"

#include <algorithm>

#include "core/analyzers/tls/tls_names.h"

namespace tracer {

namespace {

constexpr std::uint32_t modulus_bits_min = 2048;

void add(TlsHandshake& handshake, std::string_view finding, bool is_so) {
  if (is_so && std::ranges::find(handshake.findings, finding) == handshake.findings.end())
    handshake.findings.push_back(finding);
}

void judge_version(std::uint16_t version, TlsHandshake& handshake) {
  add(handshake, "ssl3", version == tls::ssl3);
  add(handshake, "tls1_0", version == tls::tls1_0);
  add(handshake, "tls1_1", version == tls::tls1_1);
}

void judge_suite(std::uint16_t suite, TlsHandshake& handshake) {
  const std::string_view name = known_suite(suite);
  const auto has = [name](std::string_view part) { return name.find(part) != std::string_view::npos; };
  const bool integrity_only = suite == 0xc0b4 || suite == 0xc0b5;  // RFC 9150
  add(handshake, "rc4", has("_RC4_"));
  add(handshake, "3des", has("_3DES_"));
  add(handshake, "des", has("_DES_") || has("_DES40_"));
  add(handshake, "rc2", has("_RC2_"));
  add(handshake, "export", has("_EXPORT"));
  add(handshake, "null_cipher", has("_NULL_") || integrity_only);
  add(handshake, "anonymous", has("_anon_"));
}

bool contains_caseless(std::string_view text, std::string_view lower_case) {
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; };
  return !std::ranges::search(text, lower_case, same).empty();
}

// Nobody relies on the signature of a root that comes along.
void judge_certificates(const std::vector<CertificateFacts>& certificates, TlsHandshake& handshake) {
  for (const CertificateFacts& each : certificates) {
    add(handshake, "rsa_under_2048", each.key_type == "RSA" && each.key_bits && *each.key_bits < modulus_bits_min);
    if (each.self_issued && &each != &certificates.front()) continue;
    const std::string_view signature = each.signature_algorithm;
    add(handshake, "md5_signature", contains_caseless(signature, "md5"));
    add(handshake, "sha1_signature", contains_caseless(signature, "sha1") || contains_caseless(signature, "sha-1"));
  }
}

}  // namespace

void find_weaknesses(const TlsSeen& seen, TlsHandshake& handshake) {
  add(handshake, "sslv2_hello", seen.client_hello && seen.client_hello->sslv2_format);
  if (seen.server_hello) {
    judge_version(seen.server_hello->version(), handshake);
    judge_suite(seen.server_hello->suite, handshake);
  }
  if (seen.key_exchange) {
    const std::uint16_t scheme = seen.key_exchange->scheme.value_or(0);
    constexpr unsigned md5 = 1, sha1 = 2;  // RFC 5246 section 7.4.1.4.1
    add(handshake, "md5_signature", scheme >> 8 == md5);
    add(handshake, "sha1_signature", scheme >> 8 == sha1);
    add(handshake, "dh_under_2048", seen.key_exchange->prime_bits && *seen.key_exchange->prime_bits < modulus_bits_min);
  }
  judge_certificates(handshake.certificates, handshake);
  judge_certificates(handshake.client_certificates, handshake);
}

}  // namespace tracer
