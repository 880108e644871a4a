#include "core/asn1/digest.h"

// The low-level functions are deprecated since OpenSSL 3.0, and wanted: EVP would bring in the provider machinery,
// which is megabytes in a static program.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <array>
#include <cstdint>

namespace tracer {

std::string to_hex(Bytes bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<std::uint8_t>(byte);
    text += digits[value >> 4];
    text += digits[value & 15];
  }
  return text;
}

std::string sha256_hex(std::initializer_list<Bytes> parts) {
  SHA256_CTX context;
  SHA256_Init(&context);
  for (const Bytes part : parts) SHA256_Update(&context, part.data(), part.size());
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256_Final(digest.data(), &context);
  return to_hex(std::as_bytes(std::span(digest)));
}

}  // namespace tracer
