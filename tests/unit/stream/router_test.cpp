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

// RFC 9113 section 3.4: a server need not wait for the client's preface.
TEST(Router, TheSettingsOfAServerNameHttp2) {
  const std::string settings("\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64", 15);
  EXPECT_EQ(named(settings), "HTTP/2");
  EXPECT_EQ(named(std::string_view("\0\0\0\x04\0\0\0\0\0", 9)), "HTTP/2") << "none is set";
  for (std::size_t size = 1; size < 9; ++size) EXPECT_EQ(named(settings.substr(0, size)), "?") << size;
  for (const std::size_t wrong : {0U, 1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U}) {
    std::string other = settings;
    other[wrong] = static_cast<char>(other[wrong] + 1);
    EXPECT_EQ(named(other), "-") << wrong;
  }
}

TEST(Router, ATlsRecordHasALengthThatIsAllowed) {
  EXPECT_EQ(looks_like_tls(as_bytes(std::string_view("\x16\x03\x01\x00\x00", 5))), Match::no);
  EXPECT_EQ(looks_like_tls(as_bytes(std::string_view("\x16\x03\x01\xff\xff", 5))), Match::no);
  EXPECT_EQ(looks_like_tls(as_bytes(std::string_view("\x16\x03\x09\x01\x00", 5))), Match::no);
}

// RFC 5246 appendix E.2: nothing marks it, but all lengths have to agree.
TEST(Router, ASslv2HelloIsNamedWhenItsLengthsAgree) {
  const std::string_view hello("\x80\x1c\x01\x03\x01\x00\x03\x00\x00\x00\x10\x00\x00\x2f", 14);
  for (std::size_t size = 1; size < 11; ++size)
    EXPECT_EQ(looks_like_tls(as_bytes(hello.substr(0, size))), Match::maybe);
  EXPECT_EQ(named(hello), "TLS");
  for (const std::size_t wrong : {1U, 2U, 3U, 6U, 8U, 10U}) {
    std::string other(hello);
    other[wrong] = '\x55';
    EXPECT_EQ(named(other), "-") << wrong;
  }
}

TEST(Router, AProtocolThatItKnowsMayHaveAnAnalyzer) {
  const auto make = [](AnalyzerHost&, std::optional<Side>) { return nullptr; };
  const Router router({AnalyzerEntry{"fake", starts_with_req, {}}, AnalyzerEntry{"TLS", nullptr, make}});
  const Bytes tls = as_bytes(std::string_view("\x16\x03\x01\x02\x00\x01", 6));
  ASSERT_NE(router.guess(tls).analyzer, nullptr);
  EXPECT_EQ(router.guess(tls).analyzer->protocol, "TLS");
  const Guess named_only = router.guess(as_bytes("REQ 1"));
  EXPECT_EQ(named_only.match, Match::yes);
  EXPECT_EQ(named_only.protocol, "fake");
  EXPECT_EQ(named_only.analyzer, nullptr) << "it is left alone";
  EXPECT_EQ(router.guess(as_bytes("SSH-2.0")).analyzer, nullptr);
}

TEST(Router, SaysWhichAnalyzerTakesIt) {
  const Router router = make_router();
  EXPECT_NE(router.guess(as_bytes("REQ 1")).analyzer, nullptr);
  EXPECT_EQ(router.guess(as_bytes("SSH-2.0")).analyzer, nullptr);
}

}  // namespace
}  // namespace tracer
