// Counters as a 6.18 kernel gave them, with and without SYN and FIN among them.
#include <gtest/gtest.h>

#include "backends/procfs/tcp_payload.h"

namespace tracer::procfs {
namespace {

struct Counted {
  std::uint64_t acked, received;
  std::optional<std::uint64_t> sent;
  std::uint32_t unread = 0, unacked = 0, not_sent = 0;
  std::uint64_t sent_again = 0;
};

MeasuredSocket socket(TcpState state, const Counted& counted) {
  MeasuredSocket made;
  made.listed.facts.state = state;
  made.unread = counted.unread;
  made.unacked = counted.unacked;
  made.counters.emplace();
  made.counters->bytes_acked = counted.acked;
  made.counters->bytes_received = counted.received;
  made.counters->bytes_sent = counted.sent;
  made.counters->bytes_sent_again = counted.sent_again;
  made.counters->bytes_not_sent = counted.not_sent;
  return made;
}

TEST(TcpPayload, TheSynTellsWhoConnected) {
  const Payload client = payload_of_open(socket(TcpState::established, {11, 20, 10}), Role::unknown);
  EXPECT_EQ(client.tx, 10u);
  EXPECT_EQ(client.rx, 20u);
  EXPECT_EQ(client.role, Role::client);
  const Payload server = payload_of_open(socket(TcpState::established, {20, 10, 20}), Role::unknown);
  EXPECT_EQ(server.tx, 20u);
  EXPECT_EQ(server.role, Role::server);
}

TEST(TcpPayload, WhatIsOnTheWayAndWhatWaitsIsWritten) {
  Counted counted{.acked = 5, .received = 0, .sent = 30, .unread = 0, .unacked = 36, .not_sent = 15, .sent_again = 4};
  const Payload payload = payload_of_open(socket(TcpState::established, counted), Role::unknown);
  EXPECT_EQ(payload.tx, 41u);
  EXPECT_EQ(payload.role, Role::server);
}

TEST(TcpPayload, FinsOfAnOpenSocketAreKnownByItsState) {
  EXPECT_EQ(payload_of_open(socket(TcpState::close_wait, {20, 11, 20}), Role::server).rx, 10u);
  EXPECT_EQ(payload_of_open(socket(TcpState::fin_wait2, {12, 20, 10}), Role::unknown).role, Role::client);
  EXPECT_EQ(payload_of_open(socket(TcpState::fin_wait2, {12, 20, 10}), Role::unknown).rx, 20u);
  const Counted fin_waits{.acked = 0, .received = 0, .sent = 0, .unread = 0, .unacked = 101, .not_sent = 101};
  EXPECT_EQ(payload_of_open(socket(TcpState::fin_wait1, fin_waits), Role::server).tx, 100u);
}

TEST(TcpPayload, BeforeBytesSentTheRoleMustBeKnown) {
  const MeasuredSocket made = socket(TcpState::established, {11, 20, std::nullopt});
  EXPECT_EQ(payload_of_open(made, Role::client).tx, 10u);
  EXPECT_TRUE(payload_of_open(made, Role::client).tx_exact);
  EXPECT_EQ(payload_of_open(made, Role::server).tx, 11u);
  EXPECT_FALSE(payload_of_open(made, Role::unknown).tx_exact);
}

TEST(TcpPayload, TheEndThatClosedFirst) {
  // The other end's FIN came and nobody has read it.
  const MeasuredSocket made = socket(TcpState::close, {12, 21, 10, 1});
  const Payload payload = payload_of_destroyed(made, Role::unknown, {.left_behind = TcpState::time_wait});
  EXPECT_EQ(payload.tx, 10u);
  EXPECT_EQ(payload.rx, 20u);
  EXPECT_TRUE(payload.rx_exact);
  EXPECT_EQ(payload.role, Role::client);
}

TEST(TcpPayload, TheEndThatClosedFirstAndIsDestroyedBeforeTheOtherFin) {
  const MeasuredSocket made = socket(TcpState::close, {12, 20, 10, 0});
  const Payload payload = payload_of_destroyed(made, Role::client, {.left_behind = TcpState::fin_wait2});
  EXPECT_EQ(payload.rx, 20u);
  EXPECT_TRUE(payload.rx_exact);
  // In TIME_WAIT a FIN has come by now, and whether before or after the socket's end is not known.
  EXPECT_FALSE(payload_of_destroyed(made, Role::client, {.left_behind = TcpState::time_wait}).rx_exact);
}

TEST(TcpPayload, TheEndThatClosedSecond) {
  const MeasuredSocket made = socket(TcpState::close, {21, 11, 20});
  const Payload payload = payload_of_destroyed(made, Role::server, {});
  EXPECT_EQ(payload.tx, 20u);
  EXPECT_EQ(payload.rx, 10u);
  EXPECT_TRUE(payload.rx_exact);
  EXPECT_EQ(payload_of_destroyed(made, Role::unknown, {}).role, Role::unknown);  // one control byte: SYN or FIN
}

TEST(TcpPayload, AResetLeavesTheFinOpen) {
  const MeasuredSocket made = socket(TcpState::close, {20, 10, 20});
  const Payload payload = payload_of_destroyed(made, Role::server, {});
  EXPECT_EQ(payload.tx, 20u);
  EXPECT_EQ(payload.rx, 10u);
  EXPECT_FALSE(payload.rx_exact);
  EXPECT_EQ(payload_of_destroyed(made, Role::server, {.fin_received = true, .left_behind = {}}).rx, 9u);
}

TEST(TcpPayload, NothingIsNeverLessThanNothing) {
  for (const TcpState state : {TcpState::established, TcpState::close_wait, TcpState::fin_wait1, TcpState::last_ack}) {
    const Payload payload = payload_of_open(socket(state, {0, 0, 0}), Role::client);
    EXPECT_EQ(payload.tx, 0u);
    EXPECT_EQ(payload.rx, 0u);
  }
  EXPECT_EQ(payload_of_destroyed(socket(TcpState::close, {0, 0, std::nullopt}), Role::client, {}).tx, 0u);
}

}  // namespace
}  // namespace tracer::procfs
