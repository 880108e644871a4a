// What lists and notices become, with invented sockets and a clock by hand.
#include <gtest/gtest.h>

#include <map>

#include "backends/procfs/connection_watch.h"
#include "tests/unit/procfs/event_log.h"

namespace tracer::procfs {
namespace {

constexpr std::uint64_t ms = 1'000'000;

Endpoint at_port(std::uint16_t port) {
  Endpoint endpoint;
  endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
  endpoint.port = port;
  return endpoint;
}

MeasuredSocket connection(std::uint64_t cookie, std::uint64_t acked, std::uint64_t received) {
  MeasuredSocket socket;
  socket.listed.facts.cookie = cookie;
  socket.listed.facts.inode = 1000 + cookie;
  socket.listed.facts.state = TcpState::established;
  socket.listed.facts.local = at_port(40000);
  socket.listed.facts.remote = at_port(80);
  socket.counters.emplace();
  socket.counters->bytes_acked = acked + 1;  // it connected
  socket.counters->bytes_sent = acked;
  socket.counters->bytes_received = received;
  socket.counters->rtt_us = 50;
  return socket;
}

MeasuredSocket closed(MeasuredSocket socket) {
  socket.listed.facts.state = TcpState::close;
  socket.listed.facts.inode = 0;
  ++socket.counters->bytes_acked;  // the FIN
  return socket;
}

class Questions final : public SocketQuestions {
 public:
  SocketOwner owner_of(const SocketFacts&, std::uint32_t) override {
    ++asked;
    return owner;
  }
  SocketOwner owner_of_closed(const Endpoint&, const Endpoint&) override { return owner_afterwards; }
  std::optional<MeasuredSocket> now_at(const Endpoint& local, const Endpoint&) override {
    if (local != at_port(40000)) return std::nullopt;
    return left_behind;
  }
  SocketOwner owner, owner_afterwards;
  std::optional<MeasuredSocket> left_behind;
  int asked = 0;
};

SocketOwner found(std::uint32_t tgid, bool inferred = false) {
  SocketOwner owner;
  owner.answer = SocketOwner::Answer::found;
  owner.tgid = tgid;
  owner.comm = "curl";
  owner.inferred = inferred;
  return owner;
}

class ConnectionWatchTest : public testing::Test {
 protected:
  void look(std::vector<MeasuredSocket> sockets, std::uint64_t at_ms, bool complete = true) {
    watch.look(sockets, complete, EventTime{at_ms * ms});
    events.hand_out(log, 1000);
  }
  void destroyed(const MeasuredSocket& socket, std::uint64_t at_ms) {
    watch.destroyed(std::vector{socket}, EventTime{at_ms * ms});
    events.hand_out(log, 1000);
  }
  void nothing_destroyed(std::uint64_t at_ms) {
    watch.destroyed({}, EventTime{at_ms * ms});
    events.hand_out(log, 1000);
  }
  [[nodiscard]] ToldFlow told() const { return told_of(log, at_port(40000), at_port(80)); }
  [[nodiscard]] ToldFlow told_there() const { return told_of(log, at_port(80), at_port(40000)); }

