#include "backends/procfs/socket_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tracer::procfs {
namespace {

constexpr std::uint64_t ms = 1'000'000;

Endpoint port(std::uint16_t number) {
  Endpoint endpoint;
  endpoint.port = number;
  return endpoint;
}

SocketFacts socket(std::uint64_t inode, TcpState state = TcpState::established) {
  SocketFacts facts;
  facts.inode = inode;
  facts.state = state;
  facts.local = port(static_cast<std::uint16_t>(inode));
  if (state != TcpState::listen) facts.remote = port(1);
  return facts;
}

TEST(SocketTables, FindsByInodeAcrossNamespaces) {
  SocketTables tables({});
  tables.replace(7, {socket(30), socket(10), socket(20)}, 0, 0);
  tables.replace(8, {socket(15)}, 0, 0);
  ASSERT_NE(tables.find(20, 0), nullptr);
  EXPECT_EQ(tables.find(20, 0)->network_namespace, 7U);
  EXPECT_EQ(tables.find(20, 0)->local->port, 20);
  ASSERT_NE(tables.find(15, 0), nullptr);
  EXPECT_EQ(tables.find(15, 0)->network_namespace, 8U);
  EXPECT_EQ(tables.find(16, 0), nullptr);
  EXPECT_EQ(tables.find(0, 0), nullptr);
}

TEST(SocketTables, ANewListReplacesTheOldOne) {
  SocketTables tables({});
  tables.replace(7, {socket(10)}, 0, 0);
  tables.replace(7, {socket(11)}, 20 * ms, 20 * ms);
  EXPECT_EQ(tables.find(10, 20 * ms), nullptr);
  EXPECT_NE(tables.find(11, 20 * ms), nullptr);
}

TEST(SocketTables, RefreshIsDueAfterThePause) {
  SocketTables tables({.refresh_interval_ns_min = 20 * ms, .refresh_cost_factor = 10});
  EXPECT_TRUE(tables.may_refresh(7, 0));
  tables.replace(7, {}, 0, 1 * ms);
  EXPECT_FALSE(tables.may_refresh(7, 20 * ms));
  EXPECT_TRUE(tables.may_refresh(7, 21 * ms));
  EXPECT_TRUE(tables.may_refresh(8, 1 * ms));  // each namespace has its own
}

TEST(SocketTables, ADearListIsMadeLessOften) {
  SocketTables tables({.refresh_interval_ns_min = 20 * ms, .refresh_cost_factor = 10});
  tables.replace(7, {}, 0, 50 * ms);
  EXPECT_FALSE(tables.may_refresh(7, 549 * ms));
  EXPECT_TRUE(tables.may_refresh(7, 550 * ms));
}

TEST(SocketTables, AnswersGrowOld) {
  SocketTables tables({.answer_age_ns_max = 100 * ms});
  tables.replace(7, {socket(10)}, 0, 5 * ms);
  EXPECT_NE(tables.find(10, 105 * ms), nullptr);
  EXPECT_EQ(tables.find(10, 106 * ms), nullptr);
}

TEST(SocketTables, TheNamespaceListedLongestAgoMakesRoom) {
  SocketTables tables({.namespaces_max = 2});
  tables.replace(7, {socket(10)}, 0, 3);
  tables.replace(8, {socket(20)}, 0, 2);
  tables.replace(9, {socket(30)}, 0, 4);
  EXPECT_EQ(tables.find(20, 4), nullptr);
  EXPECT_NE(tables.find(10, 4), nullptr);
  EXPECT_NE(tables.find(30, 4), nullptr);
  EXPECT_EQ(tables.namespaces_evicted(), 1U);
}

TEST(SocketTables, ListenersWithoutRepeats) {
  SocketTables tables({});
  SocketFacts twin = socket(81, TcpState::listen);
  twin.local = port(80);
  tables.replace(7, {socket(80, TcpState::listen), twin, socket(10)}, 0, 0);
  tables.replace(8, {socket(90, TcpState::listen)}, 0, 0);
  EXPECT_THAT(tables.listeners(7), ::testing::ElementsAre(port(80)));
  EXPECT_THAT(tables.listeners(std::nullopt), ::testing::ElementsAre(port(80), port(90)));
  EXPECT_THAT(tables.listeners(6), ::testing::IsEmpty());
}

TEST(IsSettled, WhereBothEndsStayWhatTheyAre) {
  for (const TcpState state : {TcpState::established, TcpState::close_wait, TcpState::fin_wait1, TcpState::listen,
                               TcpState::last_ack, TcpState::syn_recv}) {
    EXPECT_TRUE(is_settled(socket(1, state)));
  }
  EXPECT_FALSE(is_settled(socket(1, TcpState::syn_sent)));
  EXPECT_FALSE(is_settled(socket(1, TcpState::close)));
  SocketFacts bound = socket(1);
  bound.remote.reset();
  EXPECT_FALSE(is_settled(bound));
}

}  // namespace
}  // namespace tracer::procfs
