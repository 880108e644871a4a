// Handshakes on their way through a pipeline: two ends, times, the wall clock, another backend, and what is counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/analyzers/tls/tls_analyzer.h"
#include "tests/unit/pipeline/events.h"
#include "tests/unit/tls/tls_harness.h"

namespace tracer::test {
namespace {

using testing::Contains;
using testing::IsEmpty;

enum class Shown : std::uint8_t { tls, both, neither };

Router tls_router(Shown shown) {
  AnalyzerEntry tls{"TLS", nullptr, {}, "TLS handshakes", shown == Shown::both};
  if (shown != Shown::neither)
    tls.make = [](AnalyzerHost& host, std::optional<Side> opener) {
      return std::make_unique<TlsAnalyzer>(host, opener);
    };
  return Router({std::move(tls)});
}

constexpr std::uint64_t day = 86'400'000'000'000;

struct TlsWorld : World {
  explicit TlsWorld(Shown shown = Shown::tls, PipelineOptions options = {}, Handover from = {})
      : World(std::move(options), tls_router(shown), std::move(from)) {}

  void open(FlowId flow, Role role) {
    send(now += ms, role == Role::client ? client : server, opened_by_sequence(flow, role));
  }
  // One call of one end, a millisecond after the one before.
  void moves(FlowId flow, Direction direction, std::string_view bytes) {
    const bool by_client = flow == client_flow;
    std::uint64_t& offset = at[by_client ? 0 : 1][index_of(direction)];
    send(now += ms, by_client ? client : server, data(flow, direction, offset, bytes));
    offset += bytes.size();
  }
  // Pieces of a recorded conversation as these ends see them: who sends first, then who receives.
  void converse(const Conversation& pieces, bool client_seen, bool server_seen) {
    for (const Piece& piece : pieces) {
      const bool from_client = piece.from == Side::a;
      const auto tell = [&](bool by_client) {
        if (!(by_client ? client_seen : server_seen)) return;
        moves(by_client ? client_flow : server_flow, by_client == from_client ? Direction::tx : Direction::rx,
              piece.bytes);
      };
      tell(from_client);
      tell(!from_client);
    }
  }
  [[nodiscard]] std::vector<const Record*> handshakes() const {
    std::vector<const Record*> found;
    for (const auto& record : records)
      if (std::holds_alternative<TlsHandshake>(record->body)) found.push_back(record.get());
    return found;
  }
  std::uint64_t now = day * 25'000;  // 2038: the recorded certificates end before
  std::uint64_t at[2][2] = {{first_sequence, first_sequence}, {first_sequence, first_sequence}};
};

const TlsHandshake& handshake_of(const Record* record) { return std::get<TlsHandshake>(record->body); }

TEST(TlsPipeline, OneEndTellsAHandshakeWithItsParties) {
  TlsWorld world;
  world.open(client_flow, Role::client);
  const std::uint64_t begin = world.now + ms;
  world.converse(recorded("tls12"), true, false);
  ASSERT_EQ(world.handshakes().size(), 1U);
  const Record& record = *world.handshakes()[0];
  const TlsHandshake& it = handshake_of(&record);
  EXPECT_TRUE(it.complete);
  EXPECT_EQ(it.flow.client.process->comm, "client");
  EXPECT_EQ(it.flow.client.endpoint, loopback(40'000));
  EXPECT_EQ(it.flow.server.endpoint, loopback(80));
  EXPECT_EQ(it.flow.observed_at, ObservedAt::client);
  EXPECT_EQ(record.timestamp.ns, static_cast<std::int64_t>(begin));
  // Four calls until the server changes its cipher.
  EXPECT_DOUBLE_EQ(it.duration_ms.value_or(0), 3.0);
  EXPECT_THAT(record.missing, Contains("server.process"));
  EXPECT_EQ(record.backend, BackendKind::tracepoint);
}

TEST(TlsPipeline, NothingIsCopiedOnceAllInClearWasSeen) {
  TlsWorld world;
  world.open(client_flow, Role::client);
  const Conversation pieces = recorded("tls13");
  world.converse({pieces[0]}, true, false);
  EXPECT_EQ(world.verdict(client_flow, Direction::rx).mode, StreamVerdict::Mode::normal);
  world.converse({pieces[1], pieces[2]}, true, false);
  for (const Direction direction : {Direction::tx, Direction::rx})
    EXPECT_EQ(world.verdict(client_flow, direction).mode, StreamVerdict::Mode::quiet);
}

TEST(TlsPipeline, TwoEndsTellItOnce) {
  for (const char* name : {"tls13", "tls13_retry", "tls12_client_certificate", "tls10"}) {
    TlsWorld world;
    world.open(client_flow, Role::client);
    world.open(server_flow, Role::server);
    world.converse(recorded(name), true, true);
    world.pipeline.advance(EventTime{world.now += 200 * ms});
    ASSERT_EQ(world.handshakes().size(), 1U) << name;
    const TlsHandshake& it = handshake_of(world.handshakes()[0]);
    EXPECT_TRUE(it.complete) << name;
    EXPECT_EQ(it.flow.client.process->comm, "client");
    EXPECT_EQ(it.flow.server.process->comm, "server");
    EXPECT_TRUE(it.duration_ms);
    EXPECT_EQ(world.pipeline.counters().joined, 1U);
  }
}

TEST(TlsPipeline, ALateProofOfTheOtherEndTellsItOnceToo) {
  TlsWorld world;
  const Conversation pieces = recorded("tls12");
  world.open(client_flow, Role::client);
  FlowOpened late = opened_by_sequence(server_flow, Role::server);
  late.local = late.remote = std::nullopt;
  world.send(world.now += ms, server, late);
  world.converse(pieces, true, true);
  FlowUpdated named;
  named.flow = server_flow;
  named.local = loopback(80);
  named.remote = loopback(40'000);
  world.send(world.now += ms, server, named);
  world.pipeline.advance(EventTime{world.now += 500 * ms});
  world.pipeline.finish();
  EXPECT_EQ(world.handshakes().size(), 1U);
}

// Then what the client of the connection sends is no place to look for the client's hello.
TEST(TlsPipeline, WhoOpenedTheConnectionNeedNotBeginTheHandshake) {
  TlsWorld world;
  world.open(client_flow, Role::client);
  Conversation pieces = recorded("tls12");
  for (Piece& each : pieces) each.from = other(each.from);
  world.converse(pieces, true, false);
  world.pipeline.advance(EventTime{world.now += 200 * ms});
  ASSERT_EQ(world.handshakes().size(), 1U);
  const TlsHandshake& it = handshake_of(world.handshakes()[0]);
  EXPECT_TRUE(it.complete);
  EXPECT_EQ(it.flow.client.process->comm, "client");
  EXPECT_FALSE(it.duration_ms);
}

TEST(TlsPipeline, TheWallClockSaysWhichCertificateHadEnded) {
  for (const auto& [days, finding] : {std::pair{25'000ULL, "expired"}, {1'000ULL, "not_yet_valid"}}) {
    TlsWorld world;
    world.now = day * days;
    world.open(client_flow, Role::client);
    world.converse(recorded("tls12"), true, false);
    ASSERT_EQ(world.handshakes().size(), 1U);
    EXPECT_THAT(handshake_of(world.handshakes()[0]).findings, testing::ElementsAre(finding));
  }
}

TEST(TlsPipeline, AHoleIsSaid) {
  TlsWorld world;
  world.open(client_flow, Role::client);
  const Conversation pieces = recorded("tls12");
  world.converse({pieces[0]}, true, false);
  FlowData cut = data(client_flow, Direction::rx, first_sequence, std::string_view(pieces[1].bytes).substr(0, 100));
  cut.moved = pieces[1].bytes.size();
  cut.rest = GapCause::snap_length;
  world.send(world.now += ms, client, cut);
  world.at[0][1] += cut.moved;
  world.converse({pieces[2], pieces[3]}, true, false);
  world.pipeline.advance(EventTime{world.now += 200 * ms});
  ASSERT_EQ(world.handshakes().size(), 1U);
  const TlsHandshake& it = handshake_of(world.handshakes()[0]);
  EXPECT_EQ(it.incomplete_reason, "snap_length");
  EXPECT_EQ(it.version, "TLS 1.2");
}

TEST(TlsPipeline, AnotherBackendDoesNotTellItAgain) {
  const Conversation pieces = recorded("tls12");
  TlsWorld old;
  old.open(client_flow, Role::client);
  old.converse(pieces, true, false);
  ASSERT_EQ(old.handshakes().size(), 1U);
  // The next one saw the whole connection too, and tells of another.
  TlsWorld next(Shown::tls, {}, old.pipeline.hand_over());
  next.open(client_flow, Role::client);
  next.converse(pieces, true, false);
  next.pipeline.advance(EventTime{next.now += 200 * ms});
  EXPECT_THAT(next.handshakes(), IsEmpty());
  EXPECT_EQ(next.pipeline.counters().superseded, 1U);
}

TEST(TlsPipeline, WhatWasUnderWayIsToldByTheFirstBackend) {
  const Conversation pieces = recorded("tls12");
  TlsWorld old;
  old.open(client_flow, Role::client);
  old.converse({pieces[0], pieces[1]}, true, false);
  Handover handover = old.pipeline.hand_over();
  ASSERT_EQ(old.handshakes().size(), 1U);
  EXPECT_EQ(handshake_of(old.handshakes()[0]).incomplete_reason, "backend_switch");
  TlsWorld next(Shown::tls, {}, std::move(handover));
  FlowOpened there = opened_by_sequence(client_flow, Role::client);
  there.preexisting = true;
  there.tx_offset = old.at[0][0];
  there.rx_offset = old.at[0][1];
  next.send(next.now += ms, client, there);
  std::copy(&old.at[0][0], &old.at[0][0] + 2, &next.at[0][0]);
  next.converse({pieces[2], pieces[3], pieces[4]}, true, false);
  next.pipeline.finish();
  EXPECT_THAT(next.handshakes(), IsEmpty());
}

TEST(TlsPipeline, AConnectionFromItsMiddleIsNamed) {
  PipelineOptions options;
  options.connections = ConnectionRecords::all;
  TlsWorld world(Shown::tls, options);
  FlowOpened there = opened_by_sequence(client_flow, Role::client);
  there.preexisting = true;
  world.send(world.now += ms, client, there);
  world.moves(client_flow, Direction::tx, tls_record(23, std::string(100, 'x')));
  world.pipeline.finish();
  ASSERT_EQ(world.records.size(), 1U);
  const auto& summary = std::get<ConnectionSummary>(world.records[0]->body);
  EXPECT_EQ(summary.protocol, "TLS");
  EXPECT_EQ(summary.transactions, 0U);
  EXPECT_EQ(world.verdict(client_flow, Direction::rx).mode, StreamVerdict::Mode::quiet);
}

// Whoever looks for HTTP is not served by a handshake.
TEST(TlsPipeline, BlindIsWhoeverWantedWhatIsInside) {
  for (const auto& [shown, blind] : {std::pair{Shown::tls, false}, {Shown::both, true}, {Shown::neither, true}}) {
    PipelineOptions options;
    options.connections = ConnectionRecords::all;
    TlsWorld world(shown, options);
    world.open(client_flow, Role::client);
    world.converse(recorded("tls13"), true, false);
    EXPECT_EQ(world.handshakes().size(), shown == Shown::neither ? 0U : 1U);
    world.pipeline.finish();
    TraceEnd end;
    world.pipeline.fill(end);
    EXPECT_EQ(end.blind.size(), blind ? 1U : 0U);
    EXPECT_EQ(end.records_decoded, shown == Shown::neither ? 0U : 1U);
    const auto& summary = std::get<ConnectionSummary>(world.records.back()->body);
    EXPECT_EQ(summary.transactions, 0U) << "a handshake is none";
  }
}

TEST(TlsPipeline, SilenceSaysWhatIsWaitedFor) {
  TlsWorld world;
  EXPECT_EQ(silence_line(world.pipeline.silence_report(), 0), "0 TLS handshakes yet; 0 flows; filters dropped 0");
}

}  // namespace
}  // namespace tracer::test