  Questions questions;
  EventQueue events;
  EventLog log;
  ConnectionWatch watch{{.network_namespace = 7}, questions, events};
};

TEST_F(ConnectionWatchTest, GrowthIsToldAndNothingFromBefore) {
  questions.owner = found(42);
  look({connection(1, 100, 200)}, 0);
  EXPECT_TRUE(told().preexisting);
  EXPECT_EQ(told().tx + told().rx, 0u);
  look({connection(1, 103, 200)}, 200);
  look({connection(1, 103, 205)}, 400);
  EXPECT_EQ(told().tx, 3u);
  EXPECT_EQ(told().rx, 5u);
  EXPECT_TRUE(told().contiguous);
  EXPECT_EQ(told().owner, 42u);
  EXPECT_EQ(told().comm, "curl");
  EXPECT_EQ(told().role, Role::client);
  EXPECT_EQ(questions.asked, 1);
}

TEST_F(ConnectionWatchTest, ANoticeHasTheLastWord) {
  look({}, 0);
  look({connection(1, 10, 0)}, 200);
  MeasuredSocket last = connection(1, 12, 31);
  last.unread = 1;
  questions.left_behind.emplace();
  questions.left_behind->listed.facts.state = TcpState::time_wait;
  destroyed(closed(last), 300);
  EXPECT_EQ(told().closed, 1);
  EXPECT_EQ(told().kernel_tx, 12u);
  EXPECT_EQ(told().kernel_rx, 30u);  // without the FIN
  EXPECT_EQ(told().rx, 30u);
  look({}, 400);
  look({}, 2000);
  EXPECT_EQ(told().closed, 1);
}

TEST_F(ConnectionWatchTest, AConnectionBetweenTwoLooksIsToldByItsNotice) {
  look({}, 0);
  questions.owner_afterwards = found(42, true);
  destroyed(closed(connection(1, 10, 0)), 50);
  EXPECT_EQ(told().opened, 1);
  EXPECT_EQ(told().closed, 1);
  EXPECT_FALSE(told().preexisting);
  EXPECT_EQ(told().tx, 10u);
  EXPECT_EQ(told().owner, 42u);
  EXPECT_TRUE(told().inferred);
  EXPECT_EQ(watch.open(), 0u);
}

// The other end of connection(): its counters alone do not say whether the one control byte is a SYN or a FIN.
MeasuredSocket accepted(std::uint64_t cookie, std::uint64_t acked, std::uint64_t received) {
  MeasuredSocket socket = connection(cookie, acked, received);
  std::swap(socket.listed.facts.local, socket.listed.facts.remote);
  --socket.counters->bytes_acked;
  return socket;
}

TEST_F(ConnectionWatchTest, AnEndThatIsToldFirstWaitsForTheOther) {
  look({}, 0);
  destroyed(closed(accepted(2, 20, 10 + 1)), 50);
  EXPECT_EQ(told_there().closed, 0);
  destroyed(closed(connection(1, 10, 20 + 1)), 51);
  EXPECT_EQ(told_there().closed, 1);
  EXPECT_EQ(told_there().rx, 10u);
  EXPECT_EQ(told_there().kernel_rx, 10u);
  EXPECT_EQ(told_there().role, Role::server);
  EXPECT_EQ(told().rx, 20u);
  EXPECT_EQ(told().kernel_rx, 20u);
  EXPECT_EQ(watch.open(), 0u);
}

TEST_F(ConnectionWatchTest, AnEndWhoseOtherIsNeverToldDoesNotWaitForLong) {
  look({}, 0);
  destroyed(closed(accepted(2, 20, 10)), 50);
  nothing_destroyed(149);
  EXPECT_EQ(told_there().closed, 0);
  nothing_destroyed(150);
  EXPECT_EQ(told_there().closed, 1);
  EXPECT_EQ(told_there().tx, 20u);
  EXPECT_FALSE(told_there().kernel_rx.has_value());
  EXPECT_EQ(watch.open(), 0u);
}

TEST_F(ConnectionWatchTest, ALookTakesNoLastWordFromAnEndThatWaits) {
  look({}, 0);
  look({accepted(2, 0, 0)}, 200);
  look({}, 400);
  MeasuredSocket reset = closed(accepted(2, 20, 10));
  --reset.counters->bytes_acked;  // no FIN of its own was acknowledged: whether the other's came is not known
  destroyed(reset, 650);
  EXPECT_EQ(told_there().closed, 0);
  look({}, 701);  // missed for longer than a notice is waited for
  nothing_destroyed(1200);
  EXPECT_EQ(told_there().closed, 1);
  EXPECT_EQ(told_there().tx, 20u);
}

TEST_F(ConnectionWatchTest, AnEndWhoseOtherIsElsewhereDoesNotWait) {
  look({}, 0);
  MeasuredSocket socket = closed(accepted(2, 20, 10));
  socket.listed.facts.remote->address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
  destroyed(socket, 50);
  EXPECT_EQ(watch.open(), 0u);
}

TEST_F(ConnectionWatchTest, ASocketThatNeverConnectedIsNone) {
  look({}, 0);
  MeasuredSocket refused = connection(1, 0, 0);
  refused.counters->bytes_acked = 0;
  refused.counters->rtt_us = 0;
  refused.listed.facts.state = TcpState::close;
  destroyed(refused, 50);
  EXPECT_EQ(told().opened, 0);
}

TEST_F(ConnectionWatchTest, WithoutANoticeAMissingSocketIsClosedAfterAWhileAndALateNoticeIsNoSecondConnection) {
  look({}, 0);
  look({connection(1, 10, 0)}, 200);
  look({}, 400);
  EXPECT_EQ(told().closed, 0);
  look({}, 800);
  EXPECT_EQ(told().closed, 1);
  EXPECT_FALSE(told().kernel_tx);
  destroyed(closed(connection(1, 10, 0)), 900);
  EXPECT_EQ(told().opened, 1);
  EXPECT_EQ(told().closed, 1);
}

TEST_F(ConnectionWatchTest, AnIncompleteListClosesNothing) {
  look({connection(1, 10, 0)}, 0);
  look({}, 200, false);
  look({}, 2000, false);
  EXPECT_EQ(told().closed, 0);
}

TEST_F(ConnectionWatchTest, AReusedPairOfPortsIsAnotherConnection) {
  look({connection(1, 10, 0)}, 0);
  look({connection(2, 3, 0)}, 200);
  EXPECT_EQ(told().opened, 2);
}

TEST_F(ConnectionWatchTest, AnOwnerThatIsNotToBeFoundIsAskedForLessAndLess) {
  questions.owner.answer = SocketOwner::Answer::unreadable;
  for (std::uint64_t i = 0; i < 100; ++i) look({connection(1, 10, 0)}, i * 200);
  EXPECT_GE(questions.asked, 6);
  EXPECT_LE(questions.asked, 12);
}

TEST_F(ConnectionWatchTest, BeyondTheLimitIsCounted) {
  ConnectionWatch small({.connections_max = 1}, questions, events);
  small.look(std::vector{connection(1, 0, 0), connection(2, 0, 0)}, true, EventTime{});
  EXPECT_EQ(small.open(), 1u);
  EXPECT_EQ(small.over_limit(), 1u);
}

TEST_F(ConnectionWatchTest, TheQueueHandsOutNoMoreThanAsked) {
  questions.owner = found(42);
  watch.look(std::vector{connection(1, 0, 0)}, true, EventTime{});
  EXPECT_EQ(events.hand_out(log, 1), 1u);
  EXPECT_EQ(log.entries.size(), 1u);
  EXPECT_FALSE(events.empty());
}

}  // namespace
}  // namespace tracer::procfs
