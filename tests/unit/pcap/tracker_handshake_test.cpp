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

// A client that has enough: how far either end went is known by the numbers all the same.
TEST(Handshake, AResetEndsBothStreamsWhereTheyAre) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 1, .ack = 1, .payload = "request"});
  talk.server({.seq = 1, .ack = 8, .payload = "answer"});
  talk.client({.seq = 8, .ack = 4, .flags = rst | ack});
  ASSERT_TRUE(talk.flow().closed);
  EXPECT_EQ(talk.flow().tx_end, talk.client_isn + 8);
  EXPECT_EQ(talk.flow().rx_end, talk.server_isn + 7);
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
  EXPECT_EQ(talk.flow().opened.remote, talk.server_end) << "behind the translation";
}

// The address of the client is translated too: SNAT, or a masquerade.
TEST(Handshake, OfATranslatedClientTheAddressOfItsOwnIsTold) {
  Conversation talk;
  const Endpoint outside = endpoint(7, 61'000);
  const auto both = [&](bool from_client, const Conversation::Say& what) {
    if (from_client) {
      talk.client(what);
      talk.say(outside, talk.server_end, talk.client_isn, talk.server_isn, what);
    } else {
      talk.say(talk.server_end, outside, talk.server_isn, talk.client_isn, what);
      talk.server(what);
    }
  };
  both(true, {.flags = syn});
  both(false, {.ack = 1, .flags = syn | ack});
  both(true, {.seq = 1, .ack = 1, .payload = "once"});
  ASSERT_EQ(talk.recorder.flows.size(), 1U);
  EXPECT_EQ(talk.flow().opened.local, talk.client_end);
  EXPECT_EQ(talk.flow().opened.remote, talk.server_end);
  EXPECT_EQ(talk.flow().sent[0].text(), "once");
}

// Forged by somebody who sees the packets, or who lets it expire on the way: the ends go on.
TEST(Handshake, AResetThatNobodyHeedsHidesNothing) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 1, .ack = 1, .flags = rst | ack});
  EXPECT_TRUE(talk.flow().closed);
  talk.server({.seq = 1, .ack = 1, .payload = "on its way"});
  EXPECT_EQ(talk.recorder.flows.size(), 1U) << "what was sent before the RST came is nothing new";
  talk.client({.seq = 1, .ack = 1, .payload = "GET"});
  talk.server({.seq = 1, .ack = 4, .payload = "answer"});
  ASSERT_EQ(talk.recorder.flows.size(), 2U);
  EXPECT_TRUE(talk.flow(1).opened.preexisting);
  EXPECT_EQ(talk.flow(1).sent[0].text(), "GET");
  EXPECT_EQ(talk.flow(1).sent[1].text(), "answer");
}

TEST(Handshake, AFinThatTheSenderDidNotSendHidesNothing) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 1, .ack = 1, .payload = "one"});
  talk.client({.seq = 4, .ack = 1, .flags = fin | ack});
  talk.client({.seq = 3, .ack = 1, .payload = "e"});  // a probe whether the other end is still there
  EXPECT_EQ(talk.recorder.flows.size(), 1U);
  talk.client({.seq = 4, .ack = 1, .payload = "two"});
  talk.server({.seq = 1, .ack = 7, .payload = "answer"});
  ASSERT_EQ(talk.recorder.flows.size(), 2U);
  EXPECT_EQ(talk.flow(0).sent[0].text(), "one");
  EXPECT_EQ(talk.flow(1).sent[0].text(), "two");
  EXPECT_EQ(talk.flow(1).sent[1].text(), "answer");
}

TEST(Handshake, AFloodOfForgedSynsTakesItsOwnPlaces) {
  Conversation talk({.flows_max = 64});
  talk.handshake();
  for (std::uint16_t i = 0; i < 1'000; ++i) {
    talk.say(endpoint(3, i), talk.server_end, i * 7'777U, 0, {.flags = syn});
    talk.say(endpoint(4, i), talk.server_end, i * 7'777U, 1, {.payload = "made up"});
  }
  EXPECT_LE(talk.tracker.flows(), 64U);
  talk.client({.seq = 1, .ack = 1, .payload = "still here"});
  EXPECT_FALSE(talk.flow().closed);
  EXPECT_EQ(talk.flow().sent[0].text(), "still here");
  EXPECT_GT(talk.tracker.counters().flows_evicted, 1'000U);
}

}  // namespace
}  // namespace tracer
