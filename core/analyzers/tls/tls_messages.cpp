#include "core/analyzers/tls/tls_messages.h"
#include "core/analyzers/tls/tls_extensions.h"

#include <algorithm>
#include <array>

#include "core/analyzers/tls/tls_names.h"
#include "core/analyzers/tls/wire_reader.h"

namespace tracer {

namespace {

// SHA-256 of "HelloRetryRequest": the random of a ServerHello that is one (RFC 8446 section 4.1.3).
constexpr std::array<std::uint8_t, 32> retry_random = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                                       0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                                       0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

bool read_extension(std::uint16_t type, Bytes content, ServerHello& hello) {
  WireReader in(content);
  switch (type) {
    case tls_extension::supported_versions:
      hello.selected_version = in.u16();
      break;
    case tls_extension::key_share:
      hello.group = in.u16();
      if (!hello.is_retry_request) (void)in.vector16();
      break;
    case tls_extension::pre_shared_key:
      hello.psk_identity = in.u16();
      break;
    case tls_extension::alpn: {
      WireReader list(in.vector16());
      hello.alpn = std::string(as_text(list.vector8()));
      if (!list.ok() || !list.at_end()) return false;
      break;
    }
    case tls_extension::server_certificate_type:
      hello.certificates_are_x509 = in.u8() == 0;
      break;
    default:
      return true;
  }
  return in.ok() && in.at_end();
}

// What a suite agrees on keys with: between "TLS_" and "_WITH_" in its name.
std::string_view key_exchange_of(std::uint16_t suite) {
  std::string_view name = known_suite(suite);
  const std::size_t end = name.find("_WITH_");
  return end == std::string_view::npos ? std::string_view() : name.substr(4, end - 4);
}

std::optional<std::uint32_t> bits_of(Bytes number) {
  const auto first = std::ranges::find_if(number, [](std::byte each) { return each != std::byte{0}; });
  if (first == number.end()) return std::nullopt;
  std::uint32_t bits = 8 * static_cast<std::uint32_t>(number.end() - first - 1);
  for (auto top = std::to_integer<unsigned>(*first); top != 0; top >>= 1U) ++bits;
  return bits;
}

}  // namespace

bool ServerHello::has(std::uint16_t extension) const {
  return std::ranges::find(extensions, extension) != extensions.end();
}

std::optional<ServerHello> parse_server_hello(Bytes body) {
  WireReader in(body);
  ServerHello hello;
  hello.legacy_version = in.u16();
  const Bytes random = in.bytes(retry_random.size());
  hello.is_retry_request = std::ranges::equal(random, std::as_bytes(std::span(retry_random)));
  // Drafts of TLS 1.3 before the 22nd have neither a session nor a compression here.
  const bool early_draft = hello.legacy_version >> 8 == 0x7f;
  const Bytes session_id = early_draft ? Bytes{} : in.vector8();
  hello.session_id.assign(session_id.begin(), session_id.end());
  hello.suite = in.u16();
  if (!early_draft) (void)in.u8();
  const bool plausible = (early_draft || hello.legacy_version >> 8 == 3) && session_id.size() <= 32;
  if (!in.ok() || !plausible) return std::nullopt;
  if (in.at_end()) return hello;
  if (!read_extensions(in, hello, read_extension)) return std::nullopt;
  return hello;
}

std::optional<std::vector<Bytes>> parse_certificate_list(Bytes body) {
  WireReader in(body);
  WireReader list(in.vector24());
  std::vector<Bytes> certificates;
  while (!list.at_end() && list.ok()) certificates.push_back(list.vector24());
  if (!in.ok() || !in.at_end() || !list.ok()) return std::nullopt;
  return certificates;
}

std::optional<ServerKeyExchange> parse_server_key_exchange(Bytes body, std::uint16_t version, std::uint16_t suite) {
  const std::string_view how = key_exchange_of(suite);
  const bool with_psk = how.find("PSK") != std::string_view::npos;
  const bool anonymous = how.find("anon") != std::string_view::npos;
  WireReader in(body);
  ServerKeyExchange exchange;
  if (with_psk) (void)in.vector16();  // identity hint
  if (how.starts_with("ECDHE_") || how.starts_with("ECDH_anon")) {
    constexpr std::uint8_t named_curve = 3;
    if (in.u8() != named_curve) return std::nullopt;
    exchange.group = in.u16();
    (void)in.vector8();
  } else if (how.starts_with("DHE_") || how.starts_with("DH_anon") || how == "PSK_DHE") {
    exchange.prime_bits = bits_of(in.vector16());
    (void)in.vector16();
    (void)in.vector16();
  } else if (how.starts_with("RSA_EXPORT")) {
    (void)in.vector16();
    (void)in.vector16();
  } else if (!with_psk) {
    return std::nullopt;
  }
  exchange.is_signed = !with_psk && !anonymous;
  if (exchange.is_signed) {
    if (version >= tls::tls1_2) exchange.scheme = in.u16();
    (void)in.vector16();
  }
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return exchange;
}

std::optional<CertificateRequest> parse_certificate_request(Bytes body, std::uint16_t version) {
  WireReader in(body);
  CertificateRequest request;
  (void)in.vector8();  // certificate types
  if (version >= tls::tls1_2) request.schemes = in.numbers(in.vector16());
  WireReader authorities(in.vector16());
  for (; !authorities.at_end() && authorities.ok(); ++request.authorities) (void)authorities.vector16();
  if (!in.ok() || !in.at_end() || !authorities.ok()) return std::nullopt;
  return request;
}

std::optional<NewSessionTicket> parse_new_session_ticket(Bytes body) {
  WireReader in(body);
  NewSessionTicket ticket;
  ticket.lifetime_s = in.u32();
  ticket.ticket = in.vector16();
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return ticket;
}

std::optional<Alert> parse_alert(Bytes bytes) {
  WireReader in(bytes);
  const std::uint8_t level = in.u8();
  const std::uint8_t description = in.u8();
  if (!in.ok() || !in.at_end() || level < 1 || level > 2) return std::nullopt;
  return Alert{level == 2, description};
}

}  // namespace tracer
