// Held to another parser: Boost.Beast must see the same messages in well-formed input.
#include <gtest/gtest.h>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include "core/analyzers/http/chunked_decoder.h"
#include "core/analyzers/http/http_framing.h"
#include "tests/unit/http/http_generator.h"

namespace tracer {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

std::string text_of(string_view view) { return {view.data(), view.size()}; }

// What a parser saw of one message, in one spelling.
template <bool is_request>
class BeastView final : public http::basic_parser<is_request> {
 public:
  std::string head;
  std::uint64_t body_bytes = 0;

 private:
  void on_request_impl(http::verb, string_view method, string_view target, int version, error_code&) override {
    head = text_of(method) + " " + text_of(target) + " " + std::to_string(version) + "\n";
  }
  void on_response_impl(int code, string_view reason, int version, error_code&) override {
    head = std::to_string(version) + " " + std::to_string(code) + " " + text_of(reason) + "\n";
  }
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    if (!in_body_) head += text_of(name) + "=" + text_of(value) + "\n";  // trailers come this way too
  }
  void on_header_impl(error_code&) override { in_body_ = true; }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code&) override {
    body_bytes += body.size();
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override {
    body_bytes += body.size();
    return body.size();
  }
  void on_finish_impl(error_code&) override {}
  bool in_body_ = false;
};

struct Seen {
  std::string head;
  std::uint64_t body_bytes = 0;
  std::size_t consumed = 0;
};

template <bool is_request>
Seen by_beast(const std::string& bytes, bool skip_body) {
  BeastView<is_request> parser;
  parser.eager(true);
  parser.skip(skip_body);
  Seen seen;
  error_code failed;
  while (!parser.is_done() && seen.consumed < bytes.size()) {
    seen.consumed +=
        parser.put(boost::asio::buffer(bytes.data() + seen.consumed, bytes.size() - seen.consumed), failed);
    EXPECT_FALSE(failed) << failed.message();
    if (failed) break;
  }
  EXPECT_TRUE(parser.is_done());
  seen.head = parser.head;
  seen.body_bytes = parser.body_bytes;
  return seen;
}

Seen by_us(const std::string& bytes, HeadKind kind, RequestMethod method) {
  HttpMessage message;
  HeadFacts facts;
  Seen seen;
  const HeadResult result = parse_head(as_bytes(bytes), kind, {}, message, facts);
  EXPECT_EQ(result.status, HeadStatus::complete) << result.reason;
  const std::string version = "1" + std::string(message.view(message.version).substr(7));
  const auto text = [&](TextSlice slice) { return std::string(message.view(slice)); };
  seen.head = kind == HeadKind::request
                  ? text(message.method) + " " + text(message.url) + " " + version + "\n"
                  : version + " " + std::to_string(message.status_code) + " " + text(message.status_text) + "\n";
  for (const HttpHeader& header : message.headers) seen.head += text(header.name) + "=" + text(header.value) + "\n";
  const BodyFraming framing = kind == HeadKind::request ? request_framing(facts) : response_framing(facts, method);
  seen.consumed = result.consumed;
  if (framing.kind == BodyFraming::Kind::content_length) {
    seen.body_bytes = framing.length;
    seen.consumed += framing.length;
  } else if (framing.kind == BodyFraming::Kind::chunked) {
    ChunkedDecoder decoder;
    const auto progress = decoder.feed(as_bytes(std::string_view(bytes).substr(seen.consumed)), {});
    EXPECT_EQ(progress.status, ChunkedDecoder::Status::done);
    seen.consumed += progress.consumed;
    seen.body_bytes = decoder.body_bytes();
  } else {
    EXPECT_EQ(framing.kind, BodyFraming::Kind::none);
  }
  return seen;
}

TEST(HttpAgainstBeast, sees_the_same_messages) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    test::Generator random(seed);
    const test::Generated made = random.conversation(5, false, 1);
    for (std::size_t i = 0; i < made.requests.size(); ++i) {
      const Seen request = by_us(made.requests[i], HeadKind::request, RequestMethod::other);
      const Seen request_beast = by_beast<true>(made.requests[i], false);
      ASSERT_EQ(request.head, request_beast.head) << "seed " << seed;
      ASSERT_EQ(request.body_bytes, request_beast.body_bytes) << "seed " << seed;
      ASSERT_EQ(request.consumed, request_beast.consumed) << "seed " << seed;
      const bool head = made.requests[i].starts_with("HEAD");
      const Seen response =
          by_us(made.responses[i], HeadKind::response, head ? RequestMethod::head : RequestMethod::other);
      const Seen response_beast = by_beast<false>(made.responses[i], head);
      ASSERT_EQ(response.head, response_beast.head) << "seed " << seed;
      ASSERT_EQ(response.body_bytes, response_beast.body_bytes) << "seed " << seed;
      ASSERT_EQ(response.consumed, response_beast.consumed) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace tracer
