#include "core/analyzers/tls/tls_analyzer.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/analyzers/tls/tls_names.h"
#include "core/asn1/digest.h"
#include "core/asn1/x509.h"

namespace tracer {

namespace {

constexpr std::string_view protocol = "TLS";
constexpr std::string_view before_attach = "before_attach", malformed = "malformed";

std::string_view reason_of(StreamEnd end) {
  switch (end) {
    case StreamEnd::closed:
      return "closed";
    case StreamEnd::cut:
      return "cut";
    case StreamEnd::handed_over:
      return "backend_switch";
  }
  return "cut";
}

void forget_place(TlsHandshake& handshake) {
  handshake.client_first_offset = handshake.client_end_offset = 0;
  handshake.server_first_offset = handshake.server_end_offset = 0;
}

// One that cannot be read still has its fingerprint.
CertificateFacts facts_of(Bytes der) {
  if (auto facts = parse_certificate(der)) return std::move(*facts);
  CertificateFacts unreadable;
  unreadable.sha256 = sha256_hex(der);
  return unreadable;
}

}  // namespace

TlsAnalyzer::TlsAnalyzer(AnalyzerHost& host, std::optional<Side> opener, const TlsLimits& limits)
    : host_(host), limits_(limits), streams_{Stream(limits_), Stream(limits_)}, opener_(opener) {}

// ---- Calls in

void TlsAnalyzer::on_bytes(Side from, std::uint64_t offset, Bytes bytes, EventTime at) {
  Stream& it = stream(from);
  while (!finished_ && !seen_all(from)) {
    const std::optional<TlsItem> item = it.reader.next(offset, bytes, at);
    if (!item) return;
    read(from, *item);
    settle();
  }
}

void TlsAnalyzer::on_gap(Side from, std::uint64_t, std::uint64_t size, GapCause cause, EventTime) {
  Stream& it = stream(from);
  if (finished_ || !it.over.empty()) return;
  if (size == 0) {
    it.begun_unseen = true;
    return;
  }
  if (seen_all(from) || it.reader.pass_over(size)) return;
  give_up(from, to_string(cause));
  settle();
}

void TlsAnalyzer::on_end(Side from, StreamEnd end, EventTime) {
  if (finished_) return;
  if (stream(from).over.empty()) {
    stream(from).flight.closed = end == StreamEnd::closed;
    give_up(from, reason_of(end));
  }
  settle();
}

void TlsAnalyzer::on_time(EventTime now) {
  if (finished_ || !fatal_alert_at_ || now.ns < fatal_alert_at_->ns + limits_.alert_wait_ns) return;
  finish();
}

// ---- What the streams are made of

void TlsAnalyzer::read(Side from, const TlsItem& item) {
  Stream& it = stream(from);
  using Kind = TlsItem::Kind;
  const bool may_be_ciphertext = it.flight.whole;  // it only looked like something else
  switch (item.kind) {
    case Kind::handshake:
    case Kind::sslv2_hello:
    case Kind::alert:
      if (item.kind == Kind::alert)
        read_alert(from, item);
      else
        read_message(from, item);
      break;
    case Kind::change_cipher_spec:
    case Kind::ciphertext:
      // Each side says hello before it encrypts.
      if (!it.hello) return give_up(from, it.begun_unseen ? before_attach : malformed);
      it.flight.ciphertext |= item.kind == Kind::ciphertext;
      if (item.kind == Kind::ciphertext) return;
      it.flight.whole = true;
      break;
    case Kind::over_limit:
      return give_up(from, may_be_ciphertext ? malformed : "message_over_limit");
    case Kind::malformed:
      return give_up(from, malformed);
  }
  if (!it.over.empty()) return;
  if (!std::exchange(it.begun, true)) {
    it.flight.first_offset = item.first_offset;
    it.flight.first_at = item.first_at;
  }
  it.flight.end_offset = item.end_offset;
  it.flight.last_at = item.end_at;
}

void TlsAnalyzer::read_message(Side from, const TlsItem& item) {
  if (item.kind == TlsItem::Kind::sslv2_hello)
    return read_client_hello(from, parse_sslv2_client_hello(item.body), item);
  switch (const auto type = static_cast<HandshakeType>(item.type); type) {
    case HandshakeType::hello_request:
      return;
    case HandshakeType::client_hello:
      return read_client_hello(from, parse_client_hello(item.body), item);
    case HandshakeType::server_hello:
      return read_server_hello(from, item);
    default:
      if (!stream(from).hello) return give_up(from, stream(from).begun_unseen ? before_attach : malformed);
      if (type == HandshakeType::certificate) return read_certificates(from, item.body);
      if (client_ != from && seen_.server_hello) read_server_message(from, type, item.body);
  }
}

void TlsAnalyzer::read_client_hello(Side from, std::optional<ClientHello> hello, const TlsItem& item) {
  if (!hello || client_ == other(from) || seen_.second_client_hello) return give_up(from, malformed);
  found_client(from);
  hello_ended(stream(from), item);
  seen_.psk_ages = hello->psk_ages;
  if (seen_.client_hello) {
    seen_.second_client_hello = true;
  } else {
    seen_.client_hello = std::move(hello);
  }
}

void TlsAnalyzer::read_server_hello(Side from, const TlsItem& item) {
  auto hello = parse_server_hello(item.body);
  if (!hello || client_ == from || seen_.server_hello) return give_up(from, malformed);
  found_client(other(from));
  hello_ended(stream(from), item);
  (hello->is_retry_request ? seen_.retry_request : seen_.server_hello) = std::move(hello);
}

// The ChangeCipherSpec that follows a HelloRetryRequest ends nothing.
void TlsAnalyzer::hello_ended(Stream& stream, const TlsItem& item) {
  stream.hello = true;
  stream.flight.whole = stream.flight.ciphertext = false;  // early data may lie before it
  stream.flight.hello_end_offset = item.end_offset;
  stream.flight.hello_last_at = item.end_at;
}

void TlsAnalyzer::found_client(Side side) {
  if (client_) return;
  client_ = side;
  host_.client_is(side);
}

void TlsAnalyzer::read_certificates(Side from, Bytes body) {
  TlsSeen::Flight& flight = stream(from).flight;
  const bool by_server = client_ != from;
  if (by_server && (!seen_.server_hello || !seen_.server_hello->certificates_are_x509)) return;
  const auto certificates = parse_certificate_list(body);
  if (!certificates || flight.certificates_seen) return give_up(from, malformed);
  if (certificates->size() > limits_.certificates_max) return give_up(from, "certificates_over_limit");
  flight.certificates_seen = true;
  for (const Bytes der : *certificates) flight.certificates.push_back(facts_of(der));
}

void TlsAnalyzer::read_server_message(Side from, HandshakeType type, Bytes body) {
  const ServerHello& hello = *seen_.server_hello;
  switch (type) {
    case HandshakeType::server_key_exchange:
      seen_.key_exchange = parse_server_key_exchange(body, hello.version(), hello.suite);
      break;
    case HandshakeType::certificate_request:
      if (!parse_certificate_request(body, hello.version())) return give_up(from, malformed);
      seen_.certificate_requested = true;
      break;
    case HandshakeType::new_session_ticket:
      if (!parse_new_session_ticket(body)) return give_up(from, malformed);
      seen_.session_ticket = true;
      break;
    case HandshakeType::server_hello_done:
      seen_.server_hello_done = true;
      break;
    default:
      break;
  }
}

void TlsAnalyzer::read_alert(Side from, const TlsItem& item) {
  const auto alert = parse_alert(item.body);
  if (!alert) return give_up(from, malformed);
  if (stream(from).flight.ciphertext) return;  // by now it would be encrypted
  auto& alerts = stream(from).flight.alerts;
  if (alerts.size() >= limits_.alerts_max) return give_up(from, "alerts_over_limit");
  alerts.push_back({*alert, item.end_at});
  if (alert->fatal && !fatal_alert_at_) fatal_alert_at_ = item.end_at;
}

// ---- Is that all?

void TlsAnalyzer::give_up(Side side, std::string_view reason) {
  Stream& it = stream(side);
  if (!it.over.empty()) return;
  it.over = reason;
  it.reader.stop();
}

// Nothing that this side still sends is of interest.
bool TlsAnalyzer::seen_all(Side side) {
  const Stream& it = stream(side);
  if (!it.over.empty()) return true;
  if (!client_) return false;
  if (side != *client_) return seen_.server_hello && (seen_.encrypts_its_handshake() || it.flight.whole);
  if (!seen_.client_hello) return false;
  const auto fatal = [](const TlsSeen::TimedAlert& each) { return each.alert.fatal; };
  const bool encrypts = it.flight.ciphertext || std::ranges::any_of(it.flight.alerts, fatal);
  if (seen_.encrypts_its_handshake()) return encrypts && (!seen_.retry_request || seen_.second_client_hello);
  if (seen_.server_hello) return it.flight.whole;
  // The other side will not say which version it is: this one has nothing more to say in clear either.
  return !stream(other(side)).over.empty() && (it.flight.whole || encrypts);
}

void TlsAnalyzer::settle() {
  if (finished_) return;
  if (seen_all(Side::a) && seen_all(Side::b)) return finish();
  // It is seen from its middle, and nobody will say any more what went before.
  const auto in_the_middle = [](const Stream& it) { return it.over == before_attach; };
  if (!seen_.worth_a_record() && std::ranges::any_of(streams_, in_the_middle)) finish();
}

std::string_view TlsAnalyzer::reason() {
  if (seen_.fatal_alert()) return "alert";
  const Side client = client_.value_or(Side::a);
  const bool client_lacks = !seen_.client_hello || (seen_.retry_request && !seen_.second_client_hello) ||
                            (seen_.encrypts_its_handshake() ? !seen_.client.ciphertext : !seen_.client.whole);
  const std::string_view first = client_lacks ? stream(client).over : std::string_view();
  if (!first.empty()) return first;
  const std::string_view second = stream(other(client)).over;
  return !second.empty() ? second : "cut";
}

void TlsAnalyzer::finish() {
  finished_ = true;
  if (seen_.worth_a_record()) {
    seen_.client = std::move(stream(*client_).flight);
    seen_.server = std::move(stream(other(*client_)).flight);
    auto record = std::make_unique<Record>();
    const std::string_view why = reason();
    describe(std::move(seen_), why, *record);
    // A record's client is who opened the connection. Where the other one began the handshake, its place in the streams
    // would be taken for that of a request.
    if (opener_ && opener_ != client_) forget_place(std::get<TlsHandshake>(record->body));
    host_.emit(std::move(record));
  }
  for (Stream& each : streams_) each.reader.stop();
  seen_ = {};
  host_.lose_interest(protocol);
}

}  // namespace tracer
