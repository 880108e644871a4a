// Fields of an HTTP transaction.
#pragma once

#include "core/records/fields.h"
#include "core/records/fields_flow.h"

namespace tracer {

[[nodiscard]] constexpr std::string_view to_string(TimeSource source) {
  switch (source) {
    case TimeSource::client:
      return "client";
    case TimeSource::server:
      return "server";
    case TimeSource::wire:
      return "wire";
  }
  return "";
}

// The two messages share a struct but not their fields.
struct RequestView {
  const HttpMessage* message = nullptr;
};
struct ResponseView {
  const HttpMessage* message = nullptr;
};

// The parts of a request-target in any of its four forms (RFC 9112 section 3.2).
struct TargetParts {
  std::optional<std::string_view> authority;  // absolute form, authority form
  std::optional<std::string_view> path;       // without query and fragment
};
[[nodiscard]] TargetParts split_target(std::string_view method, std::string_view target);

// What the request was for: the authority of the target wins over the Host field (RFC 9112 section 3.2.2).
[[nodiscard]] std::optional<std::string_view> request_host(const HttpMessage& request);
[[nodiscard]] std::optional<std::string_view> request_path(const HttpMessage& request);

template <>
struct FieldTable<RequestView> {
  static constexpr auto fields = std::tuple{
      field<"method">([](const RequestView& r) { return r.message->view(r.message->method); }),
      field<"url", Presence::always, Redaction::url>(
          [](const RequestView& r) { return r.message->view(r.message->url); }),
      field<"host", Presence::optional, Redaction::url>([](const RequestView& r) { return request_host(*r.message); }),
      field<"path", Presence::optional, Redaction::url>([](const RequestView& r) { return request_path(*r.message); }),
      field<"version", Presence::optional>(
          [](const RequestView& r) { return unless_empty(r.message->view(r.message->version)); }),
      field<"content_type", Presence::optional, Redaction::text>(
          [](const RequestView& r) { return r.message->header("content-type"); }),
      field<"user_agent", Presence::optional, Redaction::text>(
          [](const RequestView& r) { return r.message->header("user-agent"); }),
      field<"headers", Presence::always, Redaction::headers>(
          [](const RequestView& r) { return HeaderList{r.message}; }),
      field<"header_bytes">([](const RequestView& r) { return r.message->header_bytes; }),
      field<"body_bytes", Presence::expected>([](const RequestView& r) { return r.message->body_bytes; }),
  };
};

template <>
struct FieldTable<ResponseView> {
  static constexpr auto fields = std::tuple{
      field<"version", Presence::optional>(
          [](const ResponseView& r) { return unless_empty(r.message->view(r.message->version)); }),
      field<"status_code">([](const ResponseView& r) { return r.message->status_code; }),
      field<"status_text", Presence::optional, Redaction::text>(
          [](const ResponseView& r) { return unless_empty(r.message->view(r.message->status_text)); }),
      field<"content_type", Presence::optional, Redaction::text>(
          [](const ResponseView& r) { return r.message->header("content-type"); }),
      field<"location", Presence::optional, Redaction::url>(
          [](const ResponseView& r) { return r.message->header("location"); }),
      field<"headers", Presence::always, Redaction::headers>(
          [](const ResponseView& r) { return HeaderList{r.message}; }),
      field<"header_bytes">([](const ResponseView& r) { return r.message->header_bytes; }),
      field<"body_bytes", Presence::expected>([](const ResponseView& r) { return r.message->body_bytes; }),
  };
};

// By reference: many transactions share one.
struct TlsView {
  const HttpTls* tls = nullptr;
};

template <>
struct FieldTable<TlsView> {
  static constexpr auto fields = std::tuple{
      field<"version", Presence::expected>([](const TlsView& t) { return optional_text(t.tls->version); }),
      field<"cipher_suite", Presence::expected>([](const TlsView& t) { return optional_text(t.tls->cipher_suite); }),
      field<"group", Presence::optional>([](const TlsView& t) { return optional_text(t.tls->group); }),
      field<"sni", Presence::optional>([](const TlsView& t) { return optional_text(t.tls->sni); }),
      field<"alpn", Presence::optional>([](const TlsView& t) { return optional_text(t.tls->alpn); }),
  };
};

template <>
struct FieldTable<HttpTransaction> {
  static constexpr std::string_view event_type = "http_transaction";
  static constexpr auto fields =
      std::tuple_cat(flow_fields<HttpTransaction>,
                     std::tuple{
                         field<"protocol", Presence::expected>([](const HttpTransaction& t) {
                           const HttpMessage& message = t.request.present ? t.request : t.response;
                           return unless_empty(message.view(message.version));
                         }),
                         field<"scheme">([](const HttpTransaction& t) {
                           return t.tls ? std::string_view("https") : std::string_view("http");
                         }),
                         field<"tls", Presence::optional>([](const HttpTransaction& t) {
                           return t.tls ? std::optional(TlsView{t.tls.get()}) : std::nullopt;
                         }),
                         field<"request", Presence::expected>([](const HttpTransaction& t) {
                           return t.request.present ? std::optional(RequestView{&t.request}) : std::nullopt;
                         }),
                         field<"response", Presence::expected>([](const HttpTransaction& t) {
                           return t.response.present ? std::optional(ResponseView{&t.response}) : std::nullopt;
                         }),
                         field<"request_time", Presence::expected>(&HttpTransaction::request_time),
                         field<"response_time", Presence::expected>(&HttpTransaction::response_time),
                         field<"duration_ms", Presence::expected>(&HttpTransaction::duration_ms),
                         field<"time_to_first_byte_ms", Presence::expected>(&HttpTransaction::time_to_first_byte_ms),
                         field<"time_source", Presence::expected>(&HttpTransaction::time_source),
                         field<"complete">(&HttpTransaction::complete),
                         field<"incomplete_reason", Presence::optional>(
                             [](const HttpTransaction& t) { return unless_empty(t.incomplete_reason); }),
                         field<"anomalies">([](const HttpTransaction& t) { return TextList{t.anomalies}; }),
                         field<"interim_responses">(&HttpTransaction::interim_responses),
                     });
};

}  // namespace tracer
