#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/http/http_harness.h"

namespace tracer {
namespace {

using test::Conversation;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view get_a = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";  // 28 bytes
constexpr std::string_view get_b = "GET /b HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view ok_5 = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";  // 38 + 5

// Input that must give the same records however it is cut: one row, one conversation, records as text.
struct Case {
  std::string name;
  std::vector<std::pair<char, std::string>> says;  // c: client, s: server
  std::vector<std::string> records;
  std::string left_for = "";
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::vector<Case> cases = {
    {"get",
     {{'c', std::string(get_a)}, {'s', std::string(ok_5)}},
     {"GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}"}},
    {"keep_alive",
     {{'c', std::string(get_a)}, {'s', std::string(ok_5)}, {'c', std::string(get_b)}, {'s', std::string(ok_5)}},
     {"GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}", "GET /b HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}"}},
    {"pipelined",
     {{'c', std::string(get_a) + std::string(get_b)},
      {'s', std::string(ok_5) + "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}},
     {"GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}", "GET /b HTTP/1.1 {28+0} -> HTTP/1.1 404 Not Found {45+0}"}},
    {"head_has_no_body",
     {{'c', "HEAD /a HTTP/1.1\r\n\r\n"},
      {'s', "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"},
      {'c', std::string(get_b)},
      {'s', std::string(ok_5)}},
     {"HEAD /a HTTP/1.1 {20+0} -> HTTP/1.1 200 OK {41+0}", "GET /b HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}"}},
    {"no_content_and_not_modified",
     {{'c', std::string(get_a)},
      {'s', "HTTP/1.1 204 No Content\r\n\r\n"},
      {'c', std::string(get_b)},
      {'s', "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"},
      {'c', std::string(get_a)},
      {'s', std::string(ok_5)}},
     {"GET /a HTTP/1.1 {28+0} -> HTTP/1.1 204 No Content {27+0}",
      "GET /b HTTP/1.1 {28+0} -> HTTP/1.1 304 Not Modified {49+0}",
      "GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}"}},
    {"expect_continue",
     {{'c', "PUT /u HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"},
      {'s', "HTTP/1.1 100 Continue\r\n\r\n"},
      {'c', "data"},
      {'s', "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"}},
     {"PUT /u HTTP/1.1 {60+4} -> HTTP/1.1 201 Created {43+0} interim=1"}},
    {"early_hints",
     {{'c', std::string(get_a)}, {'s', "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"}, {'s', std::string(ok_5)}},
     {"GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5} interim=1"}},
    {"expectation_refused_body_sent_anyway",
     {{'c', "PUT /u HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"},
      {'s', "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"},
      {'c', "\x01\x02\x03\x04"},
      {'c', std::string(get_a)},
      {'s', std::string(ok_5)}},
     {"PUT /u HTTP/1.1 {60+4} -> HTTP/1.1 403 Forbidden {45+0}", "GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}"}},
    {"chunked_with_extension_trailer_and_http_inside",
     {{'c', std::string(get_a)},
      {'s',
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10;n=\"v\"\r\nHTTP/1.1 999 X\r\n\r\nD\r\nGET / HTTP/1.\r\n"
       "0\r\nX-Sum: 1\r\n\r\n"},
      {'c', std::string(get_b)},
      {'s', std::string(ok_5)}},
     {"GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {47+29}", "GET /b HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}"}},
    {"body_that_looks_like_http",
     {{'c', "POST /p HTTP/1.1\r\nContent-Length: 28\r\n\r\n" + std::string(get_a)},
      {'s', "HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n" + std::string(ok_5)}},
     {"POST /p HTTP/1.1 {40+28} -> HTTP/1.1 200 OK {39+43}"}},
    {"http_1_0",
     {{'c', "GET / HTTP/1.0\r\n\r\n"}, {'s', "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"}},
     {"GET / HTTP/1.0 {18+0} -> HTTP/1.0 200 OK {38+2}"}},
    {"close_delimited",
     {{'c', "GET / HTTP/1.0\r\n\r\n"}, {'s', "HTTP/1.0 200 OK\r\n\r\nGET /n HTTP/1.1\r\n\r\n"}},
     {"GET / HTTP/1.0 {18+0} -> HTTP/1.0 200 OK {19+19}"}},
    {"any_token_is_a_method",
     {{'c', "m-search * HTTP/1.1\r\n\r\n"}, {'s', "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"}},
     {"m-search * HTTP/1.1 {23+0} -> HTTP/1.1 200 {36+0}"}},
    {"status_line_without_text",
     {{'c', std::string(get_a)}, {'s', "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"}},
     {"GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 {35+0}"}},
    {"empty_lines_before_request",
     {{'c', "\r\n\n" + std::string(get_a)},
      {'s', std::string(ok_5)},
      {'c', "\r\n" + std::string(get_b)},
      {'s', std::string(ok_5)}},
     {"GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}", "GET /b HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}"}},
    {"connect",
     {{'c', "CONNECT h:443 HTTP/1.1\r\n\r\n"},
      {'s', "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"},
      {'c', "\x16\x03"},
      {'s', "GET / HTTP/1.1\r\n\r\n"}},
     {"CONNECT h:443 HTTP/1.1 {26+0} -> HTTP/1.1 200 OK {38+0}"},
     "tunnel"},
    {"connect_refused",
     {{'c', "CONNECT h:443 HTTP/1.1\r\n\r\n"},
      {'s', "HTTP/1.1 407 Auth\r\nContent-Length: 1\r\n\r\nx"},
      {'c', std::string(get_a)},
      {'s', std::string(ok_5)}},
     {"CONNECT h:443 HTTP/1.1 {26+0} -> HTTP/1.1 407 Auth {40+1}", "GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}"}},
    {"websocket",
     {{'c', "GET /ws HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"},
      {'s', "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n\x81\x05hello"}},
     {"GET /ws HTTP/1.1 {73+0} -> HTTP/1.1 101 Switching Protocols {56+0}"},
     "websocket"},
    {"upgrade_declined",
     {{'c', "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"},
      {'s', std::string(ok_5)},
      {'c', std::string(get_b)},
      {'s', std::string(ok_5)}},
     {"GET / HTTP/1.1 {53+0} -> HTTP/1.1 200 OK {38+5}", "GET /b HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}"}},
    // Shapes used for request smuggling, and other dirt.
    {"both_lengths",
     {{'c', "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"},
      {'s', std::string(ok_5)}},
     {"POST / HTTP/1.1 {66+1} -> HTTP/1.1 200 OK {38+5} !content-length-and-transfer-encoding"}},
    {"repeated_length",
     {{'c', "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\ncontent-length:3\r\n\r\nabc"}, {'s', std::string(ok_5)}},
     {"POST / HTTP/1.1 {59+3} -> HTTP/1.1 200 OK {38+5} !repeated-content-length"}},
    {"conflicting_length",
     {{'c', "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"},
      {'s', "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"}},
     {"POST / HTTP/1.1 {57+?} -> HTTP/1.1 400 Bad {39+0} !repeated-content-length !conflicting-content-length"
      " incomplete: conflicting_content_length"}},
    {"invalid_length",
     {{'c', "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc"},
      {'s', "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"}},
     {"POST / HTTP/1.1 {39+?} -> HTTP/1.1 400 Bad {39+0} !invalid-content-length incomplete: invalid_content_length"}},
    {"length_over_63_bits",
     {{'c', "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"},
      {'s', "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"}},
     {"POST / HTTP/1.1 {57+?} -> HTTP/1.1 400 Bad {39+0} !invalid-content-length incomplete: invalid_content_length"}},
    {"space_before_colon",
     {{'c', "GET / HTTP/1.1\r\nX-A : b\r\n\r\n"}, {'s', std::string(ok_5)}},
     {"GET / HTTP/1.1 {27+0} -> HTTP/1.1 200 OK {38+5} !space-before-colon"}},
    {"space_before_colon_of_length",
     {{'c', "POST / HTTP/1.1\r\nContent-Length : 3\r\n\r\nabc"},
      {'s', "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"}},
     {"POST / HTTP/1.1 {39+?} -> HTTP/1.1 400 Bad {39+0} !space-before-colon incomplete: damaged_length_field"}},
    {"obs_fold",
     {{'c', "GET / HTTP/1.1\r\nX-A: b\r\n \t c\r\n\td\r\nX-B: e\r\n\r\n"}, {'s', std::string(ok_5)}},
     {"GET / HTTP/1.1 {44+0} -> HTTP/1.1 200 OK {38+5} !obs-fold"}},
    {"bare_lf",
     {{'c', "GET / HTTP/1.1\nHost: x\n\n"}, {'s', "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi"}},
     {"GET / HTTP/1.1 {24+0} -> HTTP/1.1 200 OK {35+2} !bare-lf"}},
    {"chunked_not_last_in_request",
     {{'c', "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"},
      {'s', "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"}},
     {"POST / HTTP/1.1 {53+?} -> HTTP/1.1 400 Bad {39+0} !transfer-encoding-not-chunked-last"
      " incomplete: faulty_transfer_encoding"}},
    {"chunked_not_last_in_response",
     {{'c', std::string(get_a)}, {'s', "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nzzz"}},
     {"GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {44+3} !transfer-encoding-not-chunked-last"}},
    {"chunked_twice",
     {{'c', "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {'s', "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"}},
     {"POST / HTTP/1.1 {75+?} -> HTTP/1.1 400 Bad {39+0} !repeated-chunked incomplete: faulty_transfer_encoding"}},
    {"chunked_in_http_1_0",
     {{'c', "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {'s', "HTTP/1.0 400 Bad\r\nContent-Length: 0\r\n\r\n"}},
     {"POST / HTTP/1.0 {47+?} -> HTTP/1.0 400 Bad {39+0} !http-1.0-transfer-encoding"
      " incomplete: faulty_transfer_encoding"}},
    {"invalid_chunk_size",
     {{'c', std::string(get_a)}, {'s', "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n"}},
     {"GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {47+?} incomplete: invalid_chunk"}},
    {"chunk_longer_than_said",
     {{'c', std::string(get_a)}, {'s', "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n"}},
     {"GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {47+?} incomplete: invalid_chunk"}},
    {"header_without_colon",
     {{'c', "GET / HTTP/1.1\r\nnonsense\r\n\r\n"}, {'s', "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"}},
     {"GET / HTTP/1.1 {0+?} -> HTTP/1.1 400 Bad {39+0} incomplete: invalid_header"}},
    {"whitespace_before_headers",
     {{'c', "GET / HTTP/1.1\r\n X: y\r\n\r\n"}, {'s', "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"}},
     {"GET / HTTP/1.1 {0+?} -> HTTP/1.1 400 Bad {39+0} incomplete: whitespace_before_headers"}},
    {"control_characters_are_kept",
     {{'c', "GET /\x1b[31m HTTP/1.1\r\nX: a\x07\r\n\r\n"}, {'s', std::string(ok_5)}},
     {"GET /\x1b[31m HTTP/1.1 {30+0} -> HTTP/1.1 200 OK {38+5} !control-character"}},
    {"invalid_status_line",
     {{'c', std::string(get_a)}, {'s', "HTTP/1.1 20x OK\r\n\r\n"}},
     {"GET /a HTTP/1.1 {28+0} -> - incomplete: invalid_status_line"}},
    {"http2", {{'c', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}}, {}, "HTTP/2"},
};

class Conversations : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Http, Conversations, testing::ValuesIn(cases),
                         [](const auto& param_info) { return param_info.param.name; });

TEST_P(Conversations, in_one_piece_each) {
  Conversation talk(Side::a);
  for (const auto& [who, text] : GetParam().says) who == 'c' ? talk.client(text) : talk.server(text);
  talk.close();
  EXPECT_EQ(talk.host.lines, GetParam().records);
  EXPECT_EQ(talk.host.left_for, GetParam().left_for);
}

TEST_P(Conversations, byte_by_byte) {
  Conversation talk(Side::a);
  for (const auto& [who, text] : GetParam().says) talk.say_bytewise(who == 'c' ? Side::a : Side::b, text);
  talk.close();
  EXPECT_EQ(talk.host.lines, GetParam().records);
  EXPECT_EQ(talk.host.left_for, GetParam().left_for);
}

TEST_P(Conversations, from_either_side_without_being_told) {
  if (GetParam().name == "http2") GTEST_SKIP() << "not HTTP/1.x: the router does not bring it here";
  for (const bool bytewise : {false, true}) {
    Conversation talk;
    for (const auto& [who, text] : GetParam().says) {
      const Side side = who == 'c' ? Side::b : Side::a;
      bytewise ? talk.say_bytewise(side, text) : talk.say(side, text);
    }
    talk.close();
    EXPECT_EQ(talk.host.lines, GetParam().records);
    EXPECT_EQ(talk.host.client, Side::b);
  }
}

TEST(HttpAnalyzer, fills_headers_offsets_and_times) {
  Conversation talk(Side::a);
  talk.client("POST /p?q HTTP/1.1\r\nHost:  x \r\nX: 1\r\nx: 2\r\nContent-Le").client("ngth: 3\r\n\r\nab").client("c");
  talk.server("HTTP/1.1 200 All is well\r\nContent-Length: 2\r\n\r\nh").server("i");
  const HttpTransaction& seen = talk.host.last;
  ASSERT_EQ(seen.request.headers.size(), 4U);
  EXPECT_EQ(seen.request.header("HOST"), "x");
  EXPECT_EQ(seen.request.view(seen.request.headers[1].name), "X");
  EXPECT_EQ(seen.request.view(seen.request.headers[2].name), "x");
  EXPECT_EQ(seen.request.view(seen.request.headers[2].value), "2");
  EXPECT_EQ(seen.request.header("none"), std::nullopt);
  EXPECT_EQ(seen.request.first_offset, 1000U);
  EXPECT_EQ(seen.request.end_offset, talk.offset(Side::a));
  EXPECT_EQ(seen.request.first_at.ns, 1'001'000'000U);
  EXPECT_EQ(seen.request.end_at.ns, 1'003'000'000U);
  EXPECT_EQ(seen.response.view(seen.response.status_text), "All is well");
  EXPECT_EQ(seen.response.first_at.ns, 1'004'000'000U);
  EXPECT_EQ(seen.response.end_at.ns, 1'005'000'000U);
  EXPECT_TRUE(seen.complete);
  EXPECT_THAT(talk.host.missing, IsEmpty());
}

TEST(HttpAnalyzer, close_delimited_body_ends_with_its_last_byte) {
  Conversation talk(Side::a);
  talk.client("GET / HTTP/1.0\r\n\r\n").server("HTTP/1.0 200 OK\r\n\r\nab").server("c").wait(900).server_end();
  EXPECT_THAT(talk.host.lines, ElementsAre("GET / HTTP/1.0 {18+0} -> HTTP/1.0 200 OK {19+3}"));
  EXPECT_EQ(talk.host.last.response.end_offset, talk.offset(Side::b));
  EXPECT_EQ(talk.host.last.response.end_at.ns, 1'003'000'000U);
}

TEST(HttpAnalyzer, obs_fold_becomes_one_space) {
  Conversation talk(Side::a);
  talk.client("GET / HTTP/1.1\r\nA: b\r\n \t c\r\n\td \r\nB:\r\n e\r\nC: f\r\n \r\n\r\n").server(ok_5);
  EXPECT_EQ(talk.host.last.request.header("a"), "b c d");
  EXPECT_EQ(talk.host.last.request.header("b"), "e");
  EXPECT_EQ(talk.host.last.request.header("c"), "f");
}

TEST(HttpAnalyzer, response_may_come_before_its_request) {
  Conversation talk(Side::a);
  talk.client(get_a).server(ok_5).server(ok_5).server("HTTP/1.1 204 N\r\n\r\n");
  const EventTime later = talk.now;
  talk.analyzer.on_bytes(Side::a, talk.offset(Side::a), as_bytes(get_b), later);
  talk.offset(Side::a) += get_b.size();
  EXPECT_EQ(talk.host.lines.size(), 2U);
  talk.client(get_a);
  EXPECT_THAT(talk.host.lines, ElementsAre("GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}",
                                           "GET /b HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}",
                                           "GET /a HTTP/1.1 {28+0} -> HTTP/1.1 204 N {18+0}"));
}

TEST(HttpAnalyzer, response_without_request_is_a_record_after_the_wait) {
  Conversation talk(Side::a);
  talk.server(ok_5).wait(240);
  EXPECT_THAT(talk.host.lines, IsEmpty());
  talk.wait(20);
  EXPECT_THAT(talk.host.lines, ElementsAre("- -> HTTP/1.1 200 OK {38+?} incomplete: no_request"));
  EXPECT_THAT(talk.host.missing, ElementsAre("request", "response.body_bytes"));
  talk.client(get_b).server(ok_5);
  EXPECT_EQ(talk.host.lines.back(), "GET /b HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}");
  EXPECT_EQ(talk.analyzer.counters().held_expired, 1U);
}

TEST(HttpAnalyzer, held_bytes_are_bounded) {
  HttpLimits limits;
  limits.held_bytes_max = 100;
  Conversation talk(Side::a, limits);
  talk.server("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n").server(std::string(200, 'x'));
  EXPECT_THAT(talk.host.lines, ElementsAre("- -> HTTP/1.1 200 OK {40+?} incomplete: no_request"));
  EXPECT_EQ(talk.analyzer.counters().held_over_limit, 1U);
}

TEST(HttpAnalyzer, request_without_response) {
  Conversation talk(Side::a);
  talk.client(get_a).close();
  Conversation cut(Side::a);
  cut.client(get_a).client_end(StreamEnd::cut).server_end(StreamEnd::cut);
  EXPECT_THAT(talk.host.lines, ElementsAre("GET /a HTTP/1.1 {28+0} -> - incomplete: no_response"));
  EXPECT_THAT(talk.host.missing, ElementsAre("response"));
  EXPECT_THAT(cut.host.lines, ElementsAre("GET /a HTTP/1.1 {28+0} -> - incomplete: trace_end"));
}

TEST(HttpAnalyzer, messages_cut_short_by_the_end) {
  Conversation in_body(Side::a), in_head(Side::a), in_request(Side::a), until_close(Side::a);
  in_body.client(get_a).server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab").close();
  in_head.client(get_a).server("HTTP/1.1 200 OK\r\nContent-Le").close();
  in_request.client("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab").close();
  until_close.client(get_a).server("HTTP/1.1 200 OK\r\n\r\nab").server_end(StreamEnd::cut);
  EXPECT_THAT(in_body.host.lines,
              ElementsAre("GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+?} incomplete: connection_closed"));
  EXPECT_THAT(in_head.host.lines,
              ElementsAre("GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {0+?} incomplete: connection_closed"));
  EXPECT_THAT(in_head.host.missing, ElementsAre("response.headers", "response.header_bytes", "response.body_bytes"));
  EXPECT_THAT(in_request.host.lines, ElementsAre("POST / HTTP/1.1 {38+?} -> - incomplete: connection_closed"));
  EXPECT_THAT(until_close.host.lines,
              ElementsAre("GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {19+?} incomplete: trace_end"));
}

TEST(HttpAnalyzer, half_closed_client_still_gets_its_response) {
  Conversation talk(Side::a);
  talk.client(get_a).client_end().server(ok_5).server_end();
  EXPECT_THAT(talk.host.lines, ElementsAre("GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}"));
}

constexpr std::string_view put_expecting = "PUT /u HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
constexpr std::string_view refused_417 = "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n";

TEST(HttpAnalyzer, refused_expectation_repeated_without_it) {
  Conversation talk(Side::a);
  talk.client(put_expecting)
      .server(refused_417)
      .client("PUT /u HTTP/1.1\r\nContent-Length: 4\r\n\r\n")
      .client("data")
      .server(ok_5);
  EXPECT_THAT(talk.host.lines, ElementsAre("PUT /u HTTP/1.1 {60+0} -> HTTP/1.1 417 No {38+0}",
                                           "PUT /u HTTP/1.1 {38+4} -> HTTP/1.1 200 OK {38+5}"));
}

TEST(HttpAnalyzer, refused_expectation_then_closed) {
  Conversation talk(Side::a);
  talk.client(put_expecting).server(refused_417).close();
  EXPECT_THAT(talk.host.lines, ElementsAre("PUT /u HTTP/1.1 {60+0} -> HTTP/1.1 417 No {38+0}"));
}

TEST(HttpAnalyzer, refused_expectation_then_who_knows) {
  Conversation talk(Side::a);
  talk.client(put_expecting).server(refused_417).client(get_a).server(ok_5);
  EXPECT_THAT(talk.host.lines,
              testing::Contains("PUT /u HTTP/1.1 {60+?} -> HTTP/1.1 417 No {38+0} incomplete: expectation_ambiguous"));
}

TEST(HttpAnalyzer, final_response_before_the_body_is_sent) {
  Conversation talk(Side::a);
  talk.client("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nab")
      .server("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(talk.host.lines, IsEmpty());
  talk.client("cdef");
  EXPECT_THAT(talk.host.lines, ElementsAre("POST / HTTP/1.1 {38+6} -> HTTP/1.1 413 Too Large {45+0}"));
}

TEST(HttpAnalyzer, a_start_that_was_missed_is_never_complete) {
  Conversation talk;
  talk.say(Side::b, " 200 OK\r\no").say(Side::a, get_a).say(Side::b, "HTTP/ not a response");
  EXPECT_THAT(talk.host.lines, ElementsAre("GET /a HTTP/1.1 {28+0} -> - incomplete: begun_in_mid_stream"));
}

TEST(HttpAnalyzer, bytes_after_connect_wait_for_the_answer) {
  Conversation talk(Side::a);
  talk.client("CONNECT h:80 HTTP/1.1\r\n\r\n").client(get_a).client_gap(5).server("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_THAT(talk.host.lines, ElementsAre("CONNECT h:80 HTTP/1.1 {25+0} -> HTTP/1.1 200 OK {19+0}"));
  EXPECT_EQ(talk.host.left_for, "tunnel");
}

TEST(HttpAnalyzer, asks_only_for_what_it_needs) {
  Conversation talk(Side::a);
  talk.client("POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n1234").client_gap(199996);
  talk.server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nab")
      .server_gap(0xffff - 2)
      .server("\r\n0\r\n\r\n");
  EXPECT_THAT(talk.host.lines, ElementsAre("POST / HTTP/1.1 {43+200000} -> HTTP/1.1 200 OK {47+65535}"));
  EXPECT_THAT(talk.host.hints,
              ElementsAre("a skip 201043", "b whole", "b skip " + std::to_string(5000 + 47 + 6 + 65535), "b normal"));
}

TEST(HttpAnalyzer, small_bodies_are_not_worth_a_verdict) {
  Conversation talk(Side::a);
  talk.client(get_a).server(ok_5);
  EXPECT_THAT(talk.host.hints, IsEmpty());
}

TEST(HttpAnalyzer, limits_are_kept_and_counted) {
  HttpLimits limits;
  limits.head_bytes_max = 100;
  limits.headers_max = 2;
  limits.pipeline_depth_max = 2;
  Conversation long_head(Side::a, limits), many(Side::a, limits), deep(Side::a, limits);
  long_head.client("GET / HTTP/1.1\r\nX: " + std::string(200, 'x')).server(refused_417);
  many.client("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n").server(refused_417);
  deep.client(std::string(get_a) + std::string(get_a) + std::string(get_b));
  deep.server(std::string(ok_5)).server(ok_5).server(ok_5);
  EXPECT_THAT(long_head.host.lines,
              ElementsAre("GET / HTTP/1.1 {0+?} -> HTTP/1.1 417 No {38+0} incomplete: head_too_large"));
  EXPECT_THAT(many.host.lines,
              ElementsAre("GET / HTTP/1.1 {0+?} -> HTTP/1.1 417 No {38+0} incomplete: head_too_large"));
  EXPECT_EQ(long_head.analyzer.counters().heads_over_limit + many.analyzer.counters().heads_over_limit, 2U);
  EXPECT_THAT(deep.host.lines, ElementsAre("GET /b HTTP/1.1 {28+0} -> - incomplete: out_of_sync",
                                           "GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}",
                                           "GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}"));
  EXPECT_EQ(deep.analyzer.counters().pipeline_over_limit, 1U);
}

}  // namespace
}  // namespace tracer
