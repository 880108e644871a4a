// Connections seen as packets: one flow tells both directions, holes stay open, the processes of both ends come by
// name.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/pipeline/events.h"
#include "tests/unit/pipeline/line_analyzer.h"

namespace tracer::test {
namespace {

constexpr FlowId wire_flow{5};

FlowOpened opened_on_wire(Role role = Role::client, bool preexisting = false) {
  FlowOpened it = opened_by_sequence(wire_flow, Role::client);
  it.vantage = Vantage::wire;
  it.role = role;
  it.preexisting = preexisting;
  it.network_namespace = 0;
  if (preexisting) it.tx_offset = it.rx_offset = std::nullopt;
  return it;
}

FlowUpdated owner_of_end(std::uint32_t tgid, bool remote, bool inferred = false) {
  FlowUpdated it;
  it.flow = wire_flow;
  it.owner = ProcessRef{tgid, 0};
  it.owner_is_remote = remote;
  it.owner_inferred = inferred;
  return it;
}

struct WireWorld : World {
  explicit WireWorld(PipelineOptions options = {}) : World(std::move(options)) {}
  void packet(std::uint64_t at_ms, Direction direction, std::uint64_t offset, std::string_view text) {
    send(at_ms * ms, 0, data(wire_flow, direction, first_sequence + offset, text));
  }
  void hole(std::uint64_t at_ms, Direction direction, std::uint64_t offset, std::uint64_t size, GapCause cause) {
    FlowData it = data(wire_flow, direction, first_sequence + offset, "");
    it.moved = size;
    it.rest = cause;
    send(at_ms * ms, 0, it);
  }
  void fin(std::uint64_t at_ms, Direction direction, std::uint64_t offset) {
    send(at_ms * ms, 0, StreamEnded{wire_flow, direction, first_sequence + offset});
  }
  [[nodiscard]] std::uint64_t lost_bytes(std::string_view cause) const {
    TraceEnd end;
    pipeline.fill(end);
    const auto row = std::ranges::find(end.lost, cause, &LossCount::cause);
    return row == end.lost.end() ? 0 : row->bytes;
  }
};

TEST(Wire, OneFlowTellsBothDirectionsWithPacketTimes) {
  WireWorld world;
  world.send(1 * ms, 0, opened_on_wire());
  world.send(1 * ms, 0, owner_of_end(client, false));
  world.send(1 * ms, 0, owner_of_end(server, true, true));
  world.packet(2, Direction::tx, 0, "REQ 1 4\nxx");
  world.packet(3, Direction::tx, 10, "xx");
  world.packet(5, Direction::rx, 0, "RSP 1 3\nx");
  world.packet(9, Direction::rx, 9, "xx");
  ASSERT_EQ(world.transactions().size(), 1U);
  const HttpTransaction& it = *world.transactions()[0];
  EXPECT_TRUE(it.complete);
  EXPECT_EQ(it.flow.observed_at, ObservedAt::wire);
  EXPECT_EQ(it.time_source, TimeSource::wire);
  EXPECT_EQ(it.duration_ms, 7.0);
  EXPECT_EQ(it.time_to_first_byte_ms, 3.0);
  ASSERT_TRUE(it.flow.client.process && it.flow.server.process);
  EXPECT_EQ(it.flow.client.process->comm, "client");
  EXPECT_EQ(it.flow.server.process->comm, "server");
  EXPECT_EQ(world.records[0]->inferred, std::vector<std::string_view>{"server.process"});
}

TEST(Wire, WhereTheFirstPacketIsTheServersTheSidesAreSwapped) {
  WireWorld world;
  FlowOpened seen_late = opened_on_wire(Role::unknown, true);
  std::swap(seen_late.local, seen_late.remote);
  world.send(1 * ms, 0, seen_late);
  world.packet(2, Direction::rx, 0, "REQ 1 0\n");
  world.packet(4, Direction::tx, 0, "RSP 1 0\n");
  ASSERT_EQ(world.transactions().size(), 1U);
  const HttpTransaction& it = *world.transactions()[0];
  EXPECT_EQ(it.flow.client.endpoint, loopback(40'000));
  EXPECT_EQ(it.time_source, TimeSource::wire);
  EXPECT_EQ(it.duration_ms, 2.0);
}

TEST(Wire, AHoleWaitsForARetransmissionHoweverLate) {
  WireWorld world;
  world.send(1 * ms, 0, opened_on_wire());
  world.packet(2, Direction::tx, 0, "REQ 1 0\n");
  world.packet(3, Direction::rx, 5, " 0\n");
  world.fin(4, Direction::rx, 8);
  world.send(5 * ms, 0, Lost{1, GapCause::ring_full});  // whether it was this packet nobody knows
  world.pipeline.advance(EventTime{3'000 * ms});
  EXPECT_TRUE(world.transactions().empty());
  world.packet(3'100, Direction::rx, 0, "RSP 1");
  ASSERT_EQ(world.transactions().size(), 1U);
  EXPECT_TRUE(world.transactions()[0]->complete);
  EXPECT_EQ(world.lost_bytes("not_captured"), 0U);
}

TEST(Wire, ADeclaredHoleIsLostByItsCauseAndSize) {
  for (const GapCause cause : {GapCause::not_captured, GapCause::ring_full}) {
    PipelineOptions options;
    options.connections = ConnectionRecords::all;
    WireWorld world(options);
    world.send(1 * ms, 0, opened_on_wire());
    world.packet(2, Direction::tx, 0, "REQ 1 0\n");
    world.packet(3, Direction::rx, 0, "RSP 1 6\nx");
    world.packet(4, Direction::rx, 12, "xx");
    EXPECT_TRUE(world.transactions().empty());
    world.hole(40, Direction::rx, 9, 3, cause);
    ASSERT_EQ(world.transactions().size(), 1U);
    EXPECT_TRUE(world.transactions()[0]->complete);  // a hole inside a body of known length
    EXPECT_EQ(world.transactions()[0]->duration_ms, 2.0);
    EXPECT_EQ(world.lost_bytes(to_string(cause)), 3U);
    FlowClosed end = closed(wire_flow);
    end.tx_end = first_sequence + 8;
    end.rx_end = first_sequence + 14;
    world.send(50 * ms, 0, end);
    world.pipeline.finish();
    const auto& summary = std::get<ConnectionSummary>(world.records.back()->body);
    EXPECT_EQ(summary.server_to_client->moved, 14U);
    EXPECT_EQ(summary.server_to_client->kept, 11U);
    EXPECT_EQ(summary.server_to_client->gaps[static_cast<std::size_t>(cause)], 3U);
    EXPECT_EQ(summary.server_to_client->witnessed, 14U);
    TraceEnd last;
    world.pipeline.fill(last);
    EXPECT_EQ(last.coverage.connections, 1U);
    EXPECT_EQ(last.coverage.bytes_flowed, 22U);
    EXPECT_EQ(last.coverage.bytes_analyzed, 19U);
    EXPECT_EQ(last.coverage.bytes_lost, 3U);
    EXPECT_EQ(last.unwitnessed, 0U);
    EXPECT_EQ(last.ledger_mismatch, 0U);
  }
}

TEST(Wire, AnEndThatWasNotSeenHasNoTime) {
  WireWorld world;
  world.send(1 * ms, 0, opened_on_wire());
  world.packet(2, Direction::tx, 0, "REQ 1 0\n");
  world.packet(3, Direction::rx, 0, "RSP 1 6\nxxx");
  world.hole(40, Direction::rx, 11, 3, GapCause::not_captured);
  ASSERT_EQ(world.transactions().size(), 1U);
  EXPECT_EQ(world.transactions()[0]->response_time, std::nullopt);
  EXPECT_EQ(world.transactions()[0]->time_to_first_byte_ms, 1.0);
}

TEST(Wire, TooMuchBehindAHoleIsNotHeld) {
  PipelineOptions options;
  options.stream.wire_bytes_held_max = 256 * 1024;
  WireWorld world(options);
  world.send(1 * ms, 0, opened_on_wire());
  world.packet(2, Direction::tx, 0, "REQ 1 300000\n");
  const std::string rest(60'000, 'x');
  for (unsigned i = 0; i < 5; ++i) world.packet(3 + i, Direction::tx, 13 + 10 + i * rest.size(), rest);
  TraceEnd end;
  world.pipeline.fill(end);
  EXPECT_EQ(std::ranges::count(end.lost, "held_limit", &LossCount::cause), 1);
  EXPECT_EQ(world.lost_bytes("not_captured"), 10U);
}

TEST(Wire, WhoseOwnerComesSoonIsWaitedForOnlyWhereOwnersAreTold) {
  WireWorld world;
  world.send(1 * ms, 0, opened_on_wire());
  world.send(1 * ms, 0, owner_of_end(client, false));
  world.packet(2, Direction::tx, 0, "REQ 1 0\n");
  world.packet(3, Direction::rx, 0, "RSP 1 0\n");
  EXPECT_TRUE(world.transactions().empty());
  world.send(4 * ms, 0, owner_of_end(server, true));
  ASSERT_EQ(world.transactions().size(), 1U);
  EXPECT_EQ(world.transactions()[0]->flow.server.process->comm, "server");
  WireWorld nobody;
  nobody.send(1 * ms, 0, opened_on_wire());
  nobody.packet(2, Direction::tx, 0, "REQ 1 0\n");
  nobody.packet(3, Direction::rx, 0, "RSP 1 0\n");
  ASSERT_EQ(nobody.transactions().size(), 1U);
  const auto& missing = nobody.records[0]->missing;
  EXPECT_EQ(std::ranges::count(missing, "server.process"), 1);
}

// Records wait for an owner, and each packet brings one byte: more packets than there are marks to remember.
TEST(Wire, WhatWaitsForAnOwnerKeepsItsTimes) {
  WireWorld world;
  world.send(1 * ms, 0, opened_on_wire());
  world.send(1 * ms, 0, owner_of_end(client, false));
  std::uint64_t sent = 0, answered = 0;
  for (unsigned id = 1; id <= 4; ++id) {
    const std::string request = "REQ " + std::to_string(id) + " 0\n", response = response_text(id, 40);
    world.packet(10 * id, Direction::tx, sent, request);
    sent += request.size();
    for (const char byte : response) world.packet(10 * id + 5, Direction::rx, answered++, {&byte, 1});
  }
  EXPECT_TRUE(world.transactions().empty());
  world.send(60 * ms, 0, owner_of_end(server, true));
  ASSERT_EQ(world.transactions().size(), 4U);
  for (const HttpTransaction* it : world.transactions()) {
    EXPECT_EQ(it->time_to_first_byte_ms, 5.0);
    EXPECT_EQ(it->duration_ms, 5.0);
    EXPECT_TRUE(it->flow.server.process);
  }
}

TEST(Wire, AnOwnerThatNeverComesIsNotWaitedForAllTheTime) {
  WireWorld world;
  world.send(1 * ms, 0, opened_on_wire());
  world.send(1 * ms, 0, owner_of_end(client, false));
  world.packet(1'000, Direction::tx, 0, "REQ 1 0\n");
  world.packet(1'001, Direction::rx, 0, "RSP 1 0\n");
  EXPECT_EQ(world.transactions().size(), 1U);
}

// A segment that is kept back while all behind it comes byte by byte.
TEST(Wire, HoldingManyShortPiecesIsBounded) {
  PipelineOptions options;
  options.stream.pieces_held_max = 100;
  WireWorld world(options);
  world.send(1 * ms, 0, opened_on_wire());
  world.packet(2, Direction::tx, 0, "REQ 1 300\n");
  for (unsigned i = 0; i < 110; ++i) world.packet(3, Direction::tx, 10 + 20 + i, "x");
  EXPECT_EQ(world.lost_bytes("not_captured"), 20U);
}

TEST(Wire, TheTracersOwnConnectionsAreCountedOnly) {
  PipelineOptions options;
  options.connections = ConnectionRecords::all;
  options.ignored_tgids = {server};
  WireWorld world(options);
  world.send(1 * ms, 0, opened_on_wire());
  world.send(1 * ms, 0, owner_of_end(server, true));
  world.packet(2, Direction::tx, 0, "REQ 1 0\n");
  world.packet(3, Direction::rx, 0, "RSP 1 0\n");
  world.pipeline.finish();
  EXPECT_TRUE(world.records.empty());
  EXPECT_EQ(world.pipeline.counters().self, 1U);
}

TEST(Wire, NeverJoinsAnEndThatLooksTheSame) {
  WireWorld world;
  world.send(1 * ms, 0, opened_on_wire());
  world.send(1 * ms, server, opened_by_sequence(server_flow, Role::server));
  world.packet(2, Direction::tx, 0, "REQ 1 0\n");
  EXPECT_EQ(world.pipeline.counters().joined, 0U);
}

}  // namespace
}  // namespace tracer::test
