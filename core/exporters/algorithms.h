// Names of algorithms, however libraries, certificates and TLS spell them, and what is certain of each.
//
// Levels are given where a standard says them: NIST SP 800-57 part 1 (table 2) and FIPS 203 to 205; else they are
// absent. Level 0 of resistance to quantum computers: broken by Shor's algorithm.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tracer {

struct AlgorithmFacts {
  std::string name;                         // one spelling for all: "AES-256-GCM", "SHA-256", "RSA-2048", "X25519"
  std::string_view primitive = "unknown";   // as CycloneDX 1.6 has it
  std::string parameter_set;                // "256", "ML-KEM-768"
  std::string curve;                        // as in the list of standard curves: "nist/P-256"
  std::string_view mode, padding;           // empty: none
  std::vector<std::string_view> functions;  // "encrypt", …
  std::optional<unsigned> classical_bits, quantum_level;
  std::vector<AlgorithmFacts> parts;  // it is made of these
};

// A name as libraries take it: "SHA2-256", "id-aes256-GCM", "DES-EDE3-CBC", "X25519MLKEM768". One that is not known
// keeps its spelling and has no properties.
[[nodiscard]] AlgorithmFacts algorithm_of_name(std::string_view name);

// A TLS group: "x25519", "secp256r1", "ffdhe2048".
[[nodiscard]] AlgorithmFacts algorithm_of_group(std::string_view group);

// A TLS signature scheme or an X.509 signature algorithm: "rsa_pss_rsae_sha256", "sha256WithRSAEncryption".
[[nodiscard]] AlgorithmFacts algorithm_of_signature(std::string_view signature);

[[nodiscard]] AlgorithmFacts algorithm_of_key(std::string_view type, std::optional<std::uint32_t> bits,
                                              std::string_view curve);

// What a TLS cipher suite names. Key exchange and authentication are told in general only ("ECDH", "RSA"), and left out
// where the caller knows the very group or signature algorithm.
struct SuiteQuestion {
  std::string_view suite;  // "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
  bool group_known = false, signature_known = false;
};
[[nodiscard]] std::vector<AlgorithmFacts> algorithms_of_suite(const SuiteQuestion& question);

}  // namespace tracer
