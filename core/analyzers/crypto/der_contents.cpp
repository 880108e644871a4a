#include "core/analyzers/crypto/der_contents.h"

#include <array>

#include "core/analyzers/crypto/pkcs12.h"
#include "core/asn1/der.h"
#include "core/asn1/digest.h"

namespace tracer {

namespace {

constexpr std::string_view signed_data_oid = "1.2.840.113549.1.7.2";
constexpr std::uint32_t rsa_bits_min = 256;  // what is shorter is no modulus

struct RsaNumbers {
  Bytes modulus, exponent;
};

KeyFacts rsa_facts(const RsaNumbers& numbers) { return {"RSA", integer_bits(numbers.modulus), {}}; }

std::string rsa_hash(const RsaNumbers& numbers) {
  return sha256_hex(rsa_public_key_info(numbers.modulus, numbers.exponent));
}

// RSAPrivateKey: of its nine numbers the first three are read (version, modulus, public exponent).
std::optional<RsaNumbers> read_rsa_private_key(Bytes der) {
  const auto key = der_only(der, der::sequence);
  if (!key) return std::nullopt;
  DerReader reader(key->content);
  const auto version = reader.next(der::integer);
  const auto modulus = reader.next(der::integer);
  const auto exponent = reader.next(der::integer);
  if (!version || !modulus || !exponent || small_integer(version->content).value_or(9) > 1) return std::nullopt;
  std::size_t private_numbers = 0;
  while (reader.next(der::integer)) ++private_numbers;
  if (private_numbers != 6 || (!reader.at_end() && !reader.next(der::sequence)) || !reader.at_end())
    return std::nullopt;
  if (integer_bits(modulus->content).value_or(0) < rsa_bits_min) return std::nullopt;
  return RsaNumbers{modulus->content, exponent->content};
}

// What ECPrivateKey has beside the private value.
struct EcParts {
  std::optional<DerElement> curve;  // the OBJECT IDENTIFIER
  std::optional<Bytes> point;       // of the public key
};

std::optional<EcParts> read_ec_private_key(Bytes der) {
  const auto key = der_only(der, der::sequence);
  if (!key) return std::nullopt;
  DerReader reader(key->content);
  const auto version = reader.next(der::integer);
  if (!version || small_integer(version->content) != 1U) return std::nullopt;
  if (!reader.next(der::octet_string)) return std::nullopt;  // stepped over
  EcParts parts;
  if (const auto parameters = reader.next(der::context_constructed(0))) {
    DerReader inside(parameters->content);
    parts.curve = inside.next(der::oid);
  }
  if (const auto public_part = reader.next(der::context_constructed(1))) {
    const auto bits = der_only(public_part->content, der::bit_string);
    if (bits && bits->content.size() > 1) parts.point = bits->content.subspan(1);
  }
  if (!reader.at_end()) return std::nullopt;
  return parts;
}

std::vector<std::byte> ec_algorithm(Bytes curve_oid) {
  constexpr std::array<std::uint8_t, 9> ec_public_key{0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
  return der_encode(der::sequence, {std::as_bytes(std::span(ec_public_key)), curve_oid});
}

bool known_key_type(const KeyFacts& key) { return !key.type.empty() && (key.type[0] < '0' || key.type[0] > '9'); }

FileAsset plain_asset(std::string_view type, const FoundAs& found) {
  FileAsset asset;
  asset.type = type;
  asset.format = found.format;
  asset.evidence = {EvidenceKind::bytes, found.evidence, {}};
  return asset;
}

// SEQUENCE { SEQUENCE, AlgorithmIdentifier, BIT STRING }: the content of the first.
std::optional<Bytes> signed_content(Bytes der) {
  const auto whole = der_only(der, der::sequence);
  if (!whole) return std::nullopt;
  DerReader reader(whole->content);
  const auto content = reader.next(der::sequence);
  if (!content || !reader.next(der::sequence) || !reader.next(der::bit_string) || !reader.at_end()) return std::nullopt;
  return content->content;
}

// Encryption of private keys: PKCS#5 and PKCS#12.
bool is_password_encryption(std::string_view oid) {
  return oid.starts_with("1.2.840.113549.1.5.") || oid.starts_with("1.2.840.113549.1.12.1.");
}

}  // namespace

bool add_certificate_request(Bytes der, const FoundAs& found, AssetList& assets) {
  const auto content = signed_content(der);
  if (!content) return false;
  DerReader reader(*content);
  const auto version = reader.next(der::integer);
  const auto subject = reader.next(der::sequence);
  const auto key = reader.next(der::sequence);
  if (!version || !subject || !key) return false;
  const auto facts = read_public_key(key->whole);
  if (!facts) return false;
  assets.add_key("certificate_request", *facts, found, {}, sha256_hex(key->whole));
  return true;
}

bool add_crl(Bytes der, const FoundAs& found, AssetList& assets) {
  const auto content = signed_content(der);
  if (!content) return false;
  DerReader reader(*content);
  (void)reader.next(der::integer);  // version
  const auto algorithm = reader.next(der::sequence);
  const auto issuer = reader.next(der::sequence);
  const auto this_update = reader.next();
  if (!algorithm || !issuer || !this_update) return false;
  if (this_update->identifier != der::utc_time && this_update->identifier != der::generalized_time) return false;
  assets.add(plain_asset("crl", found));
  return true;
}

bool add_pkcs7(Bytes der, const FoundAs& found, AssetList& assets) {
  const auto info = der_only(der, der::sequence);
  if (!info) return false;
  DerReader outer(info->content);
  const auto type = outer.next(der::oid);
  const auto content = outer.next(der::context_constructed(0));
  if (!type || !content || dotted_oid(type->content) != signed_data_oid) return false;
  const auto signed_data = der_only(content->content, der::sequence);
  if (!signed_data) return false;
  DerReader reader(signed_data->content);
  if (!reader.next(der::integer) || !reader.next(der::set) || !reader.next(der::sequence)) return false;
  bool any = false;
  if (const auto certificates = reader.next(der::context_constructed(0))) {
    DerReader list(certificates->content);
    while (const auto one = list.next()) any = assets.add_certificate(one->whole, found) || any;
  }
  if (const auto lists = reader.next(der::context_constructed(1))) {
    DerReader list(lists->content);
    while (const auto one = list.next()) any = add_crl(one->whole, found, assets) || any;
  }
  return any;
}

bool add_private_key_info(Bytes der, const FoundAs& found, AssetList& assets) {
  const auto info = der_only(der, der::sequence);
  if (!info) return false;
  DerReader reader(info->content);
  const auto version = reader.next(der::integer);
  const auto algorithm = reader.next(der::sequence);
  const auto key = reader.next(der::octet_string);
  if (!version || !algorithm || !key || small_integer(version->content).value_or(9) > 1) return false;
  auto facts = read_key_algorithm(algorithm->content);
  if (!facts) return false;
  std::string hash;
  if (facts->type == "RSA" || facts->type == "RSA-PSS") {
    if (const auto numbers = read_rsa_private_key(key->content)) {
      facts->bits = rsa_facts(*numbers).bits;
      if (facts->type == "RSA") hash = rsa_hash(*numbers);
    }
  } else if (facts->type == "EC") {
    const auto parts = read_ec_private_key(key->content);
    if (parts && parts->point) hash = sha256_hex(public_key_info(algorithm->whole, *parts->point));
  }
  (void)reader.next(der::context_constructed(0));  // attributes
  if (const auto public_key = reader.next(der::context(1)); public_key && public_key->content.size() > 1)
    hash = sha256_hex(public_key_info(algorithm->whole, public_key->content.subspan(1)));
  if (!reader.at_end()) return false;
  assets.add_key("private_key", *facts, found, false, std::move(hash));
  return true;
}

bool add_encrypted_private_key_info(Bytes der, const FoundAs& found, AssetList& assets) {
  const auto info = der_only(der, der::sequence);
  if (!info) return false;
  DerReader reader(info->content);
  const auto algorithm = reader.next(der::sequence);
  const auto key = reader.next(der::octet_string);
  if (!algorithm || !key || !reader.at_end()) return false;
  DerReader inside(algorithm->content);
  const auto oid = inside.next(der::oid);
  if (!oid || !is_password_encryption(dotted_oid(oid->content))) return false;
  assets.add_key("private_key", {}, found, true);
  return true;
}

bool add_rsa_private_key(Bytes der, const FoundAs& found, AssetList& assets) {
  const auto numbers = read_rsa_private_key(der);
  if (!numbers) return false;
  assets.add_key("private_key", rsa_facts(*numbers), found, false, rsa_hash(*numbers));
  return true;
}

bool add_ec_private_key(Bytes der, const FoundAs& found, AssetList& assets) {
  const auto parts = read_ec_private_key(der);
  if (!parts) return false;
  KeyFacts facts{"EC", {}, {}};
  std::string hash;
  if (parts->curve) {
    const std::vector<std::byte> algorithm = ec_algorithm(parts->curve->whole);
    const auto sequence = der_only(algorithm, der::sequence);
    if (const auto known = sequence ? read_key_algorithm(sequence->content) : std::nullopt) facts = *known;
    if (parts->point) hash = sha256_hex(public_key_info(algorithm, *parts->point));
  }
  assets.add_key("private_key", facts, found, false, std::move(hash));
  return true;
}

bool add_dsa_private_key(Bytes der, const FoundAs& found, AssetList& assets) {
  const auto key = der_only(der, der::sequence);
  if (!key) return false;
  DerReader reader(key->content);
  const auto version = reader.next(der::integer);
  const auto prime = reader.next(der::integer);
  std::size_t others = 0;
  while (reader.next(der::integer)) ++others;
  if (!version || !prime || others != 4 || !reader.at_end() || small_integer(version->content) != 0U) return false;
  assets.add_key("private_key", {"DSA", integer_bits(prime->content), {}}, found, false);
  return true;
}

bool add_public_key_info(Bytes der, const FoundAs& found, AssetList& assets) {
  const auto facts = read_public_key(der);
  if (!facts) return false;
  assets.add_key("public_key", *facts, found, {}, sha256_hex(der));
  return true;
}

bool add_rsa_public_key(Bytes der, const FoundAs& found, AssetList& assets) {
  const auto key = der_only(der, der::sequence);
  if (!key) return false;
  DerReader reader(key->content);
  const auto modulus = reader.next(der::integer);
  const auto exponent = reader.next(der::integer);
  if (!modulus || !exponent || !reader.at_end()) return false;
  const RsaNumbers numbers{modulus->content, exponent->content};
  if (integer_bits(numbers.modulus).value_or(0) < rsa_bits_min) return false;
  assets.add_key("public_key", rsa_facts(numbers), found, {}, rsa_hash(numbers));
  return true;
}

bool add_parameters(Bytes der, std::string_view algorithm, const FoundAs& found, AssetList& assets) {
  KeyFacts facts{std::string(algorithm), {}, {}};
  if (algorithm == "EC") {
    const auto curve = der_only(der, der::oid);
    if (curve) {
      const std::vector<std::byte> identifier = ec_algorithm(curve->whole);
      const auto sequence = der_only(identifier, der::sequence);
      if (const auto known = sequence ? read_key_algorithm(sequence->content) : std::nullopt) facts = *known;
    } else if (!der_only(der, der::sequence)) {
      return false;
    }
  } else {
    const auto sequence = der_only(der, der::sequence);
    if (!sequence) return false;
    DerReader reader(sequence->content);
    const auto prime = reader.next(der::integer);
    if (!prime || !reader.next(der::integer)) return false;
    facts.bits = integer_bits(prime->content);
  }
  assets.add_key("parameters", facts, found);
  return true;
}

bool add_any_der(Bytes der, AssetList& assets) {
  const auto header = read_der_header(der);
  if (!header || header->identifier != der::sequence) return add_ber_pkcs12(der, assets);
  if (!der_only(der, der::sequence)) return false;
  if (assets.add_certificate(der, {"DER", "DER certificate (RFC 5280)"})) return true;
  if (add_pkcs12(der, assets)) return true;
  if (add_pkcs7(der, {"PKCS#7", "DER signed data (RFC 5652)"}, assets)) return true;
  if (add_certificate_request(der, {"DER", "DER certification request (RFC 2986)"}, assets)) return true;
  if (add_crl(der, {"DER", "DER certificate list (RFC 5280)"}, assets)) return true;
  if (add_private_key_info(der, {"DER", "DER PrivateKeyInfo (RFC 5958)"}, assets)) return true;
  if (add_encrypted_private_key_info(der, {"DER", "DER EncryptedPrivateKeyInfo (RFC 5958)"}, assets)) return true;
  if (add_rsa_private_key(der, {"DER", "DER RSAPrivateKey (RFC 8017)"}, assets)) return true;
  if (const auto parts = read_ec_private_key(der); parts && parts->curve)
    return add_ec_private_key(der, {"DER", "DER ECPrivateKey (RFC 5915)"}, assets);
  if (const auto facts = read_public_key(der); facts && known_key_type(*facts))
    return add_public_key_info(der, {"DER", "DER SubjectPublicKeyInfo (RFC 5280)"}, assets);
  return false;
}

}  // namespace tracer
