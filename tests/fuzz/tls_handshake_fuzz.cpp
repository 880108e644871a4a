// The parsers of handshake messages: the first byte says which, the next two are version and suite, the rest is the
// message. Nothing may crash, what is told must lie inside of the message, and a hello must have its fingerprints.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/analyzers/tls/tls_fingerprint.h"
#include "core/analyzers/tls/tls_messages.h"
#include "core/analyzers/tls/tls_names.h"

using namespace tracer;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void require_inside(Bytes part, Bytes whole) {
  require(part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size()));
}

void check(const ClientHello& hello, std::size_t size) {
  require(hello.suites.size() * 2 + hello.extensions.size() * 4 <= size);
  require(hello.sslv2_format || hello.sslv2_suites.empty());
  require(ja3(hello).size() == (hello.sslv2_format ? 0 : 32));
  require(ja4(hello).size() == (hello.sslv2_format ? 0 : 36));
  for (const std::uint16_t suite : hello.suites) require(!suite_name(suite).empty());
  for (const std::uint16_t scheme : hello.schemes) require(!scheme_name(scheme).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  constexpr std::uint16_t suites[] = {0xc02f, 0x009e, 0xc018, 0x00aa, 0xd001, 0x0003, 0x00a8, 0x1301};
  const auto version = static_cast<std::uint16_t>(0x0300 + data[1] % 5);
  const std::uint16_t suite = suites[data[2] % std::size(suites)];
  const Bytes body = std::as_bytes(std::span(data + 3, size - 3));
  switch (data[0] % 8) {
    case 0:
      if (const auto hello = parse_client_hello(body)) check(*hello, body.size());
      break;
    case 1:
      if (const auto hello = parse_sslv2_client_hello(body)) check(*hello, body.size());
      break;
    case 2:
      if (const auto hello = parse_server_hello(body)) require(ja3s(*hello).size() == 32);
      break;
    case 3:
      if (const auto list = parse_certificate_list(body))
        for (const Bytes each : *list) require_inside(each, body);
      break;
    case 4:
      if (const auto exchange = parse_server_key_exchange(body, version, suite))
        require(!exchange->scheme || (exchange->is_signed && version >= tls::tls1_2));
      break;
    case 5:
      (void)parse_certificate_request(body, version);
      break;
    case 6:
      if (const auto ticket = parse_new_session_ticket(body)) require_inside(ticket->ticket, body);
      break;
    default:
      if (const auto alert = parse_alert(body)) require(!alert_name(alert->description).empty());
  }
  return 0;
}
