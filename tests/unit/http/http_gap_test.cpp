// Bytes that were never seen: what can still be said, and what must not be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/http/http_harness.h"

namespace tracer {
namespace {

using test::Conversation;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

// The client is taken to wait for its answers from the start.
constexpr HttpLimits trusting{.waits_min = 0};

constexpr std::string_view get_a = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view get_b = "GET /b HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view get_c = "GET /c HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view ok_5 = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
constexpr std::string_view a_ok = "GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}";
constexpr std::string_view b_ok = "GET /b HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}";
constexpr std::string_view c_ok = "GET /c HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {38+5}";

TEST(HttpGap, inside_bodies_only_counts) {
  Conversation talk(Side::a);
  talk.client("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nab").client_gap(7).client("c");
  talk.server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nab").server_gap(8).server("\r\n0\r\n\r\n");
  talk.client(get_a).server("HTTP/1.1 200 OK\r\n\r\nab").server_gap(100).server_end();
  EXPECT_THAT(talk.host.lines, ElementsAre("POST / HTTP/1.1 {39+10} -> HTTP/1.1 200 OK {47+10}",
                                           "GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {19+102}"));
}

TEST(HttpGap, in_a_response_head) {
  Conversation talk(Side::a, trusting);
  talk.client(get_a).server("HTTP/1.1 200 OK\r\nConte").server_gap(20).server("hello").client(get_b).server(ok_5);
  EXPECT_THAT(talk.host.lines,
              ElementsAre("GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {0+?} incomplete: gap_in_head", b_ok));
  EXPECT_EQ(talk.analyzer.counters().resynchronised, 1U);
}

TEST(HttpGap, in_a_request_head) {
  Conversation talk(Side::a, trusting);
  talk.client("GET /a HTTP/1.1\r\nHo").client_gap(9).server(ok_5).client(get_b).server(ok_5);
  EXPECT_THAT(talk.host.lines,
              ElementsAre("GET /a HTTP/1.1 {0+?} -> HTTP/1.1 200 OK {38+5} incomplete: gap_in_head", b_ok));
}

TEST(HttpGap, in_a_chunk_header) {
  Conversation talk(Side::a, trusting);
  talk.client(get_a)
      .server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe")
      .server_gap(9)
      .server("\r\n0\r\n\r\n");
  talk.client(get_b).server(ok_5);
  EXPECT_THAT(talk.host.lines,
              ElementsAre("GET /a HTTP/1.1 {28+0} -> HTTP/1.1 200 OK {47+?} incomplete: gap_in_chunk_header", b_ok));
}

// One lost event costs at most one transaction, of a client that waits for its answers.
TEST(HttpGap, over_a_whole_request) {
  Conversation talk(Side::a, trusting);
  talk.client(get_a).server(ok_5).server(ok_5).client_gap(28).client(get_c).server(ok_5);
  EXPECT_THAT(talk.host.lines, ElementsAre(a_ok, "- -> HTTP/1.1 200 OK {38+?} incomplete: no_request", c_ok));
}

TEST(HttpGap, over_a_whole_response_known_late) {
  Conversation talk(Side::a, trusting);
  talk.client(get_a).client(get_b).server_gap(43).server(ok_5).client(get_c).server(ok_5);
  EXPECT_THAT(talk.host.lines, ElementsAre("GET /a HTTP/1.1 {28+0} -> - incomplete: gap_before_head", b_ok, c_ok));
}

TEST(HttpGap, over_a_response_head_whose_body_looks_like_a_response) {
  Conversation talk(Side::a, trusting);
  talk.client(get_a).server_gap(40).server("HTTP/1.1 201 Fake\r\nContent-Length: 0\r\n\r\n").client(get_b).server(ok_5);
  EXPECT_THAT(talk.host.lines, ElementsAre("GET /a HTTP/1.1 {28+0} -> - incomplete: gap_before_head", b_ok));
}

TEST(HttpGap, over_a_request_head_whose_body_looks_like_a_request) {
  Conversation talk(Side::a, trusting);
  talk.client(get_a).server(ok_5).client_gap(40).client(get_b).server(ok_5).wait(260).client(get_c).server(ok_5);
  EXPECT_THAT(talk.host.lines, ElementsAre(a_ok, "- -> HTTP/1.1 200 OK {38+?} incomplete: no_request", c_ok));
}

TEST(HttpGap, over_the_end_of_a_body) {
  Conversation talk(Side::a);
  talk.client(get_a).server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe").server_gap(30);
  EXPECT_THAT(talk.host.lines, ElementsAre(a_ok));
}

TEST(HttpGap, in_a_pipeline_is_not_repaired) {
  Conversation talk(Side::a);
  talk.client(std::string(get_a) + std::string(get_b)).server_gap(43).server(ok_5).client(get_c).server(ok_5);
  EXPECT_THAT(talk.host.lines, ElementsAre("GET /a HTTP/1.1 {28+0} -> - incomplete: gap_before_head",
                                           "GET /b HTTP/1.1 {28+0} -> - incomplete: gap_before_head",
                                           "GET /c HTTP/1.1 {28+0} -> - incomplete: out_of_sync"));
}

TEST(HttpGap, everything_paired_behind_it_is_inferred) {
  Conversation talk(Side::a, trusting);
  talk.client(get_a).server(ok_5).client(get_a).server_gap(43).client(get_b).server(ok_5).client(get_c).server(ok_5);
  EXPECT_THAT(talk.host.lines,
              ElementsAre(a_ok, "GET /a HTTP/1.1 {28+0} -> - incomplete: gap_before_head", b_ok, c_ok));
  EXPECT_THAT(talk.host.inferred, ElementsAre(false, false, true, true));
}

// The response stream has no hole, but which of its answers was the hidden request's?
TEST(HttpGap, behind_a_hidden_request_is_inferred_too) {
  Conversation talk(Side::a, trusting);
  talk.client(get_a).server(ok_5).client_gap(28).server(ok_5).client(get_b).server(ok_5).client(get_c).server(ok_5);
  EXPECT_THAT(talk.host.lines, ElementsAre(a_ok, "- -> HTTP/1.1 200 OK {38+?} incomplete: no_request", b_ok, c_ok));
  EXPECT_THAT(talk.host.inferred, ElementsAre(false, false, true, true));
}

TEST(HttpGap, is_repaired_once_the_client_was_seen_to_wait) {
  Conversation talk(Side::a);
  talk.client(get_a).server_gap(43).client(get_a).server(ok_5).client(get_b).server(ok_5).client(get_c).server(ok_5);
  talk.client(get_a).server_gap(43).client(get_b).server(ok_5);
  EXPECT_THAT(talk.host.lines, ElementsAre("GET /a HTTP/1.1 {28+0} -> - incomplete: gap_before_head",
                                           "GET /a HTTP/1.1 {28+0} -> - incomplete: out_of_sync",
                                           "GET /b HTTP/1.1 {28+0} -> - incomplete: out_of_sync", c_ok,
                                           "GET /a HTTP/1.1 {28+0} -> - incomplete: gap_before_head", b_ok));
}

TEST(HttpGap, before_a_first_pipeline_is_not_repaired) {
  Conversation talk(Side::a, trusting);
  // Twenty bytes cannot have answered both.
  talk.client(get_a).server_gap(20).client(get_b).client(get_c).server(ok_5).server(ok_5).client(get_a).server(ok_5);
  talk.close();
  EXPECT_THAT(talk.host.lines, Not(Contains(HasSubstr("-> HTTP"))));
}

// What the pipeline does when a hole in the requests is given up: all that was held behind it comes in one go.
TEST(HttpGap, in_requests_that_come_long_after_their_answers) {
  Conversation talk(Side::a, trusting);
  talk.client(get_a).server(ok_5);
  const EventTime hidden{talk.now.ns + 1'000'000};
  EventTime at = hidden;
  std::uint64_t responses = talk.offset(Side::b), requests = talk.offset(Side::a) + 28;
  for (int i = 0; i < 3; ++i, at.ns += 2'000'000, responses += ok_5.size())
    talk.analyzer.on_bytes(Side::b, responses, as_bytes(ok_5), {at.ns + 1'000'000});
  talk.now.ns = at.ns;
  talk.wait(60);
  talk.analyzer.on_gap(Side::a, requests - 28, 28, GapCause::ring_full, talk.now);
  talk.analyzer.on_bytes(Side::a, requests, as_bytes(get_b), {hidden.ns + 2'000'000});
  talk.analyzer.on_bytes(Side::a, requests + 28, as_bytes(get_c), {hidden.ns + 4'000'000});
  EXPECT_THAT(talk.host.lines, ElementsAre(a_ok, "- -> HTTP/1.1 200 OK {38+?} incomplete: no_request", b_ok, c_ok));
}

TEST(HttpMidStream, all_of_it_is_inferred_where_the_beginning_is_known_to_be_missing) {
  Conversation talk(Side::a);
  talk.analyzer.on_gap(Side::a, talk.offset(Side::a), 0, GapCause::before_attach, talk.now);
  talk.client(get_a).server(ok_5).client(get_b).server(ok_5);
  EXPECT_THAT(talk.host.lines, ElementsAre(a_ok, b_ok));
  EXPECT_THAT(talk.host.inferred, ElementsAre(true, true));
}

TEST(HttpMidStream, of_a_client_that_pipelines_is_not_paired) {
  Conversation talk(Side::a);
  talk.analyzer.on_gap(Side::a, talk.offset(Side::a), 0, GapCause::before_attach, talk.now);
  talk.client(std::string(get_a) + std::string(get_b)).server(ok_5).server(ok_5).close();
  EXPECT_THAT(talk.host.lines, UnorderedElementsAre("GET /a HTTP/1.1 {28+0} -> - incomplete: out_of_sync",
                                                    "GET /b HTTP/1.1 {28+0} -> - incomplete: out_of_sync"));
}

TEST(HttpMidStream, begins_in_a_response_body) {
  Conversation talk;
  talk.server("the rest of something")
      .server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
      .client(get_a)
      .server(ok_5);
  EXPECT_THAT(talk.host.lines, ElementsAre(a_ok));
  EXPECT_EQ(talk.host.client, Side::a);
}

TEST(HttpMidStream, begins_in_a_request_body) {
  Conversation talk;
  talk.client("rest of a body").client(get_b).server(ok_5).wait(260).client(get_c).server(ok_5);
  EXPECT_THAT(talk.host.lines, ElementsAre("- -> HTTP/1.1 200 OK {38+?} incomplete: no_request", c_ok));
}

TEST(HttpMidStream, a_known_client_begins_in_a_body) {
  Conversation talk(Side::a);
  talk.client("rest of a body").client(get_b).server("...").client(get_c).server(ok_5);
  EXPECT_EQ(talk.host.lines.back(), c_ok);
  EXPECT_THAT(talk.host.lines, Not(Contains(HasSubstr("/b"))));
}

TEST(HttpMidStream, a_response_older_than_the_first_request_is_not_its_answer) {
  Conversation talk(Side::a);
  talk.server(ok_5).client(get_b).server(ok_5);
  EXPECT_THAT(talk.host.lines, ElementsAre("- -> HTTP/1.1 200 OK {38+?} incomplete: no_request", b_ok));
}

TEST(HttpMidStream, binary_is_never_http) {
  Conversation talk;
  for (int i = 0; i < 20; ++i) talk.client("\x16\x03\x01\x02").server("\x17\x03\x03");
  talk.close();
  EXPECT_THAT(talk.host.lines, IsEmpty());
  EXPECT_EQ(talk.host.client, std::nullopt);
}

}  // namespace
}  // namespace tracer
