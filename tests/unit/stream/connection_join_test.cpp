#include "core/connection_join.h"

#include <gtest/gtest.h>

namespace tracer {
namespace {

Endpoint v4(std::uint8_t first, std::uint8_t last, std::uint16_t port) {
  Endpoint endpoint;
  endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, first, 0, 0, last};
  endpoint.port = port;
  return endpoint;
}

struct Ends {
  JoinEnd client, server;
};

Ends pair_of(std::uint64_t id, std::uint8_t net, OffsetSource source, std::uint16_t client_port = 40'000) {
  Ends ends;
  ends.client.id = {id};
  ends.client.local = ends.server.remote = v4(net, 1, client_port);
  ends.client.remote = ends.server.local = v4(net, net == 127 ? 1 : 2, 80);
  ends.client.role = Role::client;
  ends.server.id = {id + 1};
  ends.server.role = Role::server;
  for (JoinEnd* end : {&ends.client, &ends.server}) {
    end->opened = true;
    end->offset_source = source;
    end->network_namespace = 1;
  }
  return ends;
}

void set_sequence(Ends& ends, std::uint64_t client_sends, std::uint64_t server_sends) {
  ends.client.tx.start_at(client_sends);
  ends.server.rx.start_at(client_sends & 0xffff'ffffU);
  ends.client.rx.start_at(server_sends);
  ends.server.tx.start_at((server_sends & 0xffff'ffffU) + (7ULL << 32U));  // extended differently
}

using Outcome = ConnectionJoin::Outcome;
constexpr std::uint64_t slack = 50'000'000;

TEST(ConnectionJoin, LoopbackInOneNamespaceIsProofEnough) {
  ConnectionJoin join(slack);
  Ends ends = pair_of(1, 127, OffsetSource::counter);
  EXPECT_EQ(join.find(ends.client).outcome, Outcome::alone);
  const auto finding = join.find(ends.server);
  EXPECT_EQ(finding.outcome, Outcome::joined);
  EXPECT_EQ(finding.peer, &ends.client);
  EXPECT_TRUE(ends.client.joined && ends.server.joined);
}

TEST(ConnectionJoin, AnyAddressesInOneKnownNamespaceAreProofEnough) {
  for (const std::uint64_t network_namespace : {1U, 0U}) {
    ConnectionJoin join(slack);
    Ends ends = pair_of(1, 10, OffsetSource::counter);
    ends.client.network_namespace = ends.server.network_namespace = network_namespace;
    ends.client.preexisting = ends.server.preexisting = true;
    (void)join.find(ends.client);
    EXPECT_EQ(join.find(ends.server).outcome, network_namespace != 0 ? Outcome::joined : Outcome::possible);
  }
}

TEST(ConnectionJoin, LoopbackInTwoNamespacesIsTwoConnections) {
  ConnectionJoin join(slack);
  Ends ends = pair_of(1, 127, OffsetSource::counter);
  ends.server.network_namespace = 2;
  (void)join.find(ends.client);
  EXPECT_EQ(join.find(ends.server).outcome, Outcome::alone);
}

TEST(ConnectionJoin, OtherwiseTheSequenceSpaceIsTheProof) {
  ConnectionJoin join(slack);
  Ends ends = pair_of(1, 10, OffsetSource::sequence);
  ends.server.network_namespace = 2;
  (void)join.find(ends.client);
  EXPECT_EQ(join.find(ends.server).outcome, Outcome::possible);
  set_sequence(ends, 0xffff'fff0, 123'456);
  EXPECT_EQ(join.find(ends.server).outcome, Outcome::joined);
}

TEST(ConnectionJoin, AnotherSequenceSpaceRefutesEvenOnLoopback) {
  for (const std::uint8_t net : {std::uint8_t{10}, std::uint8_t{127}}) {
    ConnectionJoin join(slack);
    Ends ends = pair_of(1, net, OffsetSource::sequence);
    set_sequence(ends, 1'000'000, 123'456);
    ends.server.tx = {};
    ends.server.tx.start_at(2'000'000'000);
    (void)join.find(ends.client);
    EXPECT_EQ(join.find(ends.server).outcome, Outcome::alone);
    EXPECT_FALSE(ends.client.had_candidate);
  }
}

TEST(ConnectionJoin, WithoutSequenceNumbersByteCountsMustAgree) {
  ConnectionJoin join(slack);
  Ends ends = pair_of(1, 10, OffsetSource::counter);
  ends.server.network_namespace = 2;
  (void)join.find(ends.client);
  EXPECT_EQ(join.find(ends.server).outcome, Outcome::possible);
  ends.client.tx.include(0, 100);
  ends.server.rx.include(0, 100);
  EXPECT_EQ(join.find(ends.server).outcome, Outcome::possible);  // one direction is not enough
  ends.server.tx.include(0, 500);
  ends.client.rx.include(0, 400);
  EXPECT_EQ(join.find(ends.client).outcome, Outcome::possible);
  ends.client.rx.include(400, 500);
  EXPECT_EQ(join.find(ends.client).outcome, Outcome::joined);
}

TEST(ConnectionJoin, ByteCountsOfAConnectionFromBeforeProveNothing) {
  ConnectionJoin join(slack);
  Ends ends = pair_of(1, 10, OffsetSource::counter);
  ends.server.network_namespace = 2;
  ends.client.preexisting = true;
  ends.client.tx.include(0, 100);
  ends.server.rx.include(0, 100);
  ends.server.tx.include(0, 100);
  ends.client.rx.include(0, 100);
  (void)join.find(ends.client);
  EXPECT_EQ(join.find(ends.server).outcome, Outcome::possible);
}

TEST(ConnectionJoin, EqualRolesAndUnmirroredPairsNeverMeet) {
  ConnectionJoin join(slack);
  Ends ends = pair_of(1, 127, OffsetSource::counter);
  ends.server.role = Role::client;
  (void)join.find(ends.client);
  EXPECT_EQ(join.find(ends.server).outcome, Outcome::alone);

  // A proxy: accepts the client's connection and makes one of its own. Neither mirrors the other.
  Ends front = pair_of(10, 127, OffsetSource::counter, 41'000), back = pair_of(20, 127, OffsetSource::counter, 42'000);
  (void)join.find(front.server);
  EXPECT_EQ(join.find(back.client).outcome, Outcome::alone);
}

TEST(ConnectionJoin, ASocketConnectedToItselfIsNotItsOwnPeer) {
  ConnectionJoin join(slack);
  Ends ends = pair_of(1, 127, OffsetSource::counter);
  ends.client.remote = ends.client.local;
  EXPECT_EQ(join.find(ends.client).outcome, Outcome::alone);
  EXPECT_EQ(join.find(ends.client).outcome, Outcome::alone);
}

TEST(ConnectionJoin, GenerationsOfAReusedPortDoNotMeet) {
  ConnectionJoin join(slack);
  Ends old_ends = pair_of(1, 127, OffsetSource::counter), new_ends = pair_of(3, 127, OffsetSource::counter);
  (void)join.find(old_ends.client);  // its server was never seen
  old_ends.client.closed_at = EventTime{1'000};
  new_ends.server.opened_at = EventTime{1'000 + slack + 1};
  EXPECT_EQ(join.find(new_ends.server).outcome, Outcome::alone);

  // Even without the close: the new client's socket ends the old one's time.
  old_ends.client.closed_at.reset();
  join.unindex(new_ends.server);
  (void)join.find(new_ends.client);
  const auto finding = join.find(new_ends.server);
  EXPECT_EQ(finding.outcome, Outcome::joined);
  EXPECT_EQ(finding.peer, &new_ends.client);
}

TEST(ConnectionJoin, TwoProofsAreNone) {
  ConnectionJoin join(slack);
  Ends ends = pair_of(1, 127, OffsetSource::counter), twin = pair_of(3, 127, OffsetSource::counter);
  ends.client.preexisting = twin.client.preexisting = true;  // so that neither ends the other's time
  (void)join.find(ends.client);
  (void)join.find(twin.client);
  EXPECT_EQ(join.find(ends.server).outcome, Outcome::ambiguous);
  EXPECT_FALSE(ends.server.joined);
  join.unindex(ends.server);
  EXPECT_EQ(join.unjoined(), 1U);
}

TEST(ConnectionJoin, APairThatStayedUnprovenIsCountedOnce) {
  ConnectionJoin join(slack);
  Ends ends = pair_of(1, 10, OffsetSource::counter);
  ends.server.network_namespace = 2;
  (void)join.find(ends.client);
  (void)join.find(ends.server);
  join.unindex(ends.client);
  join.unindex(ends.server);
  EXPECT_EQ(join.unjoined(), 1U);
  EXPECT_EQ(join.indexed(), 0U);
}

TEST(ConnectionJoin, KnowsLoopbackInBothFamilies) {
  EXPECT_TRUE(is_loopback(v4(127, 9, 1)));
  EXPECT_FALSE(is_loopback(v4(10, 1, 1)));
  Endpoint six;
  six.address[15] = 1;
  EXPECT_TRUE(is_loopback(six));
  six.address[0] = 0xfe;
  EXPECT_FALSE(is_loopback(six));
}

}  // namespace
}  // namespace tracer
