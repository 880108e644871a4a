// Connections of hand-made segments: what is told, and what is not.
#include "backends/pcap/tcp_tracker.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/pcap/conversation.h"

namespace tracer {
namespace {

using test::Conversation;
using test::ms;
using test::ToldFlow;
using namespace tcp_flag;

TEST(Tracker, TellsAWholeConnection) {
  Conversation talk;
  talk.client({.flags = syn});
  EXPECT_EQ(talk.recorder.events, 0U) << "told when it is answered";
  talk.now.ns += 5 * ms;
  talk.server({.ack = 1, .flags = syn | ack});
  talk.client({.seq = 1, .ack = 1, .payload = "request"});
  talk.server({.seq = 1, .ack = 8, .payload = "answer"});
  talk.client({.seq = 8, .ack = 7, .flags = fin | ack});
  talk.server({.seq = 7, .ack = 9, .flags = fin | ack});
  EXPECT_FALSE(talk.flow().closed);
  talk.client({.seq = 9, .ack = 8});

  const ToldFlow& flow = talk.flow();
  EXPECT_EQ(flow.opened.vantage, Vantage::wire);
  EXPECT_EQ(flow.opened.local, talk.client_end);
  EXPECT_EQ(flow.opened.remote, talk.server_end);
  EXPECT_EQ(flow.opened.role, Role::client);
  EXPECT_FALSE(flow.opened.preexisting);
  EXPECT_EQ(flow.opened.offset_source, OffsetSource::sequence);
  EXPECT_EQ(flow.opened.tx_offset, wire_offset_base + 1'001);
  EXPECT_EQ(flow.opened.rx_offset, wire_offset_base + 5'001);
  EXPECT_EQ(flow.opened_at, EventTime{1'000'000'000'000}) << "the time of the SYN";
  EXPECT_EQ(flow.sent[0].text(), "request");
  EXPECT_EQ(flow.sent[1].text(), "answer");
  EXPECT_EQ(flow.sent[0].bytes.begin()->first, 1'001U);
  EXPECT_EQ(flow.sent[0].fin, 1'008U);
  EXPECT_EQ(flow.sent[1].fin, 5'007U);
  ASSERT_TRUE(flow.closed);
  EXPECT_EQ(flow.tx_end, 1'008U);
  EXPECT_EQ(flow.rx_end, 5'007U);
  EXPECT_FALSE(flow.closed->kernel_tx_bytes);
  EXPECT_EQ(talk.recorder.flows.size(), 1U);
}

TEST(Tracker, TrimsRetransmissionsAndLetsTheFirstBytesWin) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 1, .ack = 1, .payload = "abcd"});
  talk.client({.seq = 1, .ack = 1, .payload = "ABCD"});
  talk.client({.seq = 3, .ack = 1, .payload = "XXef"});
  talk.client({.seq = 9, .ack = 1, .payload = "ij"});
  talk.client({.seq = 7, .ack = 1, .payload = "ghYYkl"});  // before, over and after what came out of order
  EXPECT_EQ(talk.flow().sent[0].text(), "abcdefghijkl");
  EXPECT_EQ(talk.tracker.counters().known_bytes, 8U);
}

TEST(Tracker, TellsBytesBehindAHoleAtOnce) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 5, .ack = 1, .payload = "5678"});
  EXPECT_EQ(talk.flow().sent[0].text(), "5678");
  talk.client({.seq = 1, .ack = 1, .payload = "1234"});
  EXPECT_EQ(talk.flow().sent[0].text(), "12345678");
  talk.server({.seq = 1, .ack = 9});
  talk.pass(5'000 * ms);
  EXPECT_EQ(talk.flow().sent[0].text(), "12345678") << "no gap where nothing is missing";
}

TEST(Tracker, DeclaresAHoleSomeTimeAfterItsAcknowledgment) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 5, .ack = 1, .payload = "5678"});
  talk.pass(100 * ms);
  EXPECT_TRUE(talk.flow().sent[0].gaps.empty()) << "not acknowledged: it may be sent again";
  talk.server({.seq = 1, .ack = 9});
  talk.pass(19 * ms);
  EXPECT_TRUE(talk.flow().sent[0].gaps.empty()) << "the capture may be out of order";
  talk.pass(2 * ms);
  EXPECT_EQ(talk.flow().sent[0].text(), "....5678");
  EXPECT_EQ(talk.flow().sent[0].gaps_of(GapCause::not_captured), 4U);
  talk.client({.seq = 1, .ack = 1, .payload = "1234"});
  EXPECT_EQ(talk.flow().sent[0].text(), "....5678") << "too late, and not told twice";
}

TEST(Tracker, DeclaresWhatWasAcknowledgedAndNeverSeen) {
  Conversation talk;
  talk.handshake();
  talk.server({.seq = 1, .ack = 101});
  talk.pass(30 * ms);
  EXPECT_EQ(talk.flow().sent[0].gaps_of(GapCause::not_captured), 100U);
  talk.client({.seq = 101, .ack = 1, .payload = "go on"});
  EXPECT_EQ(talk.flow().sent[0].bytes.begin()->first, 1'101U);
}

TEST(Tracker, BlamesDropsOfTheKernelForHolesThatFollow) {
  Conversation talk;
  talk.handshake();
  talk.tracker.note_loss();
  talk.client({.seq = 5, .ack = 1, .payload = "5678"});
  talk.server({.seq = 1, .ack = 9});
  talk.pass(30 * ms);
  EXPECT_EQ(talk.flow().sent[0].gaps_of(GapCause::ring_full), 4U);
  EXPECT_EQ(talk.tracker.counters().gap_bytes_lost, 4U);
  talk.pass(60'000 * ms);
  talk.server({.seq = 1, .ack = 19});
  talk.pass(30 * ms);
  EXPECT_EQ(talk.flow().sent[0].gaps_of(GapCause::not_captured), 10U) << "the drops are long ago";
}

// The kernel counts at once what it drops; the packets that tell of it lie in the ring for a while.
TEST(Tracker, AsksWhetherTheKernelDroppedBeforeItSaysOtherwise) {
  Conversation talk;
  bool dropped = false;
  talk.tracker.set_loss_check([&] { return std::exchange(dropped, false); });
  talk.handshake();
  talk.client({.seq = 3, .ack = 1, .payload = "c"});
  talk.pass(2'000 * ms);
  EXPECT_EQ(talk.flow().sent[0].gaps_of(GapCause::not_captured), 2U);
  talk.client({.seq = 6, .ack = 1, .payload = "f"});
  dropped = true;
  talk.pass(2'000 * ms);
  EXPECT_EQ(talk.flow().sent[0].gaps_of(GapCause::ring_full), 2U);
  EXPECT_FALSE(dropped);
}

TEST(Tracker, GivesUpAHoleThatNobodyAcknowledges) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 5, .ack = 1, .payload = "5678"});
  talk.pass(2'001 * ms);
  EXPECT_EQ(talk.flow().sent[0].text(), "....5678");
}

TEST(Tracker, GivesUpTheFirstHoleWhenThereAreTooMany) {
  Conversation talk(PcapLimits{.ranges_max = 3});
  talk.handshake();
  for (std::uint32_t i = 1; i <= 4; ++i) talk.client({.seq = i * 10, .ack = 1, .payload = "x"});
  EXPECT_EQ(talk.flow().sent[0].gaps.size(), 9U);
  EXPECT_EQ(talk.tracker.counters().ranges_limit_hits, 1U);
}

TEST(Tracker, FollowsNumbersOverTheirWrap) {
  Conversation talk;
  talk.client_isn = 0xffff'fffa;
  talk.handshake();
  talk.client({.seq = 1, .ack = 1, .payload = "abcd"});  // to 0xffffffff
  talk.client({.seq = 9, .ack = 1, .payload = "ijkl"});
  talk.client({.seq = 5, .ack = 1, .payload = "efgh"});  // from 0xffffffff
  talk.server({.seq = 1, .ack = 13});
  talk.client({.seq = 13, .ack = 1, .flags = fin | ack});
  talk.pass(100 * ms);
  EXPECT_EQ(talk.flow().sent[0].text(), "abcdefghijkl");
  EXPECT_EQ(talk.flow().sent[0].bytes.rbegin()->first, 0x1'0000'0006U);
}

TEST(Tracker, TakesUpAConnectionInItsMiddle) {
  Conversation talk;
  talk.server({.seq = 700, .ack = 300});
  EXPECT_TRUE(talk.recorder.flows.empty()) << "an acknowledgment alone may be the end of one";
  talk.server({.seq = 700, .ack = 300, .payload = "rest"});
  const ToldFlow& flow = talk.flow();
  EXPECT_EQ(flow.opened.local, talk.server_end);
  EXPECT_EQ(flow.opened.role, Role::unknown);
  EXPECT_TRUE(flow.opened.preexisting);
  EXPECT_EQ(flow.opened.tx_offset, wire_offset_base + 5'700);
  EXPECT_EQ(flow.opened.rx_offset, wire_offset_base + 1'300);
  talk.client({.seq = 300, .ack = 704, .payload = "next"});
  EXPECT_EQ(talk.flow().sent[0].text(), "rest");
  EXPECT_EQ(talk.flow().sent[1].text(), "next");
}

TEST(Tracker, ProbesAreNoData) {
  Conversation talk;
  talk.client({.seq = 41, .ack = 1, .payload = std::string_view("\0", 1)});
  EXPECT_TRUE(talk.recorder.flows.empty()) << "a probe opens nothing";
  talk.handshake();
  talk.client({.seq = 1, .ack = 1, .payload = "abc"});
  talk.client({.seq = 3, .ack = 1, .payload = std::string_view("\0", 1)});  // keep-alive, one byte of garbage
  talk.client({.seq = 3, .ack = 1});                                        // keep-alive
  talk.client({.seq = 4, .ack = 1, .payload = "d"});                        // into a closed window
  talk.client({.seq = 4, .ack = 1, .payload = "def"});
  EXPECT_EQ(talk.flow().sent[0].text(), "abcdef");
}

TEST(Tracker, AnAcknowledgedFinThatWasNotSeenIsNoHole) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 1, .ack = 1, .payload = "abc"});
  talk.server({.seq = 1, .ack = 5, .flags = fin | ack});
  talk.pass(5'000 * ms);
  EXPECT_TRUE(talk.flow().sent[0].gaps.empty());
  talk.client({.seq = 5, .ack = 2});
  talk.pass(120'000 * ms);
  talk.pass(4'000'000 * ms);
  EXPECT_TRUE(talk.flow().closed);
  EXPECT_TRUE(talk.flow().sent[0].gaps.empty());
  EXPECT_EQ(talk.flow().tx_end, 1'004U);
}

TEST(Tracker, HolesBecomeGapsAtTheEnd) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 5, .ack = 1, .payload = "56"});
  talk.client({.seq = 9, .ack = 1, .flags = fin | ack});
  talk.server({.seq = 1, .ack = 10, .flags = fin | ack});
  talk.client({.seq = 10, .ack = 2});
  EXPECT_EQ(talk.flow().sent[0].text(), "....56..");
  EXPECT_EQ(talk.flow().tx_end, 1'009U);
  EXPECT_TRUE(talk.flow().closed);
}

TEST(Tracker, VerdictsAreHonoured) {
  Conversation talk;
  talk.handshake();
  const FlowId flow = talk.flow().opened.flow;
  const std::uint64_t first = *talk.flow().opened.tx_offset;
  talk.tracker.set_verdict(flow, Direction::tx, {StreamVerdict::Mode::normal, first + 10});
  talk.client({.seq = 1, .ack = 1, .payload = "abcd"});
  talk.client({.seq = 5, .ack = 1, .payload = "efgh"});
  EXPECT_EQ(talk.flow().data_events, 0U) << "told with the one that ends the range";
  talk.client({.seq = 9, .ack = 1, .payload = "ijkl"});
  EXPECT_EQ(talk.flow().sent[0].text(), "..........kl");
  EXPECT_EQ(talk.flow().sent[0].gaps_of(GapCause::verdict_skip), 10U);
  EXPECT_EQ(talk.flow().data_events, 2U);

  talk.tracker.set_verdict(flow, Direction::tx, {StreamVerdict::Mode::sizes, 0});
  talk.client({.seq = 13, .ack = 1, .payload = "mn"});
  EXPECT_EQ(talk.flow().sent[0].gaps_of(GapCause::verdict_skip), 12U);

  talk.tracker.set_verdict(flow, Direction::tx, {StreamVerdict::Mode::quiet, 0});
  talk.client({.seq = 15, .ack = 1, .payload = "op"});
  EXPECT_EQ(talk.flow().sent[0].text().size(), 14U);
  talk.client({.seq = 17, .ack = 1, .flags = fin | ack});
  talk.server({.seq = 1, .ack = 18, .flags = fin | ack});
  talk.client({.seq = 18, .ack = 2});
  EXPECT_TRUE(talk.flow().closed);
  EXPECT_EQ(talk.flow().tx_end, 1'017U);

  talk.tracker.set_verdict(FlowId{12345}, Direction::tx, {});  // of nobody
}

TEST(Tracker, ASkippedRangeThatBreaksOffIsTold) {
  Conversation talk;
  talk.handshake();
  talk.tracker.set_verdict(talk.flow().opened.flow, Direction::tx,
                           {StreamVerdict::Mode::normal, *talk.flow().opened.tx_offset + 1'000});
  talk.client({.seq = 1, .ack = 1, .payload = "abcd"});
  talk.client({.seq = 5, .ack = 1, .flags = rst | ack});
  EXPECT_EQ(talk.flow().sent[0].gaps_of(GapCause::verdict_skip), 4U);
  EXPECT_TRUE(talk.flow().closed);
}

TEST(Tracker, WhatWasNotCapturedOfAPacketIsAGap) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 1, .ack = 1, .payload = "abc", .wire_size = 10});
  talk.client({.seq = 11, .ack = 1, .payload = "xyz"});
  EXPECT_EQ(talk.flow().sent[0].text(), "abc.......xyz");
  EXPECT_EQ(talk.flow().sent[0].gaps_of(GapCause::snap_length), 7U);
}

TEST(Tracker, TheOldestConnectionGoesWhenThereAreTooMany) {
  Conversation talk(PcapLimits{.flows_max = 2});
  for (std::uint16_t port = 1; port <= 3; ++port) {
    talk.client_end.port = port;
    talk.client_isn += 100'000;
    talk.handshake();
    talk.now.ns += ms;
  }
  ASSERT_EQ(talk.recorder.flows.size(), 3U);
  EXPECT_TRUE(talk.flow(0).closed);
  EXPECT_FALSE(talk.flow(1).closed);
  EXPECT_EQ(talk.tracker.counters().flows_evicted, 1U);
  EXPECT_EQ(talk.tracker.flows(), 2U);
}

TEST(Tracker, IdleConnectionsEndInPacketTime) {
  Conversation talk(PcapLimits{.idle_ns = 10'000 * ms, .opening_ns = 1'000 * ms});
  talk.handshake();
  talk.client_end.port = 2;
  talk.client_isn = 9;
  talk.client({.flags = syn});
  talk.pass(2'000 * ms);
  ASSERT_EQ(talk.recorder.flows.size(), 2U) << "never answered: told with its end";
  EXPECT_TRUE(talk.flow(1).closed);
  EXPECT_FALSE(talk.flow(0).closed);
  talk.pass(9'000 * ms);
  EXPECT_TRUE(talk.flow(0).closed);
  EXPECT_EQ(talk.tracker.flows(), 0U);
}

TEST(Tracker, OtherPortsAreNotFollowed) {
  Conversation talk({}, {443});
  talk.handshake();
  EXPECT_TRUE(talk.recorder.flows.empty());
  talk.server_end.port = 443;
  talk.handshake();
  EXPECT_EQ(talk.recorder.flows.size(), 1U);
}

TEST(Tracker, TakesUpAnewWhatNoLongerFits) {
  Conversation talk;
  talk.handshake();
  for (std::uint32_t i = 0; i < 20; ++i) {
    talk.client({.seq = 0x7000'0000 + i * 2, .ack = 1, .payload = "ab"});
  }
  ASSERT_EQ(talk.recorder.flows.size(), 2U);
  EXPECT_TRUE(talk.flow(0).closed);
  EXPECT_TRUE(talk.flow(1).opened.preexisting);
  EXPECT_EQ(talk.flow(0).sent[0].text(), "");
}

TEST(Tracker, FinishGivesUpHolesAndLeavesConnectionsOpen) {
  Conversation talk;
  talk.handshake();
  talk.client({.seq = 3, .ack = 1, .payload = "34"});
  talk.client_end.port = 9;
  talk.client_isn = 3;
  talk.client({.flags = syn});
  talk.tracker.finish(talk.recorder);
  EXPECT_EQ(talk.flow(0).sent[0].text(), "..34");
  EXPECT_EQ(talk.recorder.flows.size(), 2U);
  EXPECT_FALSE(talk.flow(0).closed);
}

}  // namespace
}  // namespace tracer
