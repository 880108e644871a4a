#include "core/analyzers/http/http_parser.h"

#include <gtest/gtest.h>

#include "core/analyzers/http/chunked_decoder.h"
#include "core/analyzers/http/http_framing.h"

namespace tracer {
namespace {

HttpStart start_of(std::string_view text) { return classify_start(as_bytes(text)); }

TEST(ClassifyStart, says_no_at_the_first_byte_that_tells) {
  for (std::string_view no :
       {"\x16\x03\x01", "\x80", "G\x01", "GET\r\n", " GET", "SSH-2.0-x\r\n", "*1\r\n", "HTTP/2", "HTTP/1.x",
        "HTTP/1.1 x", "HTTP/1.12", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1x\r\n", "EHLO mail.example\r\n", "GET /\r\n",
        "GET  / HTTP/1.1\r\n", "GET / RTSP/1.0\r\n", "METHODMETHODMETHODMETHODMETHODMETHOD"})
    EXPECT_EQ(start_of(no), HttpStart::no) << no;
}

TEST(ClassifyStart, waits_while_it_could_be) {
  for (std::string_view more : {"", "\r", "\r\n", "G", "GE", "GET", "GET ", "GET /", "GET / HTTP/1.1",
                                "GET / HTTP/1.1\r", "H", "HTTP/1.1", "HTTP/1.1 ", "HEAD", "frob /x", "PRI * HTTP/"})
    EXPECT_EQ(start_of(more), HttpStart::need_more) << more;
}

TEST(ClassifyStart, knows_both_kinds) {
  EXPECT_EQ(start_of("GET / HTTP/1.1\r\n"), HttpStart::request_line);
  EXPECT_EQ(start_of("\r\nfrob x HTTP/1.0\n"), HttpStart::request_line);
  EXPECT_EQ(start_of("GET /" + std::string(70, 'x')), HttpStart::request_line);
  EXPECT_EQ(start_of("frob /" + std::string(70, 'x')), HttpStart::need_more);
  EXPECT_EQ(start_of("HTTP/1.1 2"), HttpStart::status_line);
  EXPECT_EQ(looks_like_http1(as_bytes("HTTP/1.0 404 x")), Likeness::yes);
  EXPECT_EQ(looks_like_http1(as_bytes("GE")), Likeness::need_more);
  EXPECT_EQ(looks_like_http1(as_bytes("\x16")), Likeness::no);
}

TEST(ParseHead, every_prefix_needs_more_and_the_whole_is_consumed) {
  const std::string head = "\r\nGET /x HTTP/1.1\r\nA: b\r\n c\r\nD:e\r\n\r\n";
  HttpMessage message;
  HeadFacts facts;
  for (std::size_t size = 0; size < head.size(); ++size) {
    EXPECT_EQ(
        parse_head(as_bytes(std::string_view(head).substr(0, size)), HeadKind::request, {}, message, facts).status,
        HeadStatus::need_more)
        << size;
    EXPECT_FALSE(message.present);
  }
  const HeadResult result = parse_head(as_bytes(head + "more"), HeadKind::request, {}, message, facts);
  ASSERT_EQ(result.status, HeadStatus::complete);
  EXPECT_EQ(result.skipped, 2U);
  EXPECT_EQ(result.consumed, head.size());
  EXPECT_EQ(message.header("a"), "b c");
  EXPECT_EQ(message.header("d"), "e");
}

TEST(ParseHead, names_what_is_wrong) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"GET /\r\n", "http_0.9_not_supported"},
      {"GET / HTTP/2.0\r\n\r\n", "unsupported_version"},
      {"GET / http/1.1\r\n\r\n", "invalid_version"},
      {"PRI * HTTP/2.0\r\n\r\nSM", http2_preface_reason},
      {"G@T / HTTP/1.1\r\n\r\n", "invalid_method"},
      {"GET / HTTP/1.1 \r\n\r\n", "invalid_request_line"},
      {"GET / HTTP/1.1\r\n: x\r\n\r\n", "invalid_header"},
      {"GET / HTTP/1.1\r\nA\x01: x\r\n\r\n", "invalid_header"},
      {"GET / HTTP/1.1\r\n\rX", "invalid_header"},
  };
  for (const auto& [text, reason] : rows) {
    HttpMessage message;
    HeadFacts facts;
    const HeadResult result = parse_head(as_bytes(text), HeadKind::request, {}, message, facts);
    EXPECT_EQ(result.status, HeadStatus::invalid) << text;
    EXPECT_EQ(result.reason, reason) << text;
    EXPECT_FALSE(message.present);
  }
}

TEST(ParseHead, control_characters_at_every_alignment) {
  for (std::size_t length = 0; length < 40; ++length)
    for (char bad : {'\0', '\x01', '\x1f', '\x7f', '\r'}) {
      const std::string text = "GET / HTTP/1.1\r\nA: b" + std::string(length, 'x') + bad + "\xff~ !\r\nB: c\r\n\r\n";
      HttpMessage message;
      HeadFacts facts;
      ASSERT_EQ(parse_head(as_bytes(text), HeadKind::request, {}, message, facts).status, HeadStatus::complete);
      EXPECT_EQ(facts.anomalies.has(bad == '\r' ? HttpAnomaly::bare_cr : HttpAnomaly::control_character), true);
      EXPECT_EQ(message.header("A")->size(), length + 6);
      EXPECT_EQ(message.header("B"), "c");
    }
}

