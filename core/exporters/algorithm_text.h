// Reading names of algorithms that are made of parts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tracer {

// Letters and digits only, in lower case: "SHA2-256" and "sha2_256" are the same.
[[nodiscard]] std::string squeeze(std::string_view name);

// Whether one of the words that '_' separates is `word`.
[[nodiscard]] bool has_word(std::string_view text, std::string_view word);

struct CipherName {
  std::string name;  // "AES-256-GCM"
  std::string family;
  std::string_view primitive, mode;
  unsigned key_bits = 0;       // 0: not in the name, nor fixed
  unsigned strength_bits = 0;  // 0: not known
};

// A block cipher, with size and mode as far as they are named: "AES-256-GCM", "id-aes256-GCM", "3DES_EDE_CBC".
[[nodiscard]] std::optional<CipherName> parse_cipher(std::string_view name);

}  // namespace tracer
