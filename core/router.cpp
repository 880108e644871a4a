#include "core/router.h"

#include <algorithm>

namespace tracer {

namespace {

Match starts_with(Bytes prefix, std::string_view text) {
  const std::size_t common = std::min(prefix.size(), text.size());
  if (as_text(prefix).substr(0, common) != text.substr(0, common)) return Match::no;
  return prefix.size() >= text.size() ? Match::yes : Match::maybe;
}

// The server's preface (RFC 9113 section 3.4): a SETTINGS frame that acknowledges nothing. It may come before the
// client's.
Match looks_like_http2_settings(Bytes prefix) {
  constexpr std::size_t header_size = 9, setting_size = 6, settings_max = 256;
  constexpr unsigned settings_frame = 4;
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(prefix[i]); };
  for (std::size_t i = 0; i < std::min(prefix.size(), header_size); ++i) {
    const bool of_length = i == 1 || i == 2;
    if (!of_length && at(i) != (i == 3 ? settings_frame : 0)) return Match::no;
  }
  if (prefix.size() < header_size) return Match::maybe;
  const std::size_t length = at(1) << 8U | at(2);
  return length % setting_size == 0 && length <= settings_max * setting_size ? Match::yes : Match::no;
}
// RFC 9113 section 3.4.
Match looks_like_http2(Bytes prefix) {
  const Match client = starts_with(prefix, "PRI * HTTP/2.0\r\n");
  return client == Match::no ? looks_like_http2_settings(prefix) : client;
}
// RFC 4253 section 4.2.
Match looks_like_ssh(Bytes prefix) { return starts_with(prefix, "SSH-"); }

struct NamedProtocol {
  std::string_view protocol;
  Match (*classify)(Bytes prefix);
};
constexpr NamedProtocol named_protocols[] = {
    {"TLS", looks_like_tls},
    {"HTTP/2", looks_like_http2},
    {"SSH", looks_like_ssh},
};

// A ClientHello as an SSLv2 record (RFC 5246 appendix E.2). Nothing in it is a mark: all its lengths have to agree.
Match looks_like_sslv2_hello(Bytes prefix) {
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(prefix[i]); };
  const auto number = [&](std::size_t i) { return at(i) << 8U | at(i + 1); };
  constexpr unsigned client_hello = 1;
  if (prefix.size() > 2 && at(2) != client_hello) return Match::no;
  if (prefix.size() > 3 && at(3) != 0 && at(3) != 3) return Match::no;
  if (prefix.size() < 11) return Match::maybe;
  const unsigned version = number(3), suites = number(5), session = number(7), challenge = number(9);
  const bool plausible = (version == 2 || at(3) == 3) && at(4) <= 4 && suites != 0 && suites % 3 == 0 &&
                         session <= 32 && challenge >= 16 && challenge <= 32;
  return plausible && (number(0) & 0x7fffU) == 9 + suites + session + challenge ? Match::yes : Match::no;
}

}  // namespace

// A record header (RFC 8446 section 5.1): content type, legacy version 3.x, a length that is allowed. A stream seen
// from its start begins with a handshake record; one seen from the middle may begin with any type.
Match looks_like_tls(Bytes prefix) {
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(prefix[i]); };
  if (prefix.empty()) return Match::maybe;
  if (at(0) < 20 || at(0) > 24) return at(0) >= 0x80 ? looks_like_sslv2_hello(prefix) : Match::no;
  if (prefix.size() < 2) return Match::maybe;
  if (at(1) != 3) return Match::no;
  if (prefix.size() < 3) return Match::maybe;
  if (at(2) > 4) return Match::no;
  if (prefix.size() < 5) return Match::maybe;
  const unsigned length = at(3) << 8U | at(4);
  return length > 0 && length <= (1U << 14U) + 2048 ? Match::yes : Match::no;
}

const AnalyzerEntry* Router::analyzer_of(std::string_view protocol) const {
  const auto row = std::ranges::find(analyzers_, protocol, &AnalyzerEntry::protocol);
  return row != analyzers_.end() && row->make ? &*row : nullptr;
}

Guess Router::guess(Bytes prefix) const {
  bool maybe = false;
  // The named ones first: their marks are exact, and no analyzer should take another protocol's preface for its own.
  for (const NamedProtocol& row : named_protocols) {
    const Match match = row.classify(prefix);
    if (match == Match::yes) return {Match::yes, row.protocol, analyzer_of(row.protocol)};
    maybe |= match == Match::maybe;
  }
  for (const AnalyzerEntry& row : analyzers_) {
    if (row.classify == nullptr) continue;
    const Match match = row.classify(prefix);
    if (match == Match::yes) return {Match::yes, row.protocol, row.make ? &row : nullptr};
    maybe |= match == Match::maybe;
  }
  return {maybe ? Match::maybe : Match::no, {}, nullptr};
}

}  // namespace tracer
