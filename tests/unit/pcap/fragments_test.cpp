// Datagrams from their fragments.
#include "backends/pcap/fragments.h"

#include <gtest/gtest.h>

#include <string>

#include "backends/pcap/packet_pump.h"
#include "tests/unit/pcap/packet_bytes.h"
#include "tests/unit/pcap/recorder.h"

namespace tracer {
namespace {

struct Joiner {
  explicit Joiner(const PcapLimits& limits = {}) : table(limits) {}
  // The datagram, if this was its last piece.
  std::string add(std::uint32_t offset, std::string_view bytes, bool more, std::uint32_t id = 1,
                  std::uint32_t size = 0) {
    IpFragment fragment;
    fragment.id = id;
    fragment.protocol = 6;
    fragment.offset = offset;
    fragment.more = more;
    fragment.bytes = as_bytes(bytes);
    fragment.size = std::max(size, static_cast<std::uint32_t>(bytes.size()));
    FragmentTable::Whole whole;
    if (!table.add(fragment, now, whole)) return {};
    EXPECT_EQ(whole.protocol, 6);
    return std::string(as_text(whole.captured)) + "|" + std::to_string(whole.wire_size);
  }
  FragmentTable table;
  EventTime now{1};
};

TEST(Fragments, InAnyOrder) {
  Joiner it;
  EXPECT_EQ(it.add(16, "end", false), "");
  EXPECT_EQ(it.add(0, "first---", true), "");
  EXPECT_EQ(it.add(8, "second--", true), "first---second--end|19");
  EXPECT_EQ(it.table.counters().datagrams, 1U);
  EXPECT_EQ(it.add(8, "second--", true), "") << "forgotten: begins another one";
}

TEST(Fragments, TheFirstBytesWin) {
  Joiner it;
  EXPECT_EQ(it.add(8, "BBBBBBBB", true), "");
  EXPECT_EQ(it.add(0, "aaaaaaaaaaaaaaaa", true), "");
  EXPECT_EQ(it.add(8, "cccccccczz", false), "aaaaaaaaBBBBBBBBzz|18");
  EXPECT_EQ(it.table.counters().overlapping, 2U);
}

TEST(Fragments, WhatWasNotCapturedEndsIt) {
  Joiner it;
  EXPECT_EQ(it.add(0, "abc", true, 1, 8), "");
  EXPECT_EQ(it.add(8, "def", false), "abc|11");
}

TEST(Fragments, OfDifferentDatagramsStayApart) {
  Joiner it;
  EXPECT_EQ(it.add(0, "11111111", true, 1), "");
  EXPECT_EQ(it.add(8, "22", false, 2), "");
  EXPECT_EQ(it.add(8, "11", false, 1), "1111111111|10");
}

TEST(Fragments, LimitsInNumberAndTime) {
  Joiner it(PcapLimits{.fragmented_max = 2, .fragment_ns = 100});
  for (std::uint32_t id = 1; id <= 3; ++id) EXPECT_EQ(it.add(0, "aaaaaaaa", true, id), "");
  EXPECT_EQ(it.table.counters().incomplete, 1U);
  EXPECT_EQ(it.add(8, "b", false, 1), "") << "the oldest went";
  it.now.ns += 100;
  EXPECT_EQ(it.add(8, "b", false, 3), "") << "too late";
  EXPECT_EQ(it.table.counters().incomplete, 4U);
}

TEST(Fragments, Nonsense) {
  Joiner it;
  EXPECT_EQ(it.add(65'528, "123456789", false), "");
  EXPECT_EQ(it.add(0, "odd", true), "");
  EXPECT_EQ(it.add(0, "", false), "");
  EXPECT_EQ(it.table.counters().malformed, 3U);
}

TEST(Fragments, OfASegmentReachTheTracker) {
  using namespace test;
  Recorder recorder;
  PacketPump pump({}, {}, 0, nullptr);
  const auto packet = [&](const std::string& bytes) {
    pump.on_packet(LinkType::raw_ip, as_bytes(bytes), bytes.size(), EventTime{5}, nullptr, recorder);
  };
  const std::string segment = tcp("a payload in two pieces");
  packet(ip4(segment.substr(24), {.fragment = 3}));
  packet(ip4(segment.substr(0, 24), {.fragment = 0x2000}));
  const std::string other = tcp("and in IPv6", {.seq = 99});
  packet(ip6(u8(6) + u8(0) + u16(1) + u32(9) + other.substr(0, 24), 44));
  packet(ip6(u8(6) + u8(0) + u16(24) + u32(9) + other.substr(24), 44));
  ASSERT_EQ(recorder.flows.size(), 2U);
  EXPECT_EQ(recorder.flows[0].sent[0].text(), "a payload in two pieces");
  EXPECT_EQ(recorder.flows[1].sent[0].text(), "and in IPv6");
}

}  // namespace
}  // namespace tracer
