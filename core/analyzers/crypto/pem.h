// Textual encodings (RFC 7468), with the headers of RFC 1421 and of OpenPGP armor (RFC 9580 section 6) where there are
// any.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "core/analyzers/crypto/secret_bytes.h"

namespace tracer {

// All borrowed from the text.
struct PemBlock {
  std::string_view label;     // "RSA PRIVATE KEY"
  std::string_view dek_info;  // the cipher that DEK-Info names: "AES-256-CBC"; empty: none
  bool encrypted = false;     // Proc-Type: 4,ENCRYPTED
  std::string_view body;      // base64, with its line ends
};

// Finds block after block. Text around them is passed over, as is what begins and does not end with the same label.
class PemReader {
 public:
  explicit PemReader(std::string_view text) : rest_(text) {}
  [[nodiscard]] std::optional<PemBlock> next();

 private:
  std::string_view rest_;
};

// RFC 4648 section 4, whitespace and line ends ignored, the checksum line of OpenPGP left out. At most `bytes_max`
// bytes, the rest is not decoded. nullopt: another character, or padding that is not at the end.
[[nodiscard]] std::optional<SecretBytes> decode_base64(std::string_view text, std::size_t bytes_max = SIZE_MAX);

}  // namespace tracer
