#include "core/analyzers/tls/tls_seen.h"

#include <algorithm>
#include <utility>

#include "core/analyzers/tls/tls_findings.h"
#include "core/analyzers/tls/tls_fingerprint.h"
#include "core/analyzers/tls/tls_names.h"

namespace tracer {

namespace {

template <typename Name>
std::vector<std::string> names_of(const std::vector<std::uint16_t>& values, Name name) {
  std::vector<std::string> names;
  names.reserve(values.size());
  for (const std::uint16_t value : values) names.push_back(name(value));
  return names;
}

void prove(TlsHandshake& handshake, std::string detail) {
  handshake.evidence.push_back({EvidenceKind::handshake_field, std::move(detail), {}});
}

std::string hex_list(const std::vector<std::uint16_t>& values) {
  std::string text;
  for (const std::uint16_t value : values) text += " " + hex_number(value);
  return text;
}

void describe_client_hello(const ClientHello& hello, TlsHandshake& handshake) {
  handshake.client_hello = true;
  handshake.sni = hello.server_name;
  handshake.alpn_offered = hello.alpn;
  const std::vector<std::uint16_t> versions =
      hello.versions.empty() ? std::vector{hello.legacy_version} : hello.versions;
  handshake.versions_offered = names_of(versions, version_name);
  handshake.cipher_suites_offered = names_of(hello.suites, suite_name);
  for (const std::uint32_t suite : hello.sslv2_suites) handshake.cipher_suites_offered.push_back(hex_number(suite, 6));
  handshake.groups_offered = names_of(hello.groups, group_name);
  handshake.key_shares_offered = names_of(hello.key_shares, group_name);
  handshake.signature_algorithms_offered = names_of(hello.schemes, scheme_name);
  handshake.session_ticket_offered = hello.has_ticket;
  handshake.psk_offered = hello.has(tls_extension::pre_shared_key);
  handshake.early_data_offered = hello.has(tls_extension::early_data);
  handshake.ech_offered = hello.has(tls_extension::encrypted_client_hello);
  handshake.ja3 = ja3(hello);
  handshake.ja4 = ja4(hello);
  std::vector<std::uint16_t> quantum_safe;
  std::ranges::copy_if(hello.groups, std::back_inserter(quantum_safe), is_post_quantum);
  handshake.post_quantum = quantum_safe.empty() ? PostQuantum::none : PostQuantum::offered;
  prove(handshake, (hello.sslv2_format ? "SSLv2 ClientHello.version " : "ClientHello.version ") +
                       hex_number(hello.legacy_version));
  if (hello.server_name) prove(handshake, "ClientHello.server_name");
  if (!quantum_safe.empty()) prove(handshake, "ClientHello.supported_groups" + hex_list(quantum_safe));
}

void describe_server_hello(const ServerHello& hello, TlsHandshake& handshake) {
  handshake.server_hello = true;
  handshake.version = version_name(hello.version());
  handshake.cipher_suite = suite_name(hello.suite);
  handshake.ja3s = ja3s(hello);
  handshake.alpn = hello.alpn;
  prove(handshake, (hello.selected_version ? "ServerHello.supported_versions " : "ServerHello.version ") +
                       hex_number(hello.version()));
  prove(handshake, "ServerHello.cipher_suite " + hex_number(hello.suite));
  if (hello.group) {
    handshake.group = group_name(*hello.group);
    prove(handshake, "ServerHello.key_share " + hex_number(*hello.group));
  }
  if (hello.alpn) prove(handshake, "ServerHello.application_layer_protocol_negotiation");
}

void describe_key_exchange(const ServerKeyExchange& exchange, TlsHandshake& handshake) {
  if (exchange.group) {
    handshake.group = group_name(*exchange.group);
    prove(handshake, "ServerKeyExchange.named_curve " + hex_number(*exchange.group));
  }
  if (exchange.prime_bits) prove(handshake, "ServerKeyExchange.dh_p " + std::to_string(*exchange.prime_bits) + " bits");
  if (exchange.scheme) {
    handshake.signature_algorithm = scheme_name(*exchange.scheme);
    prove(handshake, "ServerKeyExchange.signature_algorithm " + hex_number(*exchange.scheme));
  }
}

// An external key is offered with an age of 0 (RFC 8446 section 4.2.11), and so is a ticket, once in 2^32 times.
std::optional<bool> resumed_by_psk(const TlsSeen& seen) {
  const auto& identity = seen.server_hello->psk_identity;
  if (!identity) return false;
  if (*identity >= seen.psk_ages.size() || seen.psk_ages[*identity] == 0) return std::nullopt;
  return true;
}

// RFC 5246 section 7.3: an abbreviated handshake has no ServerHelloDone. While that is still open, the echo of the
// client's session says it.
std::optional<bool> resumed_by_session(const TlsSeen& seen) {
  if (seen.server_hello_done || seen.server.certificates_seen || seen.key_exchange) return false;
  if (seen.server.whole) return true;
  if (!seen.client_hello) return std::nullopt;
  const auto& session = seen.client_hello->session_id;
  if (!session.empty() && session == seen.server_hello->session_id) return true;
  return std::nullopt;
}

void describe_resumption(const TlsSeen& seen, TlsHandshake& handshake) {
  handshake.resumed = seen.encrypts_its_handshake() ? resumed_by_psk(seen) : resumed_by_session(seen);
  if (!handshake.resumed.value_or(false)) return;
  if (seen.encrypts_its_handshake())
    prove(handshake, "ServerHello.pre_shared_key " + std::to_string(*seen.server_hello->psk_identity));
  else if (seen.server.whole)
    prove(handshake, "ServerHello followed by ChangeCipherSpec");
  else
    prove(handshake, "ServerHello.session_id equals ClientHello.session_id");
}

// What is encrypted in this version, or was not seen: it is not known whether there is any.
void describe_what_is_known(const TlsSeen& seen, Record& record, TlsHandshake& handshake) {
  const auto miss = [&](std::string_view field) { record.missing.push_back(field); };
  if (!seen.server_hello) return;
  const ServerHello& hello = *seen.server_hello;
  if (seen.encrypts_its_handshake()) {
    // With a pre-shared key nobody shows a certificate, unless this extension says otherwise (RFC 8773).
    const bool by_psk_alone = hello.psk_identity && !hello.has(tls_extension::cert_with_extern_psk);
    handshake.certificates_known = handshake.client_certificates_known = by_psk_alone;
    if (by_psk_alone) handshake.client_certificate_requested = false;
    if (!by_psk_alone) miss("signature_algorithm");
    if (seen.client_hello && !seen.client_hello->alpn.empty()) miss("alpn");
    if (!seen.client_hello) miss("alpn");
    return;
  }
  const bool server_whole = seen.server.whole || seen.server_hello_done;
  handshake.certificates_known = (seen.server.certificates_seen || server_whole) && hello.certificates_are_x509;
  handshake.client_certificates_known = seen.client.certificates_seen || seen.client.whole;
  if (seen.certificate_requested || server_whole) handshake.client_certificate_requested = seen.certificate_requested;
  if (seen.session_ticket || seen.server.whole) handshake.session_ticket_issued = seen.session_ticket;
  const bool ephemeral = known_suite(hello.suite).find("DHE_") != std::string_view::npos;
  if (ephemeral && !seen.key_exchange && !server_whole) {
    miss("group");
    miss("signature_algorithm");
  }
}

// Of both sides, in order of time.
std::vector<TlsAlert> alerts_of(const TlsSeen& seen) {
  const auto &by_client = seen.client.alerts, &by_server = seen.server.alerts;
  std::vector<TlsAlert> alerts;
  for (std::size_t c = 0, s = 0; c < by_client.size() || s < by_server.size();) {
    const bool from_client = s == by_server.size() || (c < by_client.size() && by_client[c].at <= by_server[s].at);
    const Alert& next = from_client ? by_client[c++].alert : by_server[s++].alert;
    alerts.push_back(
        {from_client ? "client" : "server", next.fatal ? "fatal" : "warning", alert_name(next.description)});
  }
  return alerts;
}

void prove_certificates(const std::vector<CertificateFacts>& certificates, std::string_view from,
                        TlsHandshake& handshake) {
  for (std::size_t i = 0; i < certificates.size(); ++i)
    prove(handshake, std::string(from) + "Certificate[" + std::to_string(i) + "] sha256 " + certificates[i].sha256);
}

}  // namespace

bool TlsSeen::encrypts_its_handshake() const {
  return server_hello && tls::encrypts_its_handshake(server_hello->version());
}

bool TlsSeen::complete() const {
  if (!client_hello || !server_hello || (retry_request && !second_client_hello)) return false;
  if (fatal_alert()) return false;
  return encrypts_its_handshake() ? client.ciphertext || client.closed : client.whole && server.whole;
}

bool TlsSeen::fatal_alert() const {
  const auto fatal = [](const TimedAlert& each) { return each.alert.fatal; };
  return std::ranges::any_of(client.alerts, fatal) || std::ranges::any_of(server.alerts, fatal);
}

void describe(TlsSeen seen, std::string_view reason, Record& record) {
  auto& handshake = record.body.emplace<TlsHandshake>();
  handshake.complete = seen.complete();
  if (!handshake.complete) handshake.incomplete_reason = reason;
  if (seen.client_hello) describe_client_hello(*seen.client_hello, handshake);
  handshake.hello_retry_request = seen.retry_request.has_value();
  if (seen.retry_request)
    prove(handshake, "HelloRetryRequest" +
                         (seen.retry_request->group ? ".key_share " + hex_number(*seen.retry_request->group) : ""));
  if (seen.server_hello) {
    describe_server_hello(*seen.server_hello, handshake);
    describe_resumption(seen, handshake);
  }
  if (seen.key_exchange) describe_key_exchange(*seen.key_exchange, handshake);
  if (seen.server_hello && seen.server_hello->group && is_post_quantum(*seen.server_hello->group))
    handshake.post_quantum = PostQuantum::negotiated;
  handshake.certificates = std::move(seen.server.certificates);
  handshake.client_certificates = std::move(seen.client.certificates);
  handshake.alerts = alerts_of(seen);
  describe_what_is_known(seen, record, handshake);
  prove_certificates(handshake.certificates, "", handshake);
  prove_certificates(handshake.client_certificates, "client ", handshake);
  find_weaknesses(seen, handshake);
  // In TLS 1.3 a ChangeCipherSpec means nothing, and comes or not.
  if (seen.encrypts_its_handshake()) {
    for (TlsSeen::Flight* flight : {&seen.client, &seen.server}) {
      flight->end_offset = flight->hello_end_offset;
      flight->last_at = flight->hello_last_at;
    }
  }
  handshake.client_first_offset = seen.client.first_offset;
  handshake.client_end_offset = seen.client.end_offset;
  handshake.server_first_offset = seen.server.first_offset;
  handshake.server_end_offset = seen.server.end_offset;
  handshake.first_at = seen.client_hello ? seen.client.first_at : seen.server.first_at;
  handshake.last_at = std::max(seen.client.last_at, seen.server.last_at);
}

}  // namespace tracer
