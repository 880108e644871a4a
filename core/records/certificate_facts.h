// What an X.509 certificate says (RFC 5280), as far as it matters for who uses which cryptography.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/records/flow_identity.h"

namespace tracer {

// Text is as in the certificate, in UTF-8 where its string type allows; sinks escape it. Empty: absent or unreadable.
struct CertificateFacts {
  std::string subject, issuer;     // RFC 4514: "CN=example.org,O=Example"
  std::string serial;              // lower-case hexadecimal, as in the certificate
  std::vector<std::string> names;  // subjectAltName: "DNS:example.org", "IP:192.0.2.1", "email:…", "URI:…"
  std::optional<WallTime> not_before, not_after;
  std::string key_type;                   // "RSA", "EC", "Ed25519", "ML-DSA-65", …; an unknown one as dotted OID
  std::optional<std::uint32_t> key_bits;  // of an RSA or DSA modulus, of a curve's field
  std::string curve;                      // "P-256", …; else dotted OID
  std::string signature_algorithm;        // "sha256WithRSAEncryption", …; an unknown one as dotted OID
  std::string sha256;                     // fingerprint: of the whole DER, lower-case hexadecimal
  std::string public_key_sha256;          // of the SubjectPublicKeyInfo
  bool self_issued = false;               // subject and issuer are equal
  std::optional<bool> is_ca;              // basicConstraints
  std::uint64_t names_left_out = 0;       // more than are listed
};

}  // namespace tracer
