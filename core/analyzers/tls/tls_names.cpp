#include "core/analyzers/tls/tls_names.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

namespace tracer {

namespace {

template <typename Value>
struct Named {
  Value value;
  std::string_view name;
};

constexpr Named<std::uint16_t> groups[] = {
    {0x0001, "sect163k1"},
    {0x0002, "sect163r1"},
    {0x0003, "sect163r2"},
    {0x0004, "sect193r1"},
    {0x0005, "sect193r2"},
    {0x0006, "sect233k1"},
    {0x0007, "sect233r1"},
    {0x0008, "sect239k1"},
    {0x0009, "sect283k1"},
    {0x000a, "sect283r1"},
    {0x000b, "sect409k1"},
    {0x000c, "sect409r1"},
    {0x000d, "sect571k1"},
    {0x000e, "sect571r1"},
    {0x000f, "secp160k1"},
    {0x0010, "secp160r1"},
    {0x0011, "secp160r2"},
    {0x0012, "secp192k1"},
    {0x0013, "secp192r1"},
    {0x0014, "secp224k1"},
    {0x0015, "secp224r1"},
    {0x0016, "secp256k1"},
    {0x0017, "secp256r1"},
    {0x0018, "secp384r1"},
    {0x0019, "secp521r1"},
    {0x001a, "brainpoolP256r1"},
    {0x001b, "brainpoolP384r1"},
    {0x001c, "brainpoolP512r1"},
    {0x001d, "x25519"},
    {0x001e, "x448"},
    {0x001f, "brainpoolP256r1tls13"},
    {0x0020, "brainpoolP384r1tls13"},
    {0x0021, "brainpoolP512r1tls13"},
    {0x0022, "GC256A"},
    {0x0023, "GC256B"},
    {0x0024, "GC256C"},
    {0x0025, "GC256D"},
    {0x0026, "GC512A"},
    {0x0027, "GC512B"},
    {0x0028, "GC512C"},
    {0x0029, "curveSM2"},
    {0x0100, "ffdhe2048"},
    {0x0101, "ffdhe3072"},
    {0x0102, "ffdhe4096"},
    {0x0103, "ffdhe6144"},
    {0x0104, "ffdhe8192"},
    {0x0200, "MLKEM512"},
    {0x0201, "MLKEM768"},
    {0x0202, "MLKEM1024"},
    {0x11eb, "SecP256r1MLKEM768"},
    {0x11ec, "X25519MLKEM768"},
    {0x11ed, "SecP384r1MLKEM1024"},
    {0x11ee, "curveSM2MLKEM768"},
    {0x6399, "X25519Kyber768Draft00"},
    {0x639a, "SecP256r1Kyber768Draft00"},
    {0xff01, "arbitrary_explicit_prime_curves"},
    {0xff02, "arbitrary_explicit_char2_curves"},
};

constexpr Named<std::uint16_t> schemes[] = {
    {0x0401, "rsa_pkcs1_sha256"},
    {0x0403, "ecdsa_secp256r1_sha256"},
    {0x0420, "rsa_pkcs1_sha256_legacy"},
    {0x0501, "rsa_pkcs1_sha384"},
    {0x0503, "ecdsa_secp384r1_sha384"},
    {0x0520, "rsa_pkcs1_sha384_legacy"},
    {0x0601, "rsa_pkcs1_sha512"},
    {0x0603, "ecdsa_secp521r1_sha512"},
    {0x0620, "rsa_pkcs1_sha512_legacy"},
    {0x0704, "eccsi_sha256"},
    {0x0705, "iso_ibs1"},
    {0x0706, "iso_ibs2"},
    {0x0707, "iso_chinese_ibs"},
    {0x0708, "sm2sig_sm3"},
    {0x0709, "gostr34102012_256a"},
    {0x070a, "gostr34102012_256b"},
    {0x070b, "gostr34102012_256c"},
    {0x070c, "gostr34102012_256d"},
    {0x070d, "gostr34102012_512a"},
    {0x070e, "gostr34102012_512b"},
    {0x070f, "gostr34102012_512c"},
    {0x0804, "rsa_pss_rsae_sha256"},
    {0x0805, "rsa_pss_rsae_sha384"},
    {0x0806, "rsa_pss_rsae_sha512"},
    {0x0807, "ed25519"},
    {0x0808, "ed448"},
    {0x0809, "rsa_pss_pss_sha256"},
    {0x080a, "rsa_pss_pss_sha384"},
    {0x080b, "rsa_pss_pss_sha512"},
    {0x081a, "ecdsa_brainpoolP256r1tls13_sha256"},
    {0x081b, "ecdsa_brainpoolP384r1tls13_sha384"},
    {0x081c, "ecdsa_brainpoolP512r1tls13_sha512"},
    {0x0904, "mldsa44"},
    {0x0905, "mldsa65"},
    {0x0906, "mldsa87"},
};

constexpr Named<std::uint16_t> versions[] = {
    {tls::ssl2, "SSL 2.0"},   {tls::ssl3, "SSL 3.0"},   {tls::tls1_0, "TLS 1.0"},
    {tls::tls1_1, "TLS 1.1"}, {tls::tls1_2, "TLS 1.2"}, {tls::tls1_3, "TLS 1.3"},
};

constexpr Named<std::uint8_t> alerts[] = {
    {0, "close_notify"},
    {1, "end_of_early_data"},
    {10, "unexpected_message"},
    {20, "bad_record_mac"},
    {21, "decryption_failed"},
    {22, "record_overflow"},
    {30, "decompression_failure"},
    {40, "handshake_failure"},
    {41, "no_certificate"},
    {42, "bad_certificate"},
    {43, "unsupported_certificate"},
    {44, "certificate_revoked"},
    {45, "certificate_expired"},
    {46, "certificate_unknown"},
    {47, "illegal_parameter"},
    {48, "unknown_ca"},
    {49, "access_denied"},
    {50, "decode_error"},
    {51, "decrypt_error"},
    {52, "too_many_cids_requested"},
    {60, "export_restriction"},
    {70, "protocol_version"},
    {71, "insufficient_security"},
    {80, "internal_error"},
    {86, "inappropriate_fallback"},
    {90, "user_canceled"},
    {100, "no_renegotiation"},
    {109, "missing_extension"},
    {110, "unsupported_extension"},
    {111, "certificate_unobtainable"},
    {112, "unrecognized_name"},
    {113, "bad_certificate_status_response"},
    {114, "bad_certificate_hash_value"},
    {115, "unknown_psk_identity"},
    {116, "certificate_required"},
    {117, "general_error"},
    {120, "no_application_protocol"},
    {121, "ech_required"},
};

static_assert(std::ranges::is_sorted(groups, {}, &Named<std::uint16_t>::value));
static_assert(std::ranges::is_sorted(schemes, {}, &Named<std::uint16_t>::value));
static_assert(std::ranges::is_sorted(alerts, {}, &Named<std::uint8_t>::value));

template <typename Value>
std::string_view find(std::span<const Named<Value>> rows, Value value) {
  const auto row = std::ranges::lower_bound(rows, value, {}, &Named<Value>::value);
  return row != rows.end() && row->value == value ? row->name : std::string_view();
}

std::string name_or_number(std::string_view name, std::uint16_t value) {
  if (!name.empty()) return std::string(name);
  return is_grease(value) ? "GREASE" : hex_number(value);
}

// RFC 5246 section 7.4.1.4.1.
std::string pair_name(std::uint16_t scheme) {
  constexpr std::string_view hashes[] = {"", "md5", "sha1", "sha224", "sha256", "sha384", "sha512"};
  constexpr std::string_view signatures[] = {"", "rsa_pkcs1", "dsa", "ecdsa"};
  const std::size_t hash = scheme >> 8, signature = scheme & 0xff;
  if (hash == 0 || hash >= std::size(hashes) || signature == 0 || signature >= std::size(signatures)) return {};
  return std::string(signatures[signature]) + "_" + std::string(hashes[hash]);
}

}  // namespace

std::string hex_number(std::uint32_t value, unsigned digits) {
  std::string text = "0x";
  while (digits-- != 0) text += "0123456789abcdef"[(value >> (4 * digits)) & 15U];
  return text;
}

std::string suite_name(std::uint16_t suite) { return name_or_number(known_suite(suite), suite); }

std::string group_name(std::uint16_t group) { return name_or_number(find<std::uint16_t>(groups, group), group); }

std::string scheme_name(std::uint16_t scheme) {
  const std::string_view name = find<std::uint16_t>(schemes, scheme);
  if (!name.empty()) return std::string(name);
  return name_or_number(pair_name(scheme), scheme);
}

std::string version_name(std::uint16_t version) {
  return name_or_number(find<std::uint16_t>(versions, version), version);
}

std::string_view alert_name(std::uint8_t description) {
  const std::string_view name = find<std::uint8_t>(alerts, description);
  return name.empty() ? "unassigned" : name;
}

bool is_post_quantum(std::uint16_t group) {
  switch (group) {
    case 0x0200:  // ML-KEM alone
    case 0x0201:
    case 0x0202:
    case 0x11eb:  // with an elliptic curve
    case 0x11ec:
    case 0x11ed:
    case 0x6399:  // Kyber, as it was before its standard
    case 0x639a:
      return true;
    default:
      return false;
  }
}

}  // namespace tracer