TEST(ParseHead, reuses_what_the_message_holds) {
  HttpMessage message;
  HeadFacts facts;
  const Bytes head = as_bytes("GET / HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n\r\n");
  ASSERT_EQ(parse_head(head, HeadKind::request, {}, message, facts).status, HeadStatus::complete);
  const char* const text = message.text.data();
  const HttpHeader* const headers = message.headers.data();
  ASSERT_EQ(parse_head(head, HeadKind::request, {}, message, facts).status, HeadStatus::complete);
  EXPECT_EQ(message.text.data(), text);
  EXPECT_EQ(message.headers.data(), headers);
}

TEST(Framing, follows_rfc_9112_section_6_3) {
  using Kind = BodyFraming::Kind;
  struct Row {
    std::string_view fields;
    Kind request, response;
  };
  const Row rows[] = {
      {"", Kind::none, Kind::until_close},
      {"Content-Length: 7\r\n", Kind::content_length, Kind::content_length},
      {"Content-Length: 7, 7\r\n", Kind::content_length, Kind::content_length},
      {"Content-Length: 7, 8\r\n", Kind::unknown, Kind::unknown},
      {"Content-Length: \r\n", Kind::unknown, Kind::unknown},
      {"Content-Length: -1\r\n", Kind::unknown, Kind::unknown},
      {"Content-Length : 7\r\n", Kind::unknown, Kind::content_length},
      {"Transfer-Encoding: CHUNKED\r\n", Kind::chunked, Kind::chunked},
      {"Transfer-Encoding: gzip, chunked\r\n", Kind::chunked, Kind::chunked},
      {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Kind::chunked, Kind::chunked},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", Kind::unknown, Kind::until_close},
      {"Transfer-Encoding: xchunked\r\n", Kind::unknown, Kind::until_close},
      {"Transfer-Encoding:\r\n chunked\r\n", Kind::chunked, Kind::chunked},
      {"Transfer-Encoding: chunked\r\nContent-Length: 7, 8\r\n", Kind::chunked, Kind::chunked},
  };
  for (const Row& row : rows) {
    HttpMessage message;
    HeadFacts facts;
    const std::string request = "POST / HTTP/1.1\r\nA: b\r\n" + std::string(row.fields) + "\r\n";
    const std::string response = "HTTP/1.1 200 OK\r\nA: b\r\n" + std::string(row.fields) + "\r\n";
    ASSERT_EQ(parse_head(as_bytes(request), HeadKind::request, {}, message, facts).status, HeadStatus::complete);
    EXPECT_EQ(request_framing(facts).kind, row.request) << row.fields;
    ASSERT_EQ(parse_head(as_bytes(response), HeadKind::response, {}, message, facts).status, HeadStatus::complete);
    EXPECT_EQ(response_framing(facts, RequestMethod::other).kind, row.response) << row.fields;
    EXPECT_EQ(response_framing(facts, RequestMethod::head).kind, Kind::none) << row.fields;
    EXPECT_EQ(response_framing(facts, RequestMethod::connect).kind, Kind::tunnel) << row.fields;
  }
}

TEST(ChunkedDecoder, tells_how_much_data_is_ahead) {
  ChunkedDecoder decoder;
  auto progress = decoder.feed(as_bytes("400;a=\"b;c\"\r\nxy"), {});
  EXPECT_EQ(progress.status, ChunkedDecoder::Status::need_more);
  EXPECT_EQ(decoder.data_ahead(), 1022U);
  decoder.skip(1022);
  progress = decoder.feed(as_bytes("\r\n1\r\nz\r\n000\r\nT: 1\r\nU: 2\r\n\r\nGET"), {});
  EXPECT_EQ(progress.status, ChunkedDecoder::Status::done);
  EXPECT_EQ(progress.consumed, 27U);
  EXPECT_EQ(decoder.body_bytes(), 1025U);
  EXPECT_TRUE(decoder.anomalies().empty());
}

TEST(ChunkedDecoder, refuses) {
  for (std::string_view bad :
       {"\r\n", "g", "-1\r\n", "5x", "5\rx", "10000000000000000\r\n", "1\r\nab", "1\r\na\rb", "0\r\n\rx", "5 5\r\n"}) {
    ChunkedDecoder decoder;
    EXPECT_EQ(decoder.feed(as_bytes(bad), {}).status, ChunkedDecoder::Status::invalid) << bad;
  }
  HttpLimits limits;
  limits.chunk_line_bytes_max = 20;
  ChunkedDecoder decoder;
  EXPECT_EQ(decoder.feed(as_bytes("5;" + std::string(40, 'x')), limits).status, ChunkedDecoder::Status::invalid);
}

TEST(ChunkedDecoder, flags_dirt) {
  ChunkedDecoder decoder;
  EXPECT_EQ(decoder.feed(as_bytes("1 \r\nx\n0\n\n"), {}).status, ChunkedDecoder::Status::done);
  EXPECT_TRUE(decoder.anomalies().has(HttpAnomaly::chunk_size_whitespace));
  EXPECT_TRUE(decoder.anomalies().has(HttpAnomaly::chunk_bare_lf));
}

}  // namespace
}  // namespace tracer
