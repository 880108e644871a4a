// ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2 and appendix E.2).
#include <algorithm>

#include "core/analyzers/tls/tls_extensions.h"
#include "core/analyzers/tls/tls_messages.h"
#include "core/analyzers/tls/tls_names.h"
#include "core/analyzers/tls/wire_reader.h"

namespace tracer {

namespace {

// RFC 6066 section 3.
std::optional<std::string> server_name_of(WireReader& in) {
  WireReader list(in.vector16());
  std::optional<std::string> name;
  while (!list.at_end() && list.ok()) {
    const bool host = list.u8() == 0;
    if (!host) break;  // how other kinds are laid out is not said
    const Bytes text = list.vector16();
    if (!name) name = std::string(as_text(text));
  }
  if (!list.ok()) in.fail();
  return name && name->empty() ? std::nullopt : name;
}

// RFC 7301 section 3.1.
std::vector<std::string> protocols_of(WireReader& in) {
  std::vector<std::string> names;
  WireReader list(in.vector16());
  while (!list.at_end() && list.ok()) names.emplace_back(as_text(list.vector8()));
  if (!list.ok()) in.fail();
  return names;
}

std::vector<std::uint16_t> key_share_groups(WireReader& in) {
  std::vector<std::uint16_t> groups;
  WireReader list(in.vector16());
  while (!list.at_end() && list.ok()) {
    groups.push_back(list.u16());
    (void)list.vector16();
  }
  if (!list.ok()) in.fail();
  return groups;
}

std::vector<std::uint32_t> psk_ages_of(WireReader& in) {
  std::vector<std::uint32_t> ages;
  WireReader list(in.vector16());
  while (!list.at_end() && list.ok()) {
    (void)list.vector16();
    ages.push_back(list.u32());
  }
  if (!list.ok()) in.fail();
  (void)in.vector16();  // binders
  return ages;
}

// False: it does not follow its format.
bool read_extension(std::uint16_t type, Bytes content, ClientHello& hello) {
  WireReader in(content);
  switch (type) {
    case tls_extension::server_name:
      hello.server_name = server_name_of(in);
      break;
    case tls_extension::supported_groups:
      hello.groups = in.numbers(in.vector16());
      break;
    case tls_extension::ec_point_formats:
      for (const std::byte format : in.vector8()) hello.point_formats.push_back(std::to_integer<std::uint8_t>(format));
      break;
    case tls_extension::signature_algorithms:
      hello.schemes = in.numbers(in.vector16());
      break;
    case tls_extension::alpn:
      hello.alpn = protocols_of(in);
      break;
    case tls_extension::session_ticket:
      hello.has_ticket = !content.empty();
      return true;
    case tls_extension::pre_shared_key:
      hello.psk_ages = psk_ages_of(in);
      break;
    case tls_extension::supported_versions:
      hello.versions = in.numbers(in.vector8());
      break;
    case tls_extension::key_share:
      hello.key_shares = key_share_groups(in);
      break;
    default:
      return true;
  }
  return in.ok() && in.at_end();
}

}  // namespace

bool ClientHello::has(std::uint16_t extension) const {
  return std::ranges::find(extensions, extension) != extensions.end();
}

std::optional<ClientHello> parse_client_hello(Bytes body) {
  WireReader in(body);
  ClientHello hello;
  hello.legacy_version = in.u16();
  (void)in.bytes(32);  // random
  const Bytes session_id = in.vector8();
  hello.session_id.assign(session_id.begin(), session_id.end());
  hello.suites = in.numbers(in.vector16());
  const Bytes compressions = in.vector8();
  const bool plausible = hello.legacy_version >> 8 == 3 && session_id.size() <= 32 && !compressions.empty();
  if (!in.ok() || !plausible) return std::nullopt;
  if (in.at_end()) return hello;  // extensions came with RFC 3546
  if (!read_extensions(in, hello, read_extension)) return std::nullopt;
  return hello;
}

std::optional<ClientHello> parse_sslv2_client_hello(Bytes message) {
  WireReader in(message);
  const bool is_hello = in.u8() == static_cast<std::uint8_t>(HandshakeType::client_hello);
  ClientHello hello;
  hello.sslv2_format = true;
  hello.legacy_version = in.u16();
  const std::size_t suite_bytes = in.u16(), session_bytes = in.u16(), challenge_bytes = in.u16();
  WireReader suites(in.bytes(suite_bytes));
  const Bytes session_id = in.bytes(session_bytes);
  (void)in.bytes(challenge_bytes);
  const bool known_version = hello.legacy_version == tls::ssl2 || hello.legacy_version >> 8 == 3;
  if (!in.ok() || !in.at_end() || !is_hello || !known_version || suite_bytes == 0 || suite_bytes % 3 != 0)
    return std::nullopt;
  if (session_bytes > 32 || challenge_bytes < 16 || challenge_bytes > 32) return std::nullopt;
  hello.session_id.assign(session_id.begin(), session_id.end());
  while (!suites.at_end()) {
    const std::uint32_t suite = suites.u24();
    if (suite <= 0xffff) {
      hello.suites.push_back(static_cast<std::uint16_t>(suite));
    } else {
      hello.sslv2_suites.push_back(suite);
    }
  }
  return hello;
}

}  // namespace tracer
