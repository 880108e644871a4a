// Which of the two ends of a connection the bytes come from, and what is lost when one of them does not tell all.
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "tests/unit/pipeline/events.h"
#include "tests/unit/pipeline/line_analyzer.h"

namespace tracer::test {
namespace {

// A joined connection with sequence numbers. Each function is one call of one end, the client's under its verdict.
struct JoinedWorld : World {
  explicit JoinedWorld(PipelineOptions options = {}) : World(std::move(options)) {
    send(1 * ms, client, opened_by_sequence(client_flow, Role::client));
    send(2 * ms, server, opened_by_sequence(server_flow, Role::server));
  }

  void client_moves(Direction direction, std::string_view text) {
    std::uint64_t& offset = client_at[index_of(direction)];
    if (client_mode(direction) == StreamVerdict::Mode::sizes) {
      send(++now, client, sizes(client_flow, direction, offset, text.size()));
    } else {
      send(++now, client, data(client_flow, direction, offset, text));
    }
    offset += text.size();
  }
  // `seen`: the backend tells of it.
  void server_moves(Direction direction, std::string_view text, bool seen = true) {
    std::uint64_t& offset = server_at[index_of(direction)];
    if (seen) send(++now, server, data(server_flow, direction, offset, text));
    offset += text.size();
  }
  void exchange(unsigned id, bool server_receives = true, bool server_sends = true) {
    const std::string request = request_text(id, 0), response = response_text(id, 0);
    client_moves(Direction::tx, request);
    server_moves(Direction::rx, request, server_receives);
    server_moves(Direction::tx, response, server_sends);
    client_moves(Direction::rx, response);
  }
  [[nodiscard]] StreamVerdict::Mode client_mode(Direction direction) const {
    return verdict(client_flow, direction).mode;
  }

