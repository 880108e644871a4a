// Capture files: good ones, damaged ones, and what is none.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "backends/pcap/pcap_backend.h"
#include "tests/unit/pcap/packet_bytes.h"
#include "tests/unit/pcap/recorder.h"

namespace tracer {
namespace {

using namespace test;

// In the byte order of this machine, as its own tools would write it.
template <typename Number>
std::string raw(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}
std::string pcap_head(std::uint32_t link, bool nanoseconds = true) {
  return raw(nanoseconds ? 0xa1b2'3c4dU : 0xa1b2'c3d4U) + raw<std::uint16_t>(2) + raw<std::uint16_t>(4) + raw(0U) +
         raw(0U) + raw(262'144U) + raw(link);
}
std::string pcap_packet(const std::string& bytes, std::uint32_t seconds = 7, std::uint32_t fraction = 123) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  return raw(seconds) + raw(fraction) + raw(size) + raw(size) + bytes;
}
std::string ng_block(std::uint32_t type, std::string body) {
  body.resize((body.size() + 3) / 4 * 4);
  const auto size = static_cast<std::uint32_t>(body.size() + 12);
  return raw(type) + raw(size) + body + raw(size);
}
std::string ng_head() {
  return ng_block(0x0a0d'0d0a, raw(0x1a2b'3c4dU) + raw<std::uint16_t>(1) + raw<std::uint16_t>(0) + raw(~0ULL));
}
std::string ng_interface(std::uint16_t link) {
  return ng_block(1, raw(link) + raw<std::uint16_t>(0) + raw(262'144U) + raw<std::uint16_t>(9) + raw<std::uint16_t>(1) +
                         std::string("\x09\0\0\0", 4) + raw(0U));
}
std::string ng_packet(std::uint32_t interface, const std::string& bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  return ng_block(6, raw(interface) + raw(1U) + raw(500U) + raw(size) + raw(size) + bytes);
}

constexpr std::uint32_t ethernet_link = 1, raw_link = 101, wifi_link = 105;

class CaptureFile : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/tracer-pcap-XXXXXX";
    const int file = ::mkstemp(static_cast<char*>(name));
    ASSERT_GE(file, 0);
    ::close(file);
    path_ = static_cast<char*>(name);
  }
  void TearDown() override { ::unlink(path_.c_str()); }
  void write(const std::string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }

  // Drains to its end; the error, if that was one.
  std::optional<Error> read(std::size_t budget = 4096) {
    Result<OpenedBackend> opened = open_pcap_file(path_, {});
    if (!opened) return opened.error();
    opened_ = std::move(*opened);
    for (int i = 0; i < 100'000; ++i) {
      const Result<Drained> drained = opened_.backend->drain(recorder_, budget);
      if (!drained) {
        EXPECT_EQ(opened_.backend->drain(recorder_, budget).value(), Drained::ended) << "after the error";
        return drained.error();
      }
      if (*drained == Drained::ended) return std::nullopt;
    }
    ADD_FAILURE() << "never ends";
    return std::nullopt;
  }

  std::string path_;
  OpenedBackend opened_;
  Recorder recorder_;
};

std::string three_packets() {
  std::string text;
  for (std::uint32_t i = 0; i < 3; ++i) {
    text += pcap_packet(ethernet(ip4(tcp("12345", {.seq = 100 + i * 5}))), 7 + i);
  }
  return text;
}

