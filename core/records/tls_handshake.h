// One TLS handshake as the wire shows it (RFC 8446, RFC 5246, and what came before).
//
// Names of suites, versions, groups and signature schemes are those of the IANA registries; a value without one reads
// "0x1234", a reserved one that only exercises extensibility (RFC 8701) "GREASE".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/records/certificate_facts.h"
#include "core/records/evidence.h"
#include "core/records/flow_identity.h"

namespace tracer {

struct TlsAlert {
  std::string_view from;         // "client" or "server"
  std::string_view level;        // "warning", "fatal"
  std::string_view description;  // "handshake_failure", …
};

// How far the handshake went towards key exchange that withstands quantum computers.
enum class PostQuantum : std::uint8_t { none, offered, negotiated };
[[nodiscard]] constexpr std::string_view to_string(PostQuantum status) {
  switch (status) {
    case PostQuantum::none:
      return "none";
    case PostQuantum::offered:
      return "offered";
    case PostQuantum::negotiated:
      return "negotiated";
  }
  return "";
}

struct TlsHandshake {
  FlowIdentity flow;
  bool complete = false;               // both hellos were seen whole, and all that is in clear after them
  std::string_view incomplete_reason;  // static storage; empty when complete

  bool client_hello = false, server_hello = false;  // seen whole
  std::optional<std::string> sni, alpn;             // alpn: chosen, where that is in clear
  std::vector<std::string> alpn_offered;
  std::vector<std::string> versions_offered, cipher_suites_offered, groups_offered, key_shares_offered,
      signature_algorithms_offered;
  std::optional<std::string> version, cipher_suite, group, signature_algorithm;  // chosen
  std::optional<bool> resumed;                                                   // absent: the wire does not tell
  bool session_ticket_offered = false, psk_offered = false, early_data_offered = false;
  bool hello_retry_request = false;
  bool ech_offered = false;                                         // or its GREASE, which looks the same
  std::optional<bool> client_certificate_requested;                 // absent: encrypted, or not seen
  std::optional<bool> session_ticket_issued;                        // up to TLS 1.2; absent as above
  std::vector<CertificateFacts> certificates, client_certificates;  // in clear; the leaf first
  // All that this side showed is in its list; false: encrypted, or not seen.
  bool certificates_known = false, client_certificates_known = false;
  std::vector<TlsAlert> alerts;             // in clear
  std::string ja3, ja3s, ja4;               // empty: no such hello
  std::optional<PostQuantum> post_quantum;  // absent: the client's hello was not seen
  std::vector<std::string_view> findings;   // what is weak; static storage
  std::vector<Evidence> evidence;

  // Filled by the pipeline: first byte of the ClientHello to the last byte of the handshake in clear.
  std::optional<double> duration_ms;

  // Where what was seen of it lay in the two streams, and when its first and last byte were seen.
  std::uint64_t client_first_offset = 0, client_end_offset = 0, server_first_offset = 0, server_end_offset = 0;
  EventTime first_at, last_at;
};

// Adds what only the wall clock tells: certificates that were not valid at the time of the handshake.
void judge_validity(TlsHandshake& handshake, WallTime at);

}  // namespace tracer
