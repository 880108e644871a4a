#include "core/router.h"

#include <gtest/gtest.h>

namespace tracer {
namespace {

Match starts_with_req(Bytes prefix) {
  const std::string_view text = as_text(prefix), mark = "REQ ";
  if (text.substr(0, mark.size()) != mark.substr(0, text.size())) return Match::no;
  return text.size() >= mark.size() ? Match::yes : Match::maybe;
}

Router make_router() {
  return Router({AnalyzerEntry{"fake", starts_with_req, [](AnalyzerHost&, std::optional<Side>) { return nullptr; }}});
}

std::string_view named(std::string_view prefix) {
  const Guess guess = make_router().guess(as_bytes(prefix));
  return guess.match == Match::yes ? guess.protocol : guess.match == Match::maybe ? "?" : "-";
}

TEST(Router, NamesProtocolsByTheirFirstBytes) {
  EXPECT_EQ(named("REQ 1"), "fake");
  EXPECT_EQ(named(std::string_view("\x16\x03\x01\x02\x00\x01", 6)), "TLS");
  EXPECT_EQ(named(std::string_view("\x17\x03\x03\x00\x20", 5)), "TLS");
  EXPECT_EQ(named("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "HTTP/2");
  EXPECT_EQ(named("SSH-2.0-OpenSSH_9.2"), "SSH");
  EXPECT_EQ(named("220 mail.example ESMTP"), "-");
}

TEST(Router, WaitsForMoreWhileItCouldStillBecomeSomething) {
  EXPECT_EQ(named(""), "?");
  EXPECT_EQ(named("RE"), "?");
  EXPECT_EQ(named("PRI * HT"), "?");
  EXPECT_EQ(named("\x16\x03"), "?");
  EXPECT_EQ(named("REX"), "-");
}

TEST(Router, ATlsRecordHasALengthThatIsAllowed) {
  EXPECT_EQ(looks_like_tls(as_bytes(std::string_view("\x16\x03\x01\x00\x00", 5))), Match::no);
  EXPECT_EQ(looks_like_tls(as_bytes(std::string_view("\x16\x03\x01\xff\xff", 5))), Match::no);
  EXPECT_EQ(looks_like_tls(as_bytes(std::string_view("\x16\x03\x09\x01\x00", 5))), Match::no);
}

TEST(Router, SaysWhichAnalyzerTakesIt) {
  const Router router = make_router();
  EXPECT_NE(router.guess(as_bytes("REQ 1")).analyzer, nullptr);
  EXPECT_EQ(router.guess(as_bytes("SSH-2.0")).analyzer, nullptr);
}

}  // namespace
}  // namespace tracer