  std::uint64_t now = 3 * ms;
  std::array<std::uint64_t, 2> client_at{first_sequence, first_sequence}, server_at = client_at;  // by Direction
};

TEST(TwoEnds, AServerThatBroughtBytesIsEnoughAndTheClientIsAskedForSizes) {
  JoinedWorld world;
  using Mode = StreamVerdict::Mode;
  EXPECT_TRUE(world.verdicts.empty());
  world.client_moves(Direction::tx, "REQ 1 0\n");
  EXPECT_EQ(world.client_mode(Direction::tx), Mode::normal);
  world.server_moves(Direction::rx, "REQ 1 0\n");
  EXPECT_EQ(world.client_mode(Direction::tx), Mode::sizes);
  EXPECT_EQ(world.client_mode(Direction::rx), Mode::normal);
  world.server_moves(Direction::tx, "RSP 1 0\n");
  EXPECT_EQ(world.client_mode(Direction::rx), Mode::sizes);
  world.client_moves(Direction::rx, "RSP 1 0\n");
  for (unsigned id = 2; id < 10; ++id) world.exchange(id);
  for (const Direction direction : {Direction::tx, Direction::rx}) {
    EXPECT_EQ(world.client_mode(direction), Mode::sizes);
    EXPECT_EQ(world.verdict(server_flow, direction).mode, Mode::normal);
  }
  EXPECT_EQ(world.pipeline.counters().verdicts, 2U);
  ASSERT_EQ(world.transactions().size(), 9U);
  for (const HttpTransaction* it : world.transactions()) {
    EXPECT_TRUE(it->complete);
    EXPECT_EQ(it->time_source, TimeSource::client);
    EXPECT_EQ(it->flow.observed_at, ObservedAt::server);
  }
}

TEST(TwoEnds, WhatAnUnseenServerMovesIsToldByTheClient) {
  PipelineOptions options;
  options.connections = ConnectionRecords::all;
  JoinedWorld world(options);
  for (unsigned id = 0; id < 5; ++id) world.exchange(id, false, false);
  ASSERT_EQ(world.transactions().size(), 5U);
  for (const HttpTransaction* it : world.transactions()) {
    EXPECT_TRUE(it->complete);
    EXPECT_EQ(it->time_source, TimeSource::client);
    EXPECT_EQ(it->flow.observed_at, ObservedAt::client);
    EXPECT_EQ(it->flow.server.process->comm, "server");
  }
  EXPECT_EQ(world.pipeline.counters().verdicts, 0U);
  for (const FlowId flow : {client_flow, server_flow}) {
    FlowClosed end = closed(flow);
    end.kernel_tx_bytes = end.kernel_rx_bytes = 40;
    world.send(++world.now, 0, end);
  }
  world.pipeline.finish();
  const auto& summary = std::get<ConnectionSummary>(world.records.back()->body);
  EXPECT_EQ(summary.flow.observed_at, ObservedAt::client);
  EXPECT_EQ(summary.client_to_server->kept, 40U);
  EXPECT_EQ(summary.server_to_client->kept, 40U);
  TraceEnd end;
  world.pipeline.fill(end);
  EXPECT_EQ(end.ledger_mismatch, 1U);
  ASSERT_EQ(end.blind.size(), 1U);
  EXPECT_EQ(end.blind[0].what, "unseen_calls");
  EXPECT_EQ(end.blind[0].flows, 1U);  // the server's end
}

TEST(TwoEnds, ARequestThatAnUnseenServerLeavesUnansweredIsToldByTheClientToo) {
  JoinedWorld world;
  world.client_moves(Direction::tx, "REQ 1 0\n");
  world.pipeline.finish();
  ASSERT_EQ(world.transactions().size(), 1U);
  EXPECT_FALSE(world.transactions()[0]->complete);
  EXPECT_EQ(world.transactions()[0]->flow.observed_at, ObservedAt::client);
}

TEST(TwoEnds, AServerWhoseReceptionsAreNotSeenTellsTheResponsesOnly) {
  JoinedWorld world;
  for (unsigned id = 0; id < 5; ++id) world.exchange(id, false, true);
  EXPECT_EQ(world.client_mode(Direction::tx), StreamVerdict::Mode::normal);
  EXPECT_EQ(world.client_mode(Direction::rx), StreamVerdict::Mode::sizes);
  ASSERT_EQ(world.transactions().size(), 5U);
  for (const HttpTransaction* it : world.transactions()) {
    EXPECT_TRUE(it->complete);
    EXPECT_EQ(it->flow.observed_at, ObservedAt::both);
  }
}

TEST(TwoEnds, ACallThatTheServersEndMissesCostsOneTransaction) {
  JoinedWorld world;
  world.exchange(1);
  world.exchange(2, false, true);
  world.exchange(3);  // jumps over what was missed: from here on both ends bring requests
  world.pipeline.advance(EventTime{world.now += 60 * ms});
  EXPECT_EQ(world.client_mode(Direction::tx), StreamVerdict::Mode::normal);
  EXPECT_EQ(world.client_mode(Direction::rx), StreamVerdict::Mode::sizes);
  world.exchange(4, false, true);
  world.exchange(5);
  world.pipeline.finish();
  std::set<std::string_view> complete;
  for (const HttpTransaction* it : world.transactions()) {
    if (it->complete) complete.insert(it->request.view(it->request.url));
  }
  EXPECT_EQ(complete, (std::set<std::string_view>{"1", "3", "4", "5"}));
}

TEST(TwoEnds, AReportedLossIsNoReasonToCopyTwice) {
  JoinedWorld world;
  world.exchange(1);
  world.exchange(2, false, true);
  world.send(++world.now, 0, Lost{1, GapCause::ring_full});
  world.exchange(3);
  world.pipeline.advance(EventTime{world.now += 200 * ms});
  EXPECT_EQ(world.client_mode(Direction::tx), StreamVerdict::Mode::sizes);
  EXPECT_EQ(world.client_mode(Direction::rx), StreamVerdict::Mode::sizes);
}

TEST(TwoEnds, SizesToldByTheClientAreNotASkipWhenItsBytesAreWantedAgain) {
  JoinedWorld world;
  world.exchange(1);
  world.exchange(2, false, true);
  world.client_moves(Direction::tx, "REQ 3 0\n");
  world.server_moves(Direction::rx, "REQ 3 0\n");
  world.client_moves(Direction::tx, "REQ 4 0\n");
  world.pipeline.advance(EventTime{world.now += 60 * ms});
  ASSERT_EQ(world.client_mode(Direction::tx), StreamVerdict::Mode::normal);
  world.client_moves(Direction::tx, "REQ 5 0\n");
  world.pipeline.advance(EventTime{world.now += 2'000 * ms});
  world.server_moves(Direction::rx, "REQ 4 0\n");  // slow, but it comes
  world.server_moves(Direction::tx, "RSP 3 0\nRSP 4 0\n");
  world.client_moves(Direction::rx, "RSP 3 0\nRSP 4 0\n");
  ASSERT_FALSE(world.transactions().empty());
  const HttpTransaction& last = *world.transactions().back();
  EXPECT_EQ(last.request.view(last.request.url), "4");
  EXPECT_TRUE(last.complete);
}

TEST(TwoEnds, WhereOffsetsAreCountedBothEndsGoOnBringingBytes) {
  World world;
  world.send(1 * ms, client, opened(client_flow, Role::client));
  world.send(2 * ms, server, opened(server_flow, Role::server));
  EXPECT_EQ(world.pipeline.counters().joined, 1U);
  for (const Direction direction : {Direction::tx, Direction::rx}) {
    EXPECT_EQ(world.verdict(client_flow, direction).mode, StreamVerdict::Mode::normal);
    EXPECT_EQ(world.verdict(server_flow, direction).mode, StreamVerdict::Mode::normal);
  }
  // The server's end misses a call; the client's fills the hole.
  world.send(3 * ms, client, data(client_flow, Direction::tx, 0, "REQ 1 0\n"));
  world.send(4 * ms, server, data(server_flow, Direction::tx, 0, "RSP 1 0\n"));
  world.send(5 * ms, client, data(client_flow, Direction::rx, 0, "RSP 1 0\n"));
  world.send(6 * ms, client, data(client_flow, Direction::tx, 8, "REQ 2 0\n"));
  world.send(7 * ms, server, data(server_flow, Direction::rx, 8, "REQ 2 0\n"));
  world.pipeline.advance(EventTime{300 * ms});
  ASSERT_FALSE(world.transactions().empty());
  EXPECT_TRUE(world.transactions()[0]->complete);
}

TEST(TwoEnds, ASlowServerIsNotALoss) {
  JoinedWorld world;
  world.exchange(0);  // the client is asked for sizes from here on, so the bytes of the next can only be the server's
  ASSERT_EQ(world.client_mode(Direction::tx), StreamVerdict::Mode::sizes);
  const std::uint64_t offset = first_sequence + 8;
  world.send(5 * ms, client, sizes(client_flow, Direction::tx, offset, 8));
  for (std::uint64_t t = 6; t < 3'000; t += 20) world.pipeline.advance(EventTime{t * ms});
  world.send(3'000 * ms, server, data(server_flow, Direction::rx, offset, "REQ 1 0\n"));
  world.send(3'001 * ms, server, data(server_flow, Direction::tx, offset, "RSP 1 0\n"));
  EXPECT_EQ(world.records.size(), 1U);  // the client's time may still come
  world.send(3'004 * ms, client, sizes(client_flow, Direction::rx, offset, 8));
  ASSERT_EQ(world.transactions().size(), 2U);
  EXPECT_TRUE(world.transactions()[1]->complete);
  EXPECT_DOUBLE_EQ(world.transactions()[1]->duration_ms.value_or(0), 2'999);
}

TEST(TwoEnds, ARecordDoesNotWaitForeverForTheClientsTime) {
  World world;
  world.send(1 * ms, client, opened(client_flow, Role::client));
  world.send(2 * ms, server, opened(server_flow, Role::server));
  world.send(3 * ms, server, data(server_flow, Direction::rx, 0, "REQ 1 0\n"));
  world.send(5 * ms, server, data(server_flow, Direction::tx, 0, "RSP 1 0\n"));
  world.pipeline.advance(EventTime{90 * ms});
  EXPECT_TRUE(world.records.empty());
  world.pipeline.advance(EventTime{140 * ms});
  ASSERT_EQ(world.transactions().size(), 1U);
  EXPECT_EQ(world.transactions()[0]->time_source, TimeSource::server);
  EXPECT_DOUBLE_EQ(world.transactions()[0]->duration_ms.value_or(0), 2);
}

TEST(TwoEnds, LongBodiesAreSkippedWhereTheBytesComeFrom) {
  World world;
  world.send(1 * ms, client, opened_by_sequence(client_flow, Role::client));
  world.send(2 * ms, server, opened_by_sequence(server_flow, Role::server));
  world.send(3 * ms, server, data(server_flow, Direction::rx, first_sequence, "REQ 1 0\n"));
  world.send(4 * ms, server, data(server_flow, Direction::tx, first_sequence, "RSP 1 100000\nxxx"));
  EXPECT_EQ(world.verdict(server_flow, Direction::tx).skip_until, first_sequence + 13U + 100'000U);
  EXPECT_EQ(world.verdict(client_flow, Direction::rx).skip_until, 0U);
  FlowData rest = data(server_flow, Direction::tx, first_sequence + 16, "");
  rest.moved = 100'000 - 3;
  rest.rest = GapCause::zero_copy;
  world.send(5 * ms, server, rest);
  FlowData received = data(client_flow, Direction::tx, first_sequence, "");
  received.moved = 8;
  received.rest = GapCause::verdict_skip;
  world.send(3 * ms, client, received);
  received.direction = Direction::rx;
  received.moved = 13 + 100'000;
  received.rest = GapCause::verdict_skip;
  world.send(6 * ms, client, received);
  ASSERT_EQ(world.transactions().size(), 1U);
  EXPECT_EQ(world.transactions()[0]->response.body_bytes, 100'000U);
}

}  // namespace
}  // namespace tracer::test
