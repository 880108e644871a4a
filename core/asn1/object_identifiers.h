// Names of the object identifiers that say which algorithm, in the spelling of the standards that gave them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.h"

namespace tracer {

// All take the content of an OBJECT IDENTIFIER and fall back on its dotted form.

// "RSA", "EC", "Ed25519", "ML-DSA-65", …
[[nodiscard]] std::string key_type_name(Bytes oid);
// "sha256WithRSAEncryption", "ecdsa-with-SHA256", "Ed25519", …
[[nodiscard]] std::string signature_algorithm_name(Bytes oid);

struct CurveName {
  std::string name;                   // "P-256", "secp256k1", …
  std::optional<std::uint32_t> bits;  // of its field
};
[[nodiscard]] CurveName curve_name(Bytes oid);
// By the name that OpenSSH and JWK use ("nistp256", "P-256"), of what curve_name() knows.
[[nodiscard]] CurveName curve_of_short_name(std::string_view name);
// Attribute types of distinguished names (RFC 4514 section 3 and the LDAP registry); empty: none.
[[nodiscard]] std::string_view attribute_name(Bytes oid);

// Bits of keys whose type fixes them, of the field of their curve: Ed25519, X448, …
[[nodiscard]] std::optional<std::uint32_t> fixed_key_bits(std::string_view key_type);

}  // namespace tracer
