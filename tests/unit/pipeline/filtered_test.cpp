// Connections whose payload, or one end's, a filter of the user's keeps in the kernel: sizes come, of cause `filter`.
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/pipeline/events.h"

namespace tracer::test {
namespace {

FlowData kept_back(FlowId flow, Direction direction, std::uint64_t offset, std::uint64_t moved) {
  FlowData it = sizes(flow, direction, offset, moved);
  it.rest = GapCause::filter;
  return it;
}

constexpr std::string_view request = "REQ 1 0\n", response = "RSP 1 0\n";
constexpr std::uint64_t at = first_sequence;

// What the client connected to is not what the server's socket knows; `updated()` tells of it.
FlowOpened translated() {
  FlowOpened it = opened_by_sequence(client_flow, Role::client);
  it.remote = lan(9, 8080);
  return it;
}

FlowUpdated updated() {
  FlowUpdated it;
  it.flow = client_flow;
  it.remote = loopback(80);
  return it;
}

TraceEnd ended(World& world) {
  TraceEnd end;
  world.pipeline.finish();
  world.pipeline.fill(end);
  return end;
}

TEST(Filtered, AnEndAloneIsCountedApartAndIsNeitherALossNorBlind) {
  World world;
  world.send(1 * ms, client, opened(client_flow, Role::client));
  world.send(2 * ms, client, kept_back(client_flow, Direction::tx, 0, 100));
  world.send(3 * ms, client, kept_back(client_flow, Direction::rx, 0, 5'000));
  FlowClosed closing = closed(client_flow);
  closing.kernel_tx_bytes = 100;
  closing.kernel_rx_bytes = 5'000;
  world.send(4 * ms, 0, closing);
  EXPECT_EQ(silence_line(world.pipeline.silence_report(), 0), "0 HTTP/1 yet; 0 flows; filters dropped 0");
  EXPECT_EQ(world.pipeline.silence_report().filtered, 1U);
  const TraceEnd end = ended(world);
  EXPECT_EQ(end.flows_filtered, 1U);
  EXPECT_TRUE(end.lost.empty());
  EXPECT_TRUE(end.blind.empty());
  EXPECT_EQ(end.ledger_mismatch, 0U);
  EXPECT_EQ(end.unwitnessed, 0U);
  EXPECT_TRUE(world.records.empty());
}

TEST(Filtered, AConnectionIsCountedOnceThoughBothItsEndsWere) {
  for (const bool join_first : {true, false}) {
    World world;
    const auto server_opens = [&] { world.send(5 * ms, server, opened_by_sequence(server_flow, Role::server)); };
    if (join_first) server_opens();
    world.send(1 * ms, client, opened_by_sequence(client_flow, Role::client));
    world.send(2 * ms, client, kept_back(client_flow, Direction::tx, at, 100));
    EXPECT_EQ(world.pipeline.counters().connections_filtered, join_first ? 0U : 1U);
    world.send(3 * ms, server, kept_back(server_flow, Direction::rx, at, 100));
    if (!join_first) server_opens();
    world.send(6 * ms, server, kept_back(server_flow, Direction::tx, at, 200));
    world.send(7 * ms, client, kept_back(client_flow, Direction::rx, at, 200));
    EXPECT_EQ(world.pipeline.counters().joined, 1U);
    EXPECT_EQ(world.pipeline.silence_report().connections, 0U);
    EXPECT_EQ(ended(world).flows_filtered, 1U);
    EXPECT_TRUE(world.records.empty());
  }
}

TEST(Filtered, OthersAreCountedAsBefore) {
  World world;
  world.send(1 * ms, client, opened(client_flow, Role::client));
  world.send(2 * ms, client, kept_back(client_flow, Direction::tx, 0, 100));
  world.send(3 * ms, server, opened(FlowId{9}, Role::server, 41'000));
  world.send(4 * ms, server, data(FlowId{9}, Direction::tx, 0, "220 mail\r\n"));
  const SilenceReport report = world.pipeline.silence_report();
  EXPECT_EQ(silence_line(report, 0), "0 HTTP/1 yet; 1 flows: 1 unknown; filters dropped 0");
  EXPECT_EQ(report.filtered, 1U);
}

// `--port 80`: the client's end knows another port, the server's tells everything but the client.
TEST(Filtered, ATranslatedClientsEndStillGivesProcessAndTimes) {
  for (const bool known_late : {false, true}) {
    World world;
    world.send(1 * ms, client, translated());
    world.send(2 * ms, server, opened_by_sequence(server_flow, Role::server));
    if (!known_late) world.send(2 * ms, client, updated());
    world.send(10 * ms, client, kept_back(client_flow, Direction::tx, at, request.size()));
    world.send(12 * ms, server, data(server_flow, Direction::rx, at, request));
    if (known_late) world.send(13 * ms, client, updated());
    world.send(14 * ms, server, data(server_flow, Direction::tx, at, response));
    world.send(20 * ms, client, kept_back(client_flow, Direction::rx, at, response.size()));
    ASSERT_EQ(world.transactions().size(), 1U) << known_late;
    const HttpTransaction& it = *world.transactions()[0];
    EXPECT_TRUE(it.complete);
    EXPECT_EQ(it.flow.observed_at, ObservedAt::server);
    EXPECT_EQ(it.flow.server.endpoint, loopback(80));
    ASSERT_NE(it.flow.client.process, nullptr);
    EXPECT_EQ(it.flow.client.process->comm, "client");
    EXPECT_EQ(it.time_source, TimeSource::client);
    EXPECT_DOUBLE_EQ(it.duration_ms.value_or(-1), 10);
    EXPECT_EQ(ended(world).flows_filtered, 0U);
  }
}

// `--port 8080`: only the client's end matches. What the server's end said before the two were known to be one
// connection must not stand for the bytes.
TEST(Filtered, AServersEndThatWasAheadGivesWayToTheClients) {
  World world;
  world.send(1 * ms, server, opened_by_sequence(server_flow, Role::server));
  world.send(2 * ms, client, translated());
  world.send(12 * ms, server, kept_back(server_flow, Direction::rx, at, request.size()));
  world.send(14 * ms, server, kept_back(server_flow, Direction::tx, at, response.size()));
  EXPECT_EQ(world.pipeline.counters().connections_filtered, 1U);
  world.send(10 * ms, client, data(client_flow, Direction::tx, at, request));
  world.send(15 * ms, client, updated());
  EXPECT_EQ(world.pipeline.counters().joined, 1U);
  EXPECT_EQ(world.pipeline.counters().connections_filtered, 0U);
  world.send(20 * ms, client, data(client_flow, Direction::rx, at, response));
  ASSERT_EQ(world.transactions().size(), 1U);
  const HttpTransaction& it = *world.transactions()[0];
  EXPECT_TRUE(it.complete);
  EXPECT_EQ(it.flow.observed_at, ObservedAt::client);
  ASSERT_NE(it.flow.server.process, nullptr);
  EXPECT_EQ(it.flow.server.process->comm, "server");
  EXPECT_DOUBLE_EQ(it.duration_ms.value_or(-1), 10);
}

}  // namespace
}  // namespace tracer::test
