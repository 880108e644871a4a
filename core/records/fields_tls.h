// Fields of TLS handshakes, and of certificates and evidence wherever they are.
#pragma once

#include "core/records/fields.h"
#include "core/records/fields_flow.h"
#include "core/records/tls_handshake.h"

namespace tracer {

template <>
struct FieldTable<Evidence> {
  static constexpr auto fields = std::tuple{
      field<"kind">(&Evidence::kind),
      field<"detail", Presence::always, Redaction::path>([](const Evidence& e) { return std::string_view(e.detail); }),
      field<"rule", Presence::optional>([](const Evidence& e) { return unless_empty(e.rule); }),
  };
};

template <>
struct FieldTable<CertificateFacts> {
  using C = CertificateFacts;
  static constexpr auto fields = std::tuple{
      field<"subject", Presence::optional>([](const C& c) { return unless_empty(c.subject); }),
      field<"issuer", Presence::optional>([](const C& c) { return unless_empty(c.issuer); }),
      field<"serial", Presence::optional>([](const C& c) { return unless_empty(c.serial); }),
      field<"names">([](const C& c) { return OwnedTextList{c.names}; }),
      field<"not_before", Presence::optional>(&C::not_before),
      field<"not_after", Presence::optional>(&C::not_after),
      field<"key_type", Presence::optional>([](const C& c) { return unless_empty(c.key_type); }),
      field<"key_bits", Presence::optional>(&C::key_bits),
      field<"curve", Presence::optional>([](const C& c) { return unless_empty(c.curve); }),
      field<"signature_algorithm", Presence::optional>([](const C& c) { return unless_empty(c.signature_algorithm); }),
      field<"sha256", Presence::optional>([](const C& c) { return unless_empty(c.sha256); }),
      field<"public_key_sha256", Presence::optional>([](const C& c) { return unless_empty(c.public_key_sha256); }),
      field<"self_issued">(&C::self_issued),
      field<"is_ca", Presence::optional>(&C::is_ca),
      field<"names_left_out", Presence::optional>([](const C& c) -> std::optional<std::uint64_t> {
        return c.names_left_out != 0 ? std::optional(c.names_left_out) : std::nullopt;
      }),
  };
};

template <>
struct FieldTable<TlsAlert> {
  static constexpr auto fields = std::tuple{
      field<"from">(&TlsAlert::from),
      field<"level">(&TlsAlert::level),
      field<"description">(&TlsAlert::description),
  };
};

namespace tls_fields {
// What only a ClientHello says is not known without one.
template <typename Value>
[[nodiscard]] constexpr std::optional<Value> offered(const TlsHandshake& t, Value value) {
  return t.client_hello ? std::optional(value) : std::nullopt;
}
[[nodiscard]] inline std::optional<OwnedTextList> offered_list(const TlsHandshake& t,
                                                               const std::vector<std::string>& list) {
  return offered(t, OwnedTextList{list});
}
[[nodiscard]] inline std::optional<std::span<const CertificateFacts>> shown(const std::vector<CertificateFacts>& list,
                                                                            bool known) {
  if (list.empty() && !known) return std::nullopt;
  return std::span<const CertificateFacts>(list);
}
}  // namespace tls_fields

template <>
struct FieldTable<TlsHandshake> {
  static constexpr std::string_view event_type = "tls_handshake";
  using T = TlsHandshake;
  static constexpr auto fields = std::tuple_cat(
      flow_fields<TlsHandshake>,
      std::tuple{
          field<"sni", Presence::optional>([](const T& t) { return optional_text(t.sni); }),
          field<"alpn", Presence::optional>([](const T& t) { return optional_text(t.alpn); }),
          field<"version", Presence::expected>([](const T& t) { return optional_text(t.version); }),
          field<"cipher_suite", Presence::expected>([](const T& t) { return optional_text(t.cipher_suite); }),
          field<"group", Presence::optional>([](const T& t) { return optional_text(t.group); }),
          field<"signature_algorithm", Presence::optional>(
              [](const T& t) { return optional_text(t.signature_algorithm); }),
          field<"resumed", Presence::optional>(&T::resumed),
          field<"post_quantum", Presence::expected>(&T::post_quantum),
          field<"findings">([](const T& t) { return TextList{t.findings}; }),
          field<"versions_offered", Presence::expected>(
              [](const T& t) { return tls_fields::offered_list(t, t.versions_offered); }),
          field<"cipher_suites_offered", Presence::expected>(
              [](const T& t) { return tls_fields::offered_list(t, t.cipher_suites_offered); }),
          field<"groups_offered", Presence::expected>(
              [](const T& t) { return tls_fields::offered_list(t, t.groups_offered); }),
          field<"key_shares_offered", Presence::expected>(
              [](const T& t) { return tls_fields::offered_list(t, t.key_shares_offered); }),
          field<"signature_algorithms_offered", Presence::expected>(
              [](const T& t) { return tls_fields::offered_list(t, t.signature_algorithms_offered); }),
          field<"alpn_offered", Presence::expected>(
              [](const T& t) { return tls_fields::offered_list(t, t.alpn_offered); }),
          field<"session_ticket_offered", Presence::expected>(
              [](const T& t) { return tls_fields::offered(t, t.session_ticket_offered); }),
          field<"psk_offered", Presence::expected>([](const T& t) { return tls_fields::offered(t, t.psk_offered); }),
          field<"early_data_offered", Presence::expected>(
              [](const T& t) { return tls_fields::offered(t, t.early_data_offered); }),
          field<"ech_offered", Presence::expected>([](const T& t) { return tls_fields::offered(t, t.ech_offered); }),
          field<"hello_retry_request", Presence::expected>([](const T& t) {
            return t.server_hello || t.hello_retry_request ? std::optional(t.hello_retry_request) : std::nullopt;
          }),
          field<"client_certificate_requested", Presence::expected>(&T::client_certificate_requested),
          field<"session_ticket_issued", Presence::optional>(&T::session_ticket_issued),
          field<"certificates", Presence::expected>(
              [](const T& t) { return tls_fields::shown(t.certificates, t.certificates_known); }),
          field<"client_certificates", Presence::expected>(
              [](const T& t) { return tls_fields::shown(t.client_certificates, t.client_certificates_known); }),
          field<"alerts">([](const T& t) { return std::span<const TlsAlert>(t.alerts); }),
          field<"ja3", Presence::optional>([](const T& t) { return unless_empty(t.ja3); }),
          field<"ja3s", Presence::optional>([](const T& t) { return unless_empty(t.ja3s); }),
          field<"ja4", Presence::optional>([](const T& t) { return unless_empty(t.ja4); }),
          field<"duration_ms", Presence::expected>(&T::duration_ms),
          field<"complete">(&T::complete),
          field<"incomplete_reason", Presence::optional>([](const T& t) { return unless_empty(t.incomplete_reason); }),
          field<"evidence">([](const T& t) { return std::span<const Evidence>(t.evidence); }),
      });
};

}  // namespace tracer
