#include "core/asn1/public_key.h"

#include <array>

#include "core/asn1/der.h"
#include "core/asn1/object_identifiers.h"

namespace tracer {

namespace {

// Explicit parameters of a curve without a name (RFC 3279 section 2.3.5): the size of its prime field.
std::optional<std::uint32_t> explicit_field_bits(Bytes parameters) {
  DerReader reader(parameters);
  const auto version = reader.next(der::integer);
  const auto field = reader.next(der::sequence);
  if (!version || !field) return std::nullopt;
  DerReader inside(field->content);
  const auto type = inside.next(der::oid);
  const auto prime = inside.next(der::integer);
  if (!type || !prime || dotted_oid(type->content) != "1.2.840.10045.1.1") return std::nullopt;
  return integer_bits(prime->content);
}

void read_curve(DerReader& parameters, KeyFacts& facts) {
  if (const auto name = parameters.next(der::oid)) {
    CurveName curve = curve_name(name->content);
    facts.curve = std::move(curve.name);
    facts.bits = curve.bits;
  } else if (const auto explicit_curve = parameters.next(der::sequence)) {
    facts.bits = explicit_field_bits(explicit_curve->content);
  }
}

// Of an RSAPublicKey; the modulus is the first of the two.
std::optional<std::uint32_t> modulus_bits(Bytes bits) {
  const auto key = der_only(bits, der::sequence);
  if (!key) return std::nullopt;
  DerReader inside(key->content);
  const auto modulus = inside.next(der::integer);
  return modulus ? integer_bits(modulus->content) : std::nullopt;
}

}  // namespace

std::optional<KeyFacts> read_key_algorithm(Bytes algorithm_identifier) {
  DerReader reader(algorithm_identifier);
  const auto algorithm = reader.next(der::oid);
  if (!algorithm) return std::nullopt;
  KeyFacts facts;
  facts.type = key_type_name(algorithm->content);
  if (facts.type.empty()) return std::nullopt;
  facts.bits = fixed_key_bits(facts.type);
  if (facts.type == "EC") {
    read_curve(reader, facts);
  } else if (facts.type == "DSA" || facts.type == "DH") {
    if (const auto parameters = reader.next(der::sequence)) {
      DerReader inside(parameters->content);
      if (const auto prime = inside.next(der::integer)) facts.bits = integer_bits(prime->content);
    }
  }
  return facts;
}

std::optional<KeyFacts> read_public_key(Bytes subject_public_key_info) {
  const auto info = der_only(subject_public_key_info, der::sequence);
  if (!info) return std::nullopt;
  DerReader reader(info->content);
  const auto algorithm = reader.next(der::sequence);
  const auto key = reader.next(der::bit_string);
  if (!algorithm || !key || !reader.at_end() || key->content.empty()) return std::nullopt;
  auto facts = read_key_algorithm(algorithm->content);
  if (facts && facts->type.starts_with("RSA")) facts->bits = modulus_bits(key->content.subspan(1));
  return facts;
}

std::vector<std::byte> der_encode(std::uint8_t identifier, std::initializer_list<Bytes> content) {
  std::size_t size = 0;
  for (const Bytes part : content) size += part.size();
  std::vector<std::byte> out{std::byte{identifier}};
  if (size < 0x80) {
    out.push_back(static_cast<std::byte>(size));
  } else {
    unsigned octets = 1;
    while (size >> (8 * octets) != 0) ++octets;
    out.push_back(static_cast<std::byte>(0x80 | octets));
    while (octets-- > 0) out.push_back(static_cast<std::byte>(size >> (8 * octets)));
  }
  for (const Bytes part : content) out.insert(out.end(), part.begin(), part.end());
  return out;
}

std::vector<std::byte> rsa_public_key_info(Bytes modulus, Bytes exponent) {
  constexpr std::array<std::uint8_t, 15> rsa_encryption{0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                                        0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
  const auto key =
      der_encode(der::sequence, {der_encode(der::integer, {modulus}), der_encode(der::integer, {exponent})});
  return public_key_info(std::as_bytes(std::span(rsa_encryption)), key);
}

std::vector<std::byte> public_key_info(Bytes algorithm_identifier, Bytes bits) {
  constexpr std::array<std::byte, 1> no_unused_bits{};
  const auto key = der_encode(der::bit_string, {no_unused_bits, bits});
  return der_encode(der::sequence, {algorithm_identifier, key});
}

}  // namespace tracer
