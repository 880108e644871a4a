#include "cli/analyzers.h"

#include "core/analyzers/http/http_analyzer.h"
#include "core/analyzers/http/http_parser.h"

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

Router make_router() {
  std::vector<AnalyzerEntry> analyzers;
  analyzers.push_back({"HTTP/1.1", classify_http1, [](AnalyzerHost& host, std::optional<Side> client) {
                         return std::make_unique<HttpAnalyzer>(host, client);
                       }});
  return Router(std::move(analyzers));
}

}  // namespace tracer::cli
