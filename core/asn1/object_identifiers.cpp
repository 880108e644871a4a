#include "core/asn1/object_identifiers.h"

#include <algorithm>
#include <array>
#include <span>

#include "core/asn1/der.h"

namespace tracer {

namespace {

struct Row {
  std::string_view oid, name;
};

// RFC 3279, 4055, 5480, 8410; ML-DSA, ML-KEM and SLH-DSA as NIST registered them (RFC 9881, 9909, 9935).
constexpr Row key_types[] = {
    {"1.2.840.113549.1.1.1", "RSA"},
    {"1.2.840.113549.1.1.7", "RSA-OAEP"},
    {"1.2.840.113549.1.1.10", "RSA-PSS"},
    {"1.2.840.10040.4.1", "DSA"},
    {"1.2.840.10045.2.1", "EC"},
    {"1.3.132.1.12", "EC"},  // id-ecDH
    {"1.2.840.113549.1.3.1", "DH"},
    {"1.2.840.10046.2.1", "DH"},  // X9.42
    {"1.3.101.110", "X25519"},
    {"1.3.101.111", "X448"},
    {"1.3.101.112", "Ed25519"},
    {"1.3.101.113", "Ed448"},
    {"2.16.840.1.101.3.4.3.17", "ML-DSA-44"},
    {"2.16.840.1.101.3.4.3.18", "ML-DSA-65"},
    {"2.16.840.1.101.3.4.3.19", "ML-DSA-87"},
    {"2.16.840.1.101.3.4.3.20", "SLH-DSA-SHA2-128s"},
    {"2.16.840.1.101.3.4.3.21", "SLH-DSA-SHA2-128f"},
    {"2.16.840.1.101.3.4.3.22", "SLH-DSA-SHA2-192s"},
    {"2.16.840.1.101.3.4.3.23", "SLH-DSA-SHA2-192f"},
    {"2.16.840.1.101.3.4.3.24", "SLH-DSA-SHA2-256s"},
    {"2.16.840.1.101.3.4.3.25", "SLH-DSA-SHA2-256f"},
    {"2.16.840.1.101.3.4.3.26", "SLH-DSA-SHAKE-128s"},
    {"2.16.840.1.101.3.4.3.27", "SLH-DSA-SHAKE-128f"},
    {"2.16.840.1.101.3.4.3.28", "SLH-DSA-SHAKE-192s"},
    {"2.16.840.1.101.3.4.3.29", "SLH-DSA-SHAKE-192f"},
    {"2.16.840.1.101.3.4.3.30", "SLH-DSA-SHAKE-256s"},
    {"2.16.840.1.101.3.4.3.31", "SLH-DSA-SHAKE-256f"},
    {"2.16.840.1.101.3.4.3.32", "HashML-DSA-44-SHA512"},
    {"2.16.840.1.101.3.4.3.33", "HashML-DSA-65-SHA512"},
    {"2.16.840.1.101.3.4.3.34", "HashML-DSA-87-SHA512"},
    {"2.16.840.1.101.3.4.4.1", "ML-KEM-512"},
    {"2.16.840.1.101.3.4.4.2", "ML-KEM-768"},
    {"2.16.840.1.101.3.4.4.3", "ML-KEM-1024"},
    {"1.2.840.113549.1.9.16.3.17", "HSS/LMS"},
    {"1.3.6.1.5.5.7.6.34", "XMSS"},
    {"1.3.6.1.5.5.7.6.35", "XMSS-MT"},
    {"1.2.643.2.2.19", "GOST R 34.10-2001"},
    {"1.2.643.7.1.1.1.1", "GOST R 34.10-2012-256"},
    {"1.2.643.7.1.1.1.2", "GOST R 34.10-2012-512"},
};

constexpr Row signature_algorithms[] = {
    {"1.2.840.113549.1.1.2", "md2WithRSAEncryption"},
    {"1.2.840.113549.1.1.3", "md4WithRSAEncryption"},
    {"1.2.840.113549.1.1.4", "md5WithRSAEncryption"},
    {"1.2.840.113549.1.1.5", "sha1WithRSAEncryption"},
    {"1.3.14.3.2.29", "sha1WithRSAEncryption"},  // the same, as OIW registered it
    {"1.3.14.3.2.3", "md5WithRSAEncryption"},
    {"1.2.840.113549.1.1.10", "rsassaPss"},
    {"1.2.840.113549.1.1.11", "sha256WithRSAEncryption"},
    {"1.2.840.113549.1.1.12", "sha384WithRSAEncryption"},
    {"1.2.840.113549.1.1.13", "sha512WithRSAEncryption"},
    {"1.2.840.113549.1.1.14", "sha224WithRSAEncryption"},
    {"1.2.840.113549.1.1.15", "sha512-224WithRSAEncryption"},
    {"1.2.840.113549.1.1.16", "sha512-256WithRSAEncryption"},
    {"2.16.840.1.101.3.4.3.13", "sha3-224WithRSAEncryption"},
    {"2.16.840.1.101.3.4.3.14", "sha3-256WithRSAEncryption"},
    {"2.16.840.1.101.3.4.3.15", "sha3-384WithRSAEncryption"},
    {"2.16.840.1.101.3.4.3.16", "sha3-512WithRSAEncryption"},
    {"1.2.840.10040.4.3", "dsa-with-SHA1"},
    {"2.16.840.1.101.3.4.3.1", "dsa-with-SHA224"},
    {"2.16.840.1.101.3.4.3.2", "dsa-with-SHA256"},
    {"2.16.840.1.101.3.4.3.3", "dsa-with-SHA384"},
    {"2.16.840.1.101.3.4.3.4", "dsa-with-SHA512"},
    {"1.2.840.10045.4.1", "ecdsa-with-SHA1"},
    {"1.2.840.10045.4.3.1", "ecdsa-with-SHA224"},
    {"1.2.840.10045.4.3.2", "ecdsa-with-SHA256"},
    {"1.2.840.10045.4.3.3", "ecdsa-with-SHA384"},
    {"1.2.840.10045.4.3.4", "ecdsa-with-SHA512"},
    {"2.16.840.1.101.3.4.3.9", "ecdsa-with-SHA3-224"},
    {"2.16.840.1.101.3.4.3.10", "ecdsa-with-SHA3-256"},
    {"2.16.840.1.101.3.4.3.11", "ecdsa-with-SHA3-384"},
    {"2.16.840.1.101.3.4.3.12", "ecdsa-with-SHA3-512"},
    {"1.2.156.10197.1.501", "SM2-with-SM3"},
    {"1.2.643.7.1.1.3.2", "GOST R 34.10-2012 with GOST R 34.11-2012 (256 bit)"},
    {"1.2.643.7.1.1.3.3", "GOST R 34.10-2012 with GOST R 34.11-2012 (512 bit)"},
};

struct Curve {
  std::string_view oid, name, openssh;
  std::uint32_t bits;
};
constexpr Curve curves[] = {
    {"1.2.840.10045.3.1.7", "P-256", "nistp256", 256},
    {"1.3.132.0.34", "P-384", "nistp384", 384},
    {"1.3.132.0.35", "P-521", "nistp521", 521},
    {"1.3.132.0.33", "P-224", "", 224},
    {"1.2.840.10045.3.1.1", "P-192", "", 192},
    {"1.3.132.0.10", "secp256k1", "", 256},
    {"1.3.132.0.8", "secp160r1", "", 160},
    {"1.3.132.0.31", "secp192k1", "", 192},
    {"1.3.132.0.32", "secp224k1", "", 224},
    {"1.3.132.0.1", "sect163k1", "", 163},
    {"1.3.132.0.15", "sect163r2", "", 163},
    {"1.3.132.0.26", "sect233k1", "", 233},
    {"1.3.132.0.27", "sect233r1", "", 233},
    {"1.3.132.0.16", "sect283k1", "", 283},
    {"1.3.132.0.17", "sect283r1", "", 283},
    {"1.3.132.0.36", "sect409k1", "", 409},
    {"1.3.132.0.37", "sect409r1", "", 409},
    {"1.3.132.0.38", "sect571k1", "", 571},
    {"1.3.132.0.39", "sect571r1", "", 571},
    {"1.3.36.3.3.2.8.1.1.3", "brainpoolP192r1", "", 192},
    {"1.3.36.3.3.2.8.1.1.5", "brainpoolP224r1", "", 224},
    {"1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1", "", 256},
    {"1.3.36.3.3.2.8.1.1.9", "brainpoolP320r1", "", 320},
    {"1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1", "", 384},
    {"1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1", "", 512},
    {"1.2.156.10197.1.301", "SM2", "", 256},
};

// Short names as in RFC 4514, and as `openssl x509 -nameopt RFC2253` writes the others.
constexpr Row attributes[] = {
    {"2.5.4.3", "CN"},
    {"2.5.4.4", "SN"},
    {"2.5.4.5", "serialNumber"},
    {"2.5.4.6", "C"},
    {"2.5.4.7", "L"},
    {"2.5.4.8", "ST"},
    {"2.5.4.9", "STREET"},
    {"2.5.4.10", "O"},
    {"2.5.4.11", "OU"},
    {"2.5.4.12", "title"},
    {"2.5.4.13", "description"},
    {"2.5.4.15", "businessCategory"},
    {"2.5.4.17", "postalCode"},
    {"2.5.4.41", "name"},
    {"2.5.4.42", "GN"},
    {"2.5.4.43", "initials"},
    {"2.5.4.44", "generationQualifier"},
    {"2.5.4.46", "dnQualifier"},
    {"2.5.4.65", "pseudonym"},
    {"2.5.4.97", "organizationIdentifier"},
    {"0.9.2342.19200300.100.1.1", "UID"},
    {"0.9.2342.19200300.100.1.25", "DC"},
    {"1.2.840.113549.1.9.1", "emailAddress"},
    {"1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL"},
    {"1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST"},
    {"1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"},
};

std::string_view find(std::span<const Row> rows, std::string_view oid) {
  const auto row = std::ranges::find(rows, oid, &Row::oid);
  return row == rows.end() ? std::string_view() : row->name;
}

std::string name_or_dotted(std::span<const Row> rows, std::string dotted) {
  const std::string_view name = find(rows, dotted);
  return name.empty() ? dotted : std::string(name);
}

}  // namespace

std::string key_type_name(Bytes oid) { return name_or_dotted(key_types, dotted_oid(oid)); }

std::string signature_algorithm_name(Bytes oid) {
  std::string dotted = dotted_oid(oid);
  if (const std::string_view name = find(signature_algorithms, dotted); !name.empty()) return std::string(name);
  return name_or_dotted(key_types, std::move(dotted));  // those that are signed with as they are: Ed25519, ML-DSA, …
}

CurveName curve_name(Bytes oid) {
  std::string dotted = dotted_oid(oid);
  const auto curve = std::ranges::find(curves, std::string_view(dotted), &Curve::oid);
  if (curve == std::ranges::end(curves)) return {std::move(dotted), {}};
  return {std::string(curve->name), curve->bits};
}

CurveName curve_of_short_name(std::string_view name) {
  const auto curve = std::ranges::find_if(
      curves, [&](const Curve& c) { return !name.empty() && (c.name == name || c.openssh == name); });
  if (curve == std::ranges::end(curves)) return {};
  return {std::string(curve->name), curve->bits};
}

std::string_view attribute_name(Bytes oid) { return find(attributes, dotted_oid(oid)); }

std::optional<std::uint32_t> fixed_key_bits(std::string_view key_type) {
  if (key_type == "Ed25519" || key_type == "X25519") return 255;
  if (key_type == "Ed448" || key_type == "X448") return 448;
  return std::nullopt;
}

}  // namespace tracer
