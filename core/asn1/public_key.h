// What a SubjectPublicKeyInfo or the AlgorithmIdentifier of a private key says: type, size, curve.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.h"

namespace tracer {

struct KeyFacts {
  std::string type;                   // "RSA", "EC", …; empty: not readable
  std::optional<std::uint32_t> bits;  // of an RSA modulus, of a prime, of a curve's field
  std::string curve;
};

// From the content of an AlgorithmIdentifier: the type, and what its parameters tell (the curve, the size of a DSA or
// DH prime). nullopt: no AlgorithmIdentifier.
[[nodiscard]] std::optional<KeyFacts> read_key_algorithm(Bytes algorithm_identifier);

// From a whole SubjectPublicKeyInfo, and nothing behind it.
[[nodiscard]] std::optional<KeyFacts> read_public_key(Bytes subject_public_key_info);

// Writes the DER of elements that this program puts together itself: public keys, to be hashed as certificates have
// them.
[[nodiscard]] std::vector<std::byte> der_encode(std::uint8_t identifier, std::initializer_list<Bytes> content);

// The SubjectPublicKeyInfo of an RSA key, of the contents of its two INTEGERs.
[[nodiscard]] std::vector<std::byte> rsa_public_key_info(Bytes modulus, Bytes exponent);
// Of a key that is an AlgorithmIdentifier (whole) and the bits of a BIT STRING.
[[nodiscard]] std::vector<std::byte> public_key_info(Bytes algorithm_identifier, Bytes bits);

}  // namespace tracer
