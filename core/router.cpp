#include "core/router.h"

#include <algorithm>

namespace tracer {

namespace {

Match starts_with(Bytes prefix, std::string_view text) {
  const std::size_t common = std::min(prefix.size(), text.size());
  if (as_text(prefix).substr(0, common) != text.substr(0, common)) return Match::no;
  return prefix.size() >= text.size() ? Match::yes : Match::maybe;
}

// RFC 9113 section 3.4.
Match looks_like_http2(Bytes prefix) { return starts_with(prefix, "PRI * HTTP/2.0\r\n"); }
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

}  // namespace

// A record header (RFC 8446 section 5.1): content type, legacy version 3.x, a length that is allowed. A stream seen
// from its start begins with a handshake record; one seen from the middle may begin with any type.
Match looks_like_tls(Bytes prefix) {
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(prefix[i]); };
  if (prefix.empty()) return Match::maybe;
  if (at(0) < 20 || at(0) > 24) return Match::no;
  if (prefix.size() < 2) return Match::maybe;
  if (at(1) != 3) return Match::no;
  if (prefix.size() < 3) return Match::maybe;
  if (at(2) > 4) return Match::no;
  if (prefix.size() < 5) return Match::maybe;
  const unsigned length = at(3) << 8U | at(4);
  return length > 0 && length <= (1U << 14U) + 2048 ? Match::yes : Match::no;
}

Guess Router::guess(Bytes prefix) const {
  bool maybe = false;
  // The named ones first: their marks are exact, and no analyzer should take another protocol's preface for its own.
  for (const NamedProtocol& row : named_protocols) {
    const Match match = row.classify(prefix);
    if (match == Match::yes) return {Match::yes, row.protocol, nullptr};
    maybe |= match == Match::maybe;
  }
  for (const AnalyzerEntry& row : analyzers_) {
    const Match match = row.classify(prefix);
    if (match == Match::yes) return {Match::yes, row.protocol, &row};
    maybe |= match == Match::maybe;
  }
  return {maybe ? Match::maybe : Match::no, {}, nullptr};
}

}  // namespace tracer
