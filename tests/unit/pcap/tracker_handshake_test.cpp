// How connections begin, which packets belong to which, and what a reset may end.
#include <gtest/gtest.h>

#include "tests/unit/pcap/conversation.h"

namespace tracer {
namespace {

using test::Conversation;
using test::endpoint;
using namespace tcp_flag;

TEST(Handshake, ASynWithDataTellsIt) {
  Conversation talk;
  talk.client({.flags = syn, .payload = "early"});
  talk.server({.ack = 6, .flags = syn | ack});
  talk.client({.seq = 6, .ack = 1, .payload = " bird"});
  EXPECT_EQ(talk.flow().sent[0].text(), "early bird");
}

TEST(Handshake, ARefusedConnectionIsToldWithItsEnd) {
  Conversation talk;
  talk.client({.flags = syn});
  talk.server({.ack = 77, .flags = rst | ack});  // answers something else
  EXPECT_TRUE(talk.recorder.flows.empty());
  talk.server({.ack = 1, .flags = rst | ack});
  ASSERT_EQ(talk.recorder.flows.size(), 1U);
  EXPECT_TRUE(talk.flow().closed);
  EXPECT_FALSE(talk.flow().rx_end);
}

TEST(Handshake, OnlyAResetInTheWindowEnds) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 1, .ack = 1, .payload = "abc"});
  talk.server({.seq = 900'000, .ack = 4, .flags = rst | ack});
  talk.client({.seq = 0xf000'0000, .ack = 1, .flags = rst});
  EXPECT_FALSE(talk.flow().closed);
  EXPECT_EQ(talk.tracker.counters().strange_packets, 2U);
  talk.server({.seq = 1, .ack = 4, .flags = rst | ack});
  EXPECT_TRUE(talk.flow().closed);
}

TEST(Handshake, AnotherHandshakeIsAnotherFlow) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 1, .ack = 1, .payload = "one"});
  talk.client({.seq = 4, .ack = 1, .flags = rst | ack});
  talk.client({.seq = 1, .ack = 1, .payload = "one"});  // late
  talk.client_isn += 1'000'000;
  talk.server_isn += 2'000'000;
  talk.handshake();
  talk.client({.seq = 1, .ack = 1, .payload = "two"});
  ASSERT_EQ(talk.recorder.flows.size(), 2U);
  EXPECT_EQ(talk.flow(0).sent[0].text(), "one");
  EXPECT_EQ(talk.flow(1).sent[0].text(), "two");
  EXPECT_FALSE(talk.flow(1).closed);
}

TEST(Handshake, ASynAloneDoesNotEndAnOpenConnection) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 777, .flags = syn});  // forged, or of a client that forgot
  talk.client({.seq = 1, .ack = 1, .payload = "still here"});
  EXPECT_EQ(talk.flow().sent[0].text(), "still here");
  EXPECT_EQ(talk.recorder.flows.size(), 1U);

  talk.client({.seq = 0x2000'0000, .flags = syn});  // answered, so it was no forgery
  talk.server({.seq = 0x3000'0000, .ack = 0x2000'0001, .flags = syn | ack});
  EXPECT_TRUE(talk.flow(0).closed);
  ASSERT_EQ(talk.recorder.flows.size(), 2U);
  EXPECT_EQ(talk.flow(1).opened.tx_offset, wire_offset_base + 1'000 + 0x2000'0001);
}

TEST(Handshake, BothMayOpen) {
  Conversation talk;
  talk.client({.flags = syn});
  talk.server({.flags = syn});
  talk.client({.ack = 1, .flags = syn | ack});
  talk.server({.ack = 1, .flags = syn | ack});
  talk.client({.seq = 1, .ack = 1, .payload = "x"});
  talk.server({.seq = 1, .ack = 2, .payload = "y"});
  ASSERT_EQ(talk.recorder.flows.size(), 1U);
  EXPECT_EQ(talk.flow().sent[0].text() + talk.flow().sent[1].text(), "xy");
}

TEST(Handshake, TheSynAckMayBeMissing) {
  Conversation talk;
  talk.client({.flags = syn});
  talk.server({.seq = 9, .ack = 700});  // of an older connection
  EXPECT_TRUE(talk.recorder.flows.empty());
  talk.client({.seq = 1, .ack = 1});
  EXPECT_EQ(talk.flow().opened.rx_offset, wire_offset_base + 5'001);
  EXPECT_EQ(talk.flow().opened.role, Role::client);
}

// A bridge and DNAT in one namespace: each packet is seen under both pairs of addresses.
TEST(Handshake, OneConnectionUnderTwoAddressesIsToldOnce) {
  Conversation talk;
  const Endpoint front = endpoint(9, 8'080);
  const auto both = [&](bool from_client, const Conversation::Say& what) {
    if (from_client) {
      talk.say(talk.client_end, front, talk.client_isn, talk.server_isn, what);
      talk.client(what);
    } else {
      talk.server(what);
      talk.say(front, talk.client_end, talk.server_isn, talk.client_isn, what);
    }
  };
  both(true, {.flags = syn});
  both(false, {.ack = 1, .flags = syn | ack});
  both(true, {.seq = 1, .ack = 1, .payload = "once"});
  both(false, {.seq = 1, .ack = 5, .payload = "only"});
  ASSERT_EQ(talk.recorder.flows.size(), 1U);
  EXPECT_EQ(talk.flow().opened.remote, talk.server_end) << "the one whose handshake was complete first";
  EXPECT_EQ(talk.flow().sent[0].text() + talk.flow().sent[1].text(), "onceonly");
  EXPECT_EQ(talk.tracker.counters().aliases, 1U);
  EXPECT_EQ(talk.tracker.counters().alias_packets, 3U);
}

TEST(Handshake, AlsoWhereItsBeginningWasNotSeen) {
  Conversation talk;
  const Endpoint front = endpoint(9, 8'080);
  const Conversation::Say what{.seq = 100, .ack = 100, .payload = "once"};
  talk.say(talk.client_end, front, talk.client_isn, talk.server_isn, what);
  talk.client(what);
  EXPECT_EQ(talk.recorder.flows.size(), 1U);
  EXPECT_EQ(talk.tracker.counters().aliases, 1U);
}

}  // namespace
}  // namespace tracer
