#include "cli/analyzers.h"

#include <gtest/gtest.h>

namespace tracer::cli {
namespace {

using namespace std::string_view_literals;

constexpr auto request = "GET / HTTP/1.1\r\n\r\n"sv;
// The beginning of a ClientHello in a record of 512 bytes.
constexpr auto hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"sv;

// What is done with a protocol in a layer: "" is not named at all, "named" and left alone, or "analyzed".
std::string done_with(std::string_view prefix, const Router& router) {
  const Guess guess = router.guess(as_bytes(prefix));
  if (guess.match != Match::yes) return "";
  return guess.analyzer != nullptr && guess.analyzer->make ? "analyzed" : "named";
}

struct Case {
  std::vector<Facet> shown;
  std::string http, tls, http_inside;
};

TEST(Analyzers, EachLayerHasThoseOfItsFacets) {
  for (const Case& each :
       {Case{{Facet::http}, "analyzed", "named", "named"}, Case{{Facet::tls}, "named", "analyzed", "named"},
        Case{{Facet::https}, "named", "analyzed", "analyzed"},
        Case{{Facet::http, Facet::tls, Facet::https}, "analyzed", "analyzed", "analyzed"},
        Case{{Facet::connection}, "named", "named", "named"}}) {
    const Routers routers = make_routers(each.shown);
    const std::string of(to_string(each.shown.front()));
    EXPECT_EQ(done_with(request, routers.of(Layer::socket)), each.http) << of;
    EXPECT_EQ(done_with(hello, routers.of(Layer::socket)), each.tls) << of;
    EXPECT_EQ(done_with(request, routers.of(Layer::tls_plaintext)), each.http_inside) << of;
  }
}

TEST(Analyzers, HandshakesAreARecordOnlyWhereTheyAreShown) {
  const auto tls_of = [](const Routers& routers) {
    for (const AnalyzerEntry& each : routers.socket.analyzers())
      if (each.protocol == "TLS") return each;
    return AnalyzerEntry{};
  };
  EXPECT_EQ(tls_of(make_routers({Facet::tls})).records, "TLS handshakes");
  EXPECT_EQ(tls_of(make_routers({Facet::https})).records, "");
  EXPECT_TRUE(tls_of(make_routers({Facet::http, Facet::tls})).partial) << "of what is inside nothing is told";
  EXPECT_FALSE(tls_of(make_routers({Facet::http, Facet::tls, Facet::https})).partial);
}

}  // namespace
}  // namespace tracer::cli
