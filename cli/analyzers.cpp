#include "cli/analyzers.h"

#include <algorithm>
#include <utility>

#include "core/analyzers/http/http_analyzer.h"
#include "core/analyzers/http/http_parser.h"
#include "core/analyzers/tls/tls_analyzer.h"

namespace tracer::cli {
namespace {

Match classify_http1(Bytes prefix) {
  switch (looks_like_http1(prefix)) {
    case Likeness::no:
      return Match::no;
    case Likeness::need_more:
      return Match::maybe;
    case Likeness::yes:
      return Match::yes;
  }
  return Match::no;
}

}  // namespace

Routers make_routers(const std::vector<Facet>& facets) {
  const auto shown = [&](Facet facet) { return std::ranges::find(facets, facet) != facets.end(); };
  const auto http = [](bool analyzed) {
    AnalyzerEntry entry{"HTTP/1.1", classify_http1, {}, "HTTP/1"};
    if (analyzed) {
      entry.make = [](AnalyzerHost& host, std::optional<Side> client) {
        return std::make_unique<HttpAnalyzer>(host, client);
      };
    }
    return entry;
  };
  AnalyzerEntry tls{"TLS", nullptr, {}, {}};
  if (shown(Facet::tls)) tls.records = "TLS handshakes";
  if (shown(Facet::tls) || shown(Facet::https)) {
    tls.make = [](AnalyzerHost& host, std::optional<Side> client) {
      return std::make_unique<TlsAnalyzer>(host, client);
    };
    // Of what is inside nothing is told. Where it is, connections without are counted for themselves.
    tls.partial = shown(Facet::http) && !shown(Facet::https);
  }
  return {Router({http(shown(Facet::http)), std::move(tls)}), Router({http(shown(Facet::https))})};
}

}  // namespace tracer::cli
