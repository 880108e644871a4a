#include "tests/unit/pipeline/plaintext_world.h"

#include <algorithm>

#include "core/analyzers/http/http_analyzer.h"
#include "core/analyzers/http/http_parser.h"

namespace tracer::test {

namespace {

Match classify_http(Bytes prefix) {
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

Routers https_routers() {
  AnalyzerEntry tls{
      "TLS", nullptr,
      [](AnalyzerHost& host, std::optional<Side> opener) { return std::make_unique<TlsAnalyzer>(host, opener); },
      "TLS handshakes", true};
  AnalyzerEntry http{
      "HTTP/1.1", classify_http,
      [](AnalyzerHost& host, std::optional<Side> side) { return std::make_unique<HttpAnalyzer>(host, side); },
      "HTTP/1"};
  return {Router({std::move(tls)}), Router({std::move(http)})};
}

PipelineOptions https_options() {
  PipelineOptions options;
  options.plaintext = true;
  return options;
}

std::string get(unsigned id) { return "GET /" + std::to_string(id) + " HTTP/1.1\r\nHost: example.com\r\n\r\n"; }

std::string answer(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

void PlaintextWorld::open(const TlsEnd& end, bool preexisting) {
  FlowOpened it = opened_by_sequence(end.flow, end.client ? Role::client : Role::server);
  it.preexisting = preexisting;
  send(now += ms, end.tgid, it);
}

void PlaintextWorld::moves(const TlsEnd& end, Direction direction, std::string_view bytes) {
  std::uint64_t& at = socket_at_.try_emplace({end.flow.value, direction}, first_sequence).first->second;
  if (verdict(end.flow, direction).mode != StreamVerdict::Mode::quiet)
    send(now += ms, end.tgid, data(end.flow, direction, at, bytes));
  at += bytes.size();
}

void PlaintextWorld::handshake(const std::string& name, bool client_seen, bool server_seen) {
  for (const Piece& piece : recorded(name)) {
    const bool from_client = piece.from == Side::a;
    const auto tell = [&](const TlsEnd& end) {
      if (!(end.client ? client_seen : server_seen)) return;
      moves(end, end.client == from_client ? Direction::tx : Direction::rx, piece.bytes);
    };
    tell(from_client ? client_end : server_end);
    tell(from_client ? server_end : client_end);
  }
}

void PlaintextWorld::session(const TlsEnd& end, bool bound, bool from_start) {
  send(now, end.tgid, PlaintextOpened{end.session, bound ? end.flow : FlowId{}, from_start});
}

void PlaintextWorld::open_covered() {
  open(client_end);
  open(server_end);
  handshake("tls13", true, true);
  session(client_end);
  session(server_end);
}

void PlaintextWorld::plain(const TlsEnd& end, Direction direction, std::string_view text) {
  FlowData it = data(end.session, direction, plain_at_[{end.session.value, direction}], text);
  it.layer = Layer::tls_plaintext;
  plain_at_[{end.session.value, direction}] += text.size();
  if (verdict(end.session, direction).mode != StreamVerdict::Mode::quiet) send(now += ms, end.tgid, it);
}

void PlaintextWorld::plain_size(const TlsEnd& end, Direction direction, std::uint64_t moved, GapCause why) {
  FlowData it = sizes(end.session, direction, plain_at_[{end.session.value, direction}], moved);
  it.layer = Layer::tls_plaintext;
  it.rest = why;
  plain_at_[{end.session.value, direction}] += moved;
  send(now += ms, end.tgid, it);
}

void PlaintextWorld::lose(const TlsEnd& end, Direction direction, std::uint64_t moved) {
  plain_at_[{end.session.value, direction}] += moved;
}

void PlaintextWorld::exchange(unsigned id, std::optional<TlsEnd> by_client, std::optional<TlsEnd> by_server) {
  exchange(get(id), answer(), by_client, by_server);
}

void PlaintextWorld::exchange(std::string_view request, std::string_view response, std::optional<TlsEnd> by_client,
                              std::optional<TlsEnd> by_server) {
  if (by_client) plain(*by_client, Direction::tx, request);
  if (by_server) plain(*by_server, Direction::rx, request);
  if (by_server) plain(*by_server, Direction::tx, response);
  if (by_client) plain(*by_client, Direction::rx, response);
}

void PlaintextWorld::close(FlowId flow_or_session, std::uint32_t tgid) {
  send(now += ms, tgid, closed(flow_or_session));
}

void PlaintextWorld::wait(std::uint64_t milliseconds) {
  for (std::uint64_t passed = 0; passed < milliseconds; passed += 10)
    pipeline.advance(EventTime{now += std::min<std::uint64_t>(10, milliseconds - passed) * ms});
}

bool PlaintextWorld::quiet(const TlsEnd& end) const {
  return verdict(end.session, Direction::tx).mode == StreamVerdict::Mode::quiet &&
         verdict(end.session, Direction::rx).mode == StreamVerdict::Mode::quiet;
}

std::vector<const Record*> PlaintextWorld::https() const {
  std::vector<const Record*> found;
  for (const auto& record : records) {
    const auto* it = std::get_if<HttpTransaction>(&record->body);
    if (it != nullptr && it->tls) found.push_back(record.get());
  }
  return found;
}

std::vector<std::string> PlaintextWorld::urls() const {
  std::vector<std::string> found;
  for (const Record* record : https()) {
    const HttpMessage& request = transaction_of(record).request;
    found.emplace_back(request.view(request.url));
  }
  return found;
}

std::optional<std::uint64_t> PlaintextWorld::blind(std::string_view what) const {
  TraceEnd end;
  pipeline.fill(end);
  for (const BlindCount& row : end.blind)
    if (row.what == what) return row.flows;
  return std::nullopt;
}

const HttpTransaction& transaction_of(const Record* record) { return std::get<HttpTransaction>(record->body); }

}  // namespace tracer::test
