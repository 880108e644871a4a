// What a claim about cryptography rests on. No record or document claims any without it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tracer {

enum class EvidenceKind : std::uint8_t {
  bytes,            // read in a file: "PEM label CERTIFICATE"
  symbol,           // a function that was called, by its name in the library
  handshake_field,  // seen on the wire: "ServerHello.cipher_suite 0x1301"
  path_rule,        // nothing but the name of a file
};
[[nodiscard]] constexpr std::string_view to_string(EvidenceKind kind) {
  switch (kind) {
    case EvidenceKind::bytes:
      return "bytes";
    case EvidenceKind::symbol:
      return "symbol";
    case EvidenceKind::handshake_field:
      return "handshake_field";
    case EvidenceKind::path_rule:
      return "path_rule";
  }
  return "";
}

struct Evidence {
  EvidenceKind kind{};
  std::string detail;
  std::string rule;  // of the registry, by its id; empty: none
};

}  // namespace tracer