TEST_F(CaptureFile, IsReadToItsEnd) {
  write(pcap_head(ethernet_link) + three_packets());
  EXPECT_FALSE(read());
  EXPECT_EQ(opened_.kind, BackendKind::pcap);
  EXPECT_EQ(opened_.mechanism, Mechanism::file);
  EXPECT_EQ(opened_.clock, ClockDomain::file);
  ASSERT_EQ(opened_.outcomes.size(), 1U);
  EXPECT_TRUE(opened_.outcomes[0].attached);
  ASSERT_EQ(recorder_.flows.size(), 1U);
  EXPECT_EQ(recorder_.flows[0].sent[0].text(), "123451234512345");
  EXPECT_EQ(recorder_.flows[0].opened_at, EventTime{7'000'000'123});
  EXPECT_EQ(opened_.backend->counters().delivered, 3U);
}

TEST_F(CaptureFile, InMicrosecondsAndInSmallBites) {
  write(pcap_head(raw_link, false) + pcap_packet(ip4(tcp("x-")), 7, 123) +
        pcap_packet(ip4(tcp("y", {.seq = 0x0102'0306}))));
  EXPECT_FALSE(read(1));
  ASSERT_EQ(recorder_.flows.size(), 1U);
  EXPECT_EQ(recorder_.flows[0].sent[0].text(), "x-y");
  EXPECT_EQ(recorder_.flows[0].opened_at, EventTime{7'000'123'000});
}

TEST_F(CaptureFile, Pcapng) {
  write(ng_head() + ng_interface(ethernet_link) + ng_packet(0, ethernet(ip4(tcp("hello")))));
  EXPECT_FALSE(read());
  ASSERT_EQ(recorder_.flows.size(), 1U);
  EXPECT_EQ(recorder_.flows[0].sent[0].text(), "hello");
  EXPECT_EQ(recorder_.flows[0].opened_at, EventTime{(1ULL << 32U) + 500});
}

TEST_F(CaptureFile, TheLastPacketIsCutOff) {
  const std::string whole = pcap_head(ethernet_link) + three_packets();
  write(whole.substr(0, whole.size() - 3));
  const auto error = read();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::malformed);
  EXPECT_NE(error->context.find(path_), std::string::npos);
  EXPECT_NE(error->context.find("truncated"), std::string::npos) << error->context;
  EXPECT_NE(error->context.find("after 2 packets"), std::string::npos) << error->context;
  EXPECT_FALSE(error->suggestion.empty());
  EXPECT_EQ(recorder_.flows.at(0).sent[0].text(), "1234512345") << "what came before the damage";
}

TEST_F(CaptureFile, TwoKindsOfInterfaces) {
  write(ng_head() + ng_interface(ethernet_link) + ng_packet(0, ethernet(ip4(tcp("hello")))) + ng_interface(raw_link) +
        ng_packet(1, ip4(tcp("there"))));
  const auto error = read();
  ASSERT_TRUE(error);
  EXPECT_NE(error->suggestion.find("interface_id"), std::string::npos) << error->context;
  EXPECT_EQ(recorder_.flows.at(0).sent[0].text(), "hello");
}

TEST_F(CaptureFile, OfALinkTypeThatIsNotTakenApart) {
  write(pcap_head(wifi_link) + pcap_packet("something"));
  EXPECT_FALSE(read());
  ASSERT_EQ(opened_.outcomes.size(), 1U);
  EXPECT_FALSE(opened_.outcomes[0].attached);
  EXPECT_NE(opened_.outcomes[0].reason.find("802.11"), std::string::npos) << opened_.outcomes[0].reason;
  ASSERT_EQ(opened_.backend->blind().size(), 1U);
  EXPECT_EQ(opened_.backend->blind()[0].count, 1U);
}

TEST_F(CaptureFile, WhatIsNone) {
  for (const std::string& bytes :
       {std::string(), std::string("GET / HTTP/1.1\r\n\r\n and more of that"), std::string("\0\0\0\0", 4),
        pcap_head(ethernet_link).substr(0, 10), ng_head().substr(0, 9)}) {
    write(bytes);
    const auto error = read();
    ASSERT_TRUE(error) << bytes.size();
    EXPECT_EQ(error->code, Errc::malformed);
    EXPECT_NE(error->context.find(path_), std::string::npos);
    EXPECT_GT(error->context.size(), path_.size() + 20) << "says why";
    EXPECT_FALSE(error->suggestion.empty());
  }
}

TEST_F(CaptureFile, WhatIsNotThere) {
  const Result<OpenedBackend> missing = open_pcap_file(path_ + "/no", {});
  ASSERT_FALSE(missing);
  const Result<OpenedBackend> absent = open_pcap_file("/nonexistent/file.pcap", {});
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Errc::not_found);
  EXPECT_FALSE(open_pcap_file("/tmp", {})) << "a directory";
}

TEST_F(CaptureFile, LengthsThatAreNotTrueEndInAnError) {
  const std::string packet = ethernet(ip4(tcp("12345")));
  write(pcap_head(ethernet_link) + pcap_packet(packet) + raw(1U) + raw(1U) + raw(0x7fff'ffffU) + raw(0x7fff'ffffU) +
        packet);
  ASSERT_TRUE(read());
  EXPECT_EQ(recorder_.flows.at(0).sent[0].text(), "12345");
}

TEST_F(CaptureFile, TimesMayGoBackOrAnywhere) {
  write(pcap_head(ethernet_link) + pcap_packet(ethernet(ip4(tcp("11111", {.seq = 100}))), 4'000'000'000) +
        pcap_packet(ethernet(ip4(tcp("22222", {.seq = 105}))), 5, 4'294'967'295) +
        pcap_packet(ethernet(ip4(tcp("33333", {.seq = 110}))), 0));
  EXPECT_FALSE(read());
  EXPECT_EQ(recorder_.flows.at(0).sent[0].text(), "111112222233333");
}

TEST_F(CaptureFile, FromStandardInput) {
  write(pcap_head(ethernet_link) + three_packets());
  const int saved = ::dup(STDIN_FILENO);
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::dup2(file, STDIN_FILENO), STDIN_FILENO);
  ::close(file);
  Result<OpenedBackend> opened = open_pcap_file("-", {});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->backend->drain(recorder_, 4096).value(), Drained::ended);
  ::dup2(saved, STDIN_FILENO);
  ::close(saved);
  EXPECT_EQ(recorder_.flows.at(0).sent[0].text(), "123451234512345");
}

}  // namespace
}  // namespace tracer
