#include "core/analyzers/http/http_framing.h"

namespace tracer {

namespace {

using Kind = BodyFraming::Kind;

BodyFraming unknown(std::string_view reason, HttpAnomalySet anomalies) {
  return {.kind = Kind::unknown, .length = 0, .reason = reason, .anomalies = anomalies};
}

// Items 4 to 6 of RFC 9112 section 6.3; `fallback` is what remains for a message without any length.
BodyFraming framing_by_fields(const HeadFacts& head, HeadKind kind, Kind fallback) {
  HttpAnomalySet anomalies;
  if (head.transfer_encoding) {
    if (head.length != HeadFacts::Length::absent) anomalies.add(HttpAnomaly::content_length_and_transfer_encoding);
    if (head.version_minor == 0) {
      // Section 6.1: "MUST treat the message as if the framing is faulty".
      anomalies.add(HttpAnomaly::http_1_0_transfer_encoding);
      return unknown("faulty_transfer_encoding", anomalies);
    }
    if (head.chunked_count > 1) {
      anomalies.add(HttpAnomaly::repeated_chunked);
      return unknown("faulty_transfer_encoding", anomalies);
    }
    if (head.framing_field_damaged && kind == HeadKind::request) return unknown("damaged_length_field", anomalies);
    if (head.chunked_last) return {.kind = Kind::chunked, .length = 0, .reason = {}, .anomalies = anomalies};
    anomalies.add(HttpAnomaly::transfer_encoding_not_chunked_last);
    if (kind == HeadKind::request) return unknown("faulty_transfer_encoding", anomalies);
    return {.kind = Kind::until_close, .length = 0, .reason = {}, .anomalies = anomalies};
  }
  switch (head.length) {
    case HeadFacts::Length::absent:
      return {.kind = fallback, .length = 0, .reason = {}, .anomalies = anomalies};
    case HeadFacts::Length::invalid:
      anomalies.add(HttpAnomaly::invalid_content_length);
      return unknown("invalid_content_length", anomalies);
    case HeadFacts::Length::conflicting:
      anomalies.add(HttpAnomaly::conflicting_content_length);
      return unknown("conflicting_content_length", anomalies);
    case HeadFacts::Length::valid:
      break;
  }
  // Section 5.1: a server refuses such a request, a client repairs such a response.
  if (head.framing_field_damaged && kind == HeadKind::request) return unknown("damaged_length_field", anomalies);
  return {.kind = Kind::content_length, .length = head.content_length, .reason = {}, .anomalies = anomalies};
}

}  // namespace

BodyFraming request_framing(const HeadFacts& request) {
  return framing_by_fields(request, HeadKind::request, Kind::none);
}

BodyFraming response_framing(const HeadFacts& response, RequestMethod method) {
  const unsigned status = response.status_code;
  if (status == 101) return {.kind = Kind::tunnel, .length = 0, .reason = {}, .anomalies = {}};
  if (status < 200 || status == 204 || status == 304 || method == RequestMethod::head) {
    BodyFraming none;
    // Section 6.1: must not be sent in 1xx and 204.
    if (response.transfer_encoding && (status < 200 || status == 204))
      none.anomalies.add(HttpAnomaly::transfer_encoding_without_body);
    return none;
  }
  if (method == RequestMethod::connect && status < 300)
    return {.kind = Kind::tunnel, .length = 0, .reason = {}, .anomalies = {}};
  return framing_by_fields(response, HeadKind::response, Kind::until_close);
}

}  // namespace tracer
