// Connections told by nothing but changes of state.
#include "backends/tracepoint/socket_states.h"

#include <gtest/gtest.h>

#include "tests/unit/tracefs/trace_support.h"

namespace tracer {
namespace {

constexpr std::uint32_t established = 1, syn_sent = 2, syn_received = 3, fin_wait1 = 4, closed = 7, close_wait = 8,
                        last_ack = 9, listening = 10;
constexpr ProcessRef curl{100, 101}, whoever{55, 55};

SocketStateChange change(std::uint32_t from, std::uint32_t to, std::uint64_t socket = 1, std::uint16_t port = 4000) {
  Endpoint local, remote;
  local.port = port;
  remote.port = 80;
  return {socket, from, to, local, remote};
}

TEST(SocketStates, AClientFromConnectToClose) {
  SocketStates states;
  EventRecorder seen;
  states.on_change(change(closed, syn_sent, 1, 0), 10, curl, seen);
  EXPECT_TRUE(seen.all.empty());  // it may never come about
  states.on_change(change(syn_sent, established), 20, whoever, seen);
  const auto* opened = seen.get<FlowOpened>(0);
  ASSERT_NE(opened, nullptr);
  EXPECT_EQ(opened->role, Role::client);
  EXPECT_EQ(opened->local->port, 4000);
  EXPECT_EQ(seen.all[0].event.who, curl);
  EXPECT_EQ(seen.all[0].event.at.ns, 20U);
  ASSERT_NE(seen.get<FlowMeasured>(1), nullptr);
  EXPECT_EQ(seen.get<FlowMeasured>(1)->tcp_state, 1);
  states.on_change(change(established, fin_wait1), 30, whoever, seen);
  ASSERT_NE(seen.get<StreamEnded>(2), nullptr);
  EXPECT_EQ(seen.get<StreamEnded>(2)->direction, Direction::tx);
  states.on_change(change(fin_wait1, closed), 40, whoever, seen);
  ASSERT_NE(seen.get<FlowClosed>(4), nullptr);
  EXPECT_EQ(seen.get<FlowClosed>(4)->flow, opened->flow);
  EXPECT_FALSE(seen.get<FlowClosed>(4)->kernel_tx_bytes.has_value());
  EXPECT_EQ(seen.all.size(), 5U);
  EXPECT_EQ(states.size(), 0U);
}

TEST(SocketStates, AServerIsNobodysUntilSomebodySaysSo) {
  SocketStates states;
  EventRecorder seen;
  states.on_change(change(listening, syn_received), 10, whoever, seen);
  states.on_change(change(syn_received, established), 20, whoever, seen);
  ASSERT_NE(seen.get<FlowOpened>(0), nullptr);
  EXPECT_EQ(seen.get<FlowOpened>(0)->role, Role::server);
  EXPECT_EQ(seen.all[0].event.who, ProcessRef{});
  states.on_change(change(established, close_wait), 30, whoever, seen);
  states.on_change(change(close_wait, last_ack), 40, curl, seen);
  states.on_change(change(last_ack, closed), 50, whoever, seen);
  EXPECT_EQ(seen.get<StreamEnded>(2)->direction, Direction::rx);
  EXPECT_EQ(seen.get<StreamEnded>(4)->direction, Direction::tx);
  EXPECT_NE(seen.get<FlowClosed>(6), nullptr);
}

TEST(SocketStates, WhatNeverCameAboutIsNotTold) {
  SocketStates states;
  EventRecorder seen;
  states.on_change(change(closed, syn_sent), 10, curl, seen);
  states.on_change(change(syn_sent, closed), 20, whoever, seen);  // refused
  states.on_change(change(closed, listening), 30, curl, seen);
  states.on_change(change(listening, closed), 40, curl, seen);
  states.on_change(change(syn_received, closed, 9), 50, curl, seen);
  EXPECT_TRUE(seen.all.empty());
  EXPECT_EQ(states.size(), 0U);
}

TEST(SocketStates, AConnectionFromBeforeIsKnownWhenItChanges) {
  SocketStates states;
  EventRecorder seen;
  states.on_change(change(established, fin_wait1), 10, whoever, seen);
  ASSERT_NE(seen.get<FlowOpened>(0), nullptr);
  EXPECT_TRUE(seen.get<FlowOpened>(0)->preexisting);
  EXPECT_EQ(seen.get<FlowOpened>(0)->role, Role::unknown);
  EXPECT_NE(seen.get<StreamEnded>(1), nullptr);
}

TEST(SocketStates, ASocketThatIsGivenOutAgainIsANewFlow) {
  SocketStates states;
  EventRecorder seen;
  states.on_change(change(closed, syn_sent), 10, curl, seen);
  states.on_change(change(syn_sent, established), 20, whoever, seen);
  states.on_change(change(closed, syn_sent), 30, curl, seen);  // the close was lost
  ASSERT_NE(seen.get<FlowClosed>(2), nullptr);
  states.on_change(change(syn_sent, established), 40, whoever, seen);
  ASSERT_NE(seen.get<FlowOpened>(3), nullptr);
  EXPECT_NE(seen.get<FlowOpened>(3)->flow, seen.get<FlowOpened>(0)->flow);
}

TEST(SocketStates, TheLimitIsCounted) {
  SocketStates states(2);
  EventRecorder seen;
  for (std::uint64_t socket = 1; socket <= 4; ++socket)
    states.on_change(change(closed, syn_sent, socket), 1, curl, seen);
  EXPECT_EQ(states.size(), 2U);
  EXPECT_EQ(states.untracked(), 2U);
}

}  // namespace
}  // namespace tracer
