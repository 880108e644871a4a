// Which session tells where a connection turns out to have two, or a session turns out to have a connection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/pipeline/plaintext_world.h"

namespace tracer::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

// ---- two ends that are found to be one connection when both tell already ----

// The server's end has no addresses yet.
void open_nameless(PlaintextWorld& world) {
  FlowOpened it = opened_by_sequence(server_flow, Role::server);
  it.local = it.remote = std::nullopt;
  world.send(world.now += ms, server, it);
}

// Nobody knows whose end this is: records of ends that are seen alone wait.
void open_another_nameless(PlaintextWorld& world) {
  FlowOpened it = opened_by_sequence({99}, Role::server);
  it.local = it.remote = std::nullopt;
  world.send(world.now += ms, server, it);
}

void name_it(PlaintextWorld& world) {
  FlowUpdated it{};
  it.flow = server_flow;
  it.local = loopback(80);
  it.remote = loopback(40'000);
  world.send(world.now += ms, server, it);
}

// `survivor`: whose socket has come further, so that its connection takes the other one over.
void begin_apart(PlaintextWorld& world, bool client_from_start, bool server_from_start,
                 const TlsEnd& survivor = client_end) {
  world.open(client_end);
  open_nameless(world);
  const Conversation pieces = recorded("tls13");
  for (const TlsEnd& end : {client_end, server_end}) {
    for (std::size_t i = 0; i < (end.client == survivor.client ? pieces.size() : 2); ++i)
      world.moves(end, end.client == (pieces[i].from == Side::a) ? Direction::tx : Direction::rx, pieces[i].bytes);
  }
  world.session(client_end, true, client_from_start);
  world.session(server_end, true, server_from_start);
}

constexpr bool both_ways[] = {true, false};

TEST(PlaintextEnds, WhatBothToldBeforeTheJoinIsToldOnceIfItStillWaited) {
  for (const auto& [client_start, server_start] : {std::pair{true, true}, {true, false}, {false, true}}) {
    for (const TlsEnd& survivor : {client_end, server_end}) {
      PlaintextWorld world;
      begin_apart(world, client_start, server_start, survivor);
      world.exchange(1, client_end, server_end);
      world.exchange(2, client_end, server_end);
      name_it(world);
      EXPECT_EQ(world.pipeline.counters().joined, 1U);
      EXPECT_NE(world.quiet(client_end), world.quiet(server_end)) << "exactly one goes on";
      world.exchange(3, client_end, server_end);
      world.wait(300);
      world.pipeline.finish();
      EXPECT_THAT(world.urls(), UnorderedElementsAre("/1", "/2", "/3")) << client_start << server_start;
      for (const Record* record : world.https()) EXPECT_TRUE(transaction_of(record).flow.server.process);
    }
  }
}

// One end has printed it; at the other it is under way, or waits.
TEST(PlaintextEnds, WhatOneEndHasPrintedTheOtherDoesNotTellAgain) {
  for (const bool server_prints : both_ways) {
    for (const bool from_start : both_ways) {
      for (const bool waits : both_ways) {
        for (const TlsEnd& survivor : {client_end, server_end}) {
          PlaintextWorld world;
          begin_apart(world, from_start, from_start, survivor);
          if (server_prints) {
            world.plain(client_end, Direction::tx, get(1));
            world.exchange(1, std::nullopt, server_end);
          } else {
            world.plain(client_end, Direction::tx, get(1));
            world.plain(server_end, Direction::rx, get(1));
            world.plain(client_end, Direction::rx, answer());
          }
          world.wait(300);
          ASSERT_EQ(world.urls().size(), 1U);
          const auto end_other = [&] {
            if (server_prints) {
              world.plain(client_end, Direction::rx, answer());
            } else {
              // The call had entered the kernel before the client read its answer, and is told behind it.
              world.plain(server_end, Direction::tx, answer());
            }
          };
          open_another_nameless(world);  // so that it waits
          if (waits) end_other();
          name_it(world);
          EXPECT_NE(world.quiet(client_end), world.quiet(server_end));
          if (!waits) end_other();
          world.exchange(2, client_end, server_end);
          world.wait(300);
          world.pipeline.finish();
          EXPECT_THAT(world.urls(), UnorderedElementsAre("/1", "/2"))
              << server_prints << from_start << waits << survivor.client;
        }
      }
    }
  }
}

// Whichever connection survives.
TEST(PlaintextEnds, TheEndThatHasToldMoreGoesOn) {
  for (const TlsEnd& survivor : {client_end, server_end}) {
    PlaintextWorld world;
    begin_apart(world, true, true, survivor);
    world.plain(client_end, Direction::tx, get(1) + get(2));
    world.exchange(1, std::nullopt, server_end);
    world.exchange(2, std::nullopt, server_end);
    world.wait(300);
    ASSERT_THAT(world.urls(), ElementsAre("/1", "/2"));
    open_another_nameless(world);
    world.plain(client_end, Direction::rx, answer());
    name_it(world);
    EXPECT_FALSE(world.quiet(server_end));
    EXPECT_TRUE(world.quiet(client_end));
    world.exchange(3, client_end, server_end);
    world.wait(300);
    EXPECT_THAT(world.urls(), ElementsAre("/1", "/2", "/3")) << survivor.client;
  }
}

TEST(PlaintextEnds, AfterTheJoinOneGoesOnWhereverBothStood) {
  for (const bool from_start : both_ways) {
    PlaintextWorld world;
    begin_apart(world, from_start, from_start);
    world.exchange(1, client_end, server_end);
    world.wait(300);  // both have printed it: nobody could know
    name_it(world);
    for (unsigned id = 2; id <= 4; ++id) world.exchange(id, client_end, server_end);
    world.wait(300);
    const auto urls = world.urls();
    for (const char* url : {"/2", "/3", "/4"}) EXPECT_EQ(std::ranges::count(urls, url), 1) << url;
    EXPECT_NE(world.quiet(client_end), world.quiet(server_end));
  }
}

TEST(PlaintextEnds, TheEndThatBroughtPlaintextKeepsItWhicheverConnectionSurvives) {
  for (const bool by_client : both_ways) {
    for (const TlsEnd& survivor : {client_end, server_end}) {
      PlaintextWorld world;
      begin_apart(world, true, true, survivor);
      const auto exchange = [&](unsigned id) {
        world.exchange(id, by_client ? std::optional(client_end) : std::nullopt,
                       by_client ? std::nullopt : std::optional(server_end));
      };
      exchange(1);
      world.plain(by_client ? client_end : server_end, by_client ? Direction::tx : Direction::rx, get(2));
      name_it(world);
      world.plain(by_client ? client_end : server_end, by_client ? Direction::rx : Direction::tx, answer());
      exchange(3);
      world.wait(300);
      EXPECT_THAT(world.urls(), ElementsAre("/1", "/2", "/3"));
      for (const Record* record : world.https()) {
        const HttpTransaction& it = transaction_of(record);
        EXPECT_EQ(it.flow.observed_at, by_client ? ObservedAt::client : ObservedAt::server);
        EXPECT_EQ(it.time_source, by_client ? TimeSource::client : TimeSource::server);
        ASSERT_TRUE(it.flow.client.process && it.flow.server.process);
        EXPECT_EQ(it.flow.client.process->comm, "client");
        EXPECT_EQ(it.flow.server.process->comm, "server");
        EXPECT_EQ(it.tls->version, "TLS 1.3");
      }
    }
  }
}

// ---- two ends of one connection from its middle ----

// The server waited in its call when the tracer came, so that its return is not seen. What the client wrote is told
// when that call returns, behind the answer.
TEST(PlaintextEnds, TheEndThatSawTheRequestTells) {
  for (const bool pause : both_ways) {
    PlaintextWorld world;
    world.open(client_end, true);
    world.open(server_end, true);
    world.session(client_end, true, false);
    world.session(server_end, true, false);
    const auto told_late = [&](std::uint64_t at, const TlsEnd& end, Direction direction, std::string_view text) {
      FlowData it = data(end.session, direction, 0, text);
      it.layer = Layer::tls_plaintext;
      world.send(at, end.tgid, it);
      world.lose(end, direction, text.size());
    };
    const std::uint64_t written = world.now += ms;
    told_late(world.now += ms, server_end, Direction::tx, answer());
    if (pause) world.wait(20);
    told_late(written, client_end, Direction::tx, get(1));
    told_late(world.now += ms, client_end, Direction::rx, answer());
    for (unsigned id = 2; id <= 3; ++id) world.exchange(id, client_end, server_end);
    world.wait(300);
    EXPECT_THAT(world.urls(), ElementsAre("/1", "/2", "/3"));
    for (const Record* record : world.https()) {
      EXPECT_TRUE(transaction_of(record).complete);
      EXPECT_EQ(transaction_of(record).flow.observed_at, ObservedAt::client);
    }
    EXPECT_TRUE(world.quiet(server_end));
    EXPECT_FALSE(world.quiet(client_end));
  }
}

// Nobody else says more.
TEST(PlaintextEnds, AnAnswerWithoutItsRequestIsToldAfterAWhile) {
  PlaintextWorld world;
  world.open(server_end, true);
  world.session(server_end, true, false);
  world.plain(server_end, Direction::tx, answer());
  world.plain(server_end, Direction::rx, get(2));
  EXPECT_THAT(world.https(), IsEmpty());
  world.wait(150);
  EXPECT_EQ(world.https().size(), 1U);
  world.plain(server_end, Direction::tx, answer());
  world.wait(150);
  ASSERT_EQ(world.https().size(), 2U);
  EXPECT_FALSE(transaction_of(world.https()[0]).request.present);
  EXPECT_TRUE(transaction_of(world.https()[1]).complete);
}

// ---- sessions whose connection is found late, or never ----

TEST(PlaintextEnds, ASessionWithoutAConnectionSaysWhoItIsAndNoMore) {
  for (const TlsEnd& end : {client_end, server_end}) {
    PlaintextWorld world;
    world.session(end, false);
    world.exchange(1, end.client ? std::optional(end) : std::nullopt, end.client ? std::nullopt : std::optional(end));
    EXPECT_THAT(world.https(), IsEmpty()) << "the other end may know more";
    world.wait(150);
    ASSERT_EQ(world.https().size(), 1U);
    const Record& record = *world.https()[0];
    const HttpTransaction& it = transaction_of(&record);
    EXPECT_FALSE(it.flow.client.endpoint || it.flow.server.endpoint);
    EXPECT_EQ(it.flow.client.process != nullptr, end.client);
    EXPECT_EQ(it.flow.server.process != nullptr, !end.client);
    EXPECT_EQ(it.flow.observed_at, end.client ? ObservedAt::client : ObservedAt::server);
    EXPECT_THAT(record.missing, Contains("client.address"));
    EXPECT_THAT(record.missing, Contains("server.address"));
    EXPECT_THAT(record.missing, Contains(end.client ? "server.process" : "client.process"));
    EXPECT_THAT(record.missing, Not(Contains(end.client ? "client.process" : "server.process")));
    EXPECT_THAT(record.missing, Contains("tls.version"));
    EXPECT_THAT(record.inferred, IsEmpty());
    EXPECT_TRUE(it.duration_ms);
    EXPECT_EQ(world.pipeline.counters().connections, 0U) << "it is none";
  }
}

TEST(PlaintextEnds, AddressesOfTheDescriptorAreToldWhereTheFlowIsNotKnown) {
  PlaintextWorld world;
  PlaintextOpened it{client_end.session, {}, true};
  it.local = loopback(50'000);
  it.remote = loopback(443);
  world.send(world.now, client, it);
  world.exchange(1, client_end, std::nullopt);
  world.wait(150);
  ASSERT_EQ(world.https().size(), 1U);
  EXPECT_EQ(transaction_of(world.https()[0]).flow.client.endpoint, loopback(50'000));
  EXPECT_EQ(transaction_of(world.https()[0]).flow.server.endpoint, loopback(443));
}

TEST(PlaintextEnds, ASessionMovesToItsConnectionWhileNothingWasTold) {
  for (const unsigned calls_before : {0U, 1U}) {
    PlaintextWorld world;
    world.open(client_end);
    world.handshake("tls13", true, false);
    world.session(client_end, false);
    if (calls_before == 1) world.plain(client_end, Direction::tx, get(1));
    world.session(client_end, true);
    if (calls_before == 0) world.plain(client_end, Direction::tx, get(1));
    world.plain(client_end, Direction::rx, answer());
    world.exchange(2, client_end, std::nullopt);
    world.wait(150);
    EXPECT_THAT(world.urls(), ElementsAre("/1", "/2"));
    for (const Record* record : world.https()) {
      EXPECT_EQ(transaction_of(record).flow.client.endpoint, loopback(40'000));
      EXPECT_EQ(transaction_of(record).tls->version, "TLS 1.3");
    }
    world.close(client_end.flow);
    world.pipeline.finish();
    EXPECT_EQ(world.blind("tls_without_plaintext"), std::nullopt);
  }
}

TEST(PlaintextEnds, ASessionThatToldStaysWhereItWas) {
  PlaintextWorld world;
  world.open(client_end);
  world.session(client_end, false);
  world.exchange(1, client_end, std::nullopt);
  world.session(client_end, true);
  world.exchange(2, client_end, std::nullopt);
  world.wait(150);
  EXPECT_THAT(world.urls(), ElementsAre("/1", "/2"));
  for (const Record* record : world.https()) EXPECT_FALSE(transaction_of(record).flow.client.endpoint);
}

TEST(PlaintextEnds, WhoFindsTheOtherEndTellingFallsSilent) {
  PlaintextWorld world;
  world.open(client_end);
  world.open(server_end);
  world.handshake("tls13", true, true);
  world.session(server_end, false);
  world.plain(server_end, Direction::rx, get(1));
  world.session(client_end);
  world.plain(client_end, Direction::tx, get(1));
  world.session(server_end, true);
  EXPECT_TRUE(world.quiet(server_end));
  world.plain(client_end, Direction::rx, answer());
  world.wait(150);
  EXPECT_THAT(world.urls(), ElementsAre("/1"));
}

// Several alike at once: as many are told as there were.
TEST(PlaintextEnds, OfAConnectionAndASessionWithoutOneTheConnectionTells) {
  for (const bool server_is_unbound : {true, false}) {
    PlaintextWorld world;
    constexpr unsigned count = 8;
    std::vector<std::pair<TlsEnd, TlsEnd>> pairs;
    for (unsigned i = 0; i < count; ++i) {
      TlsEnd there{{100 + i}, {2'000 + i}, client, true}, here{{200 + i}, {3'000 + i}, server, false};
      for (const TlsEnd& end : {there, here}) {
        FlowOpened it =
            opened(end.flow, end.client ? Role::client : Role::server, static_cast<std::uint16_t>(41'000 + i));
        it.offset_source = OffsetSource::sequence;
        it.tx_offset = it.rx_offset = first_sequence;
        world.send(world.now += ms, end.tgid, it);
      }
      world.session(there, server_is_unbound);
      world.session(here, !server_is_unbound);
      pairs.emplace_back(there, here);
    }
    for (unsigned round = 0; round < 3; ++round) {
      for (const auto& [there, here] : pairs) world.plain(there, Direction::tx, get(1));
      for (const auto& [there, here] : pairs) world.plain(here, Direction::rx, get(1));
      for (const auto& [there, here] : pairs) world.plain(here, Direction::tx, answer());
      for (const auto& [there, here] : pairs) world.plain(there, Direction::rx, answer());
    }
    world.wait(300);
    world.pipeline.finish();
    EXPECT_EQ(world.https().size(), 3U * count);
    std::set<std::pair<std::uint64_t, std::uint64_t>> told;
    for (const Record* record : world.https()) {
      const HttpTransaction& it = transaction_of(record);
      EXPECT_TRUE(it.flow.client.endpoint && it.flow.server.endpoint) << "the connection's";
      EXPECT_TRUE(told.emplace(it.flow.connection_id, it.request.first_offset).second);
    }
    EXPECT_EQ(world.pipeline.counters().superseded, 3U * count);
    EXPECT_EQ(world.pipeline.counters().transactions, 3U * count);
  }
}

TEST(PlaintextEnds, WhenTheConnectionIsMuchLaterTheSessionHasTold) {
  PlaintextWorld world;
  world.open(client_end);
  world.open(server_end);
  world.session(client_end);
  world.session(server_end, false);
  world.plain(client_end, Direction::tx, get(1));
  world.plain(server_end, Direction::rx, get(1));
  world.plain(server_end, Direction::tx, answer());
  world.wait(2'000);
  EXPECT_THAT(world.urls(), ElementsAre("/1"));
  world.plain(client_end, Direction::rx, answer());
  world.wait(300);
  EXPECT_THAT(world.urls(), ElementsAre("/1"));
}

// It waits itself, for its handshake; the session must not tell meanwhile.
TEST(PlaintextEnds, AConnectionThatWaitsTellsAllTheSame) {
  PlaintextWorld world;
  world.open(client_end);
  world.open(server_end);
  world.moves(client_end, Direction::tx, recorded("tls13")[0].bytes);
  world.session(client_end);
  world.session(server_end, false);
  world.plain(client_end, Direction::tx, get(1));
  world.exchange(1, std::nullopt, server_end);
  world.wait(50);
  world.plain(client_end, Direction::rx, answer());
  world.wait(300);
  ASSERT_THAT(world.urls(), ElementsAre("/1"));
  EXPECT_TRUE(transaction_of(world.https()[0]).flow.client.endpoint);
}

TEST(PlaintextEnds, ASessionClosedAtOnceStillWaitsForTheOtherEnd) {
  PlaintextWorld world;
  world.open(client_end);
  world.open(server_end);
  world.session(client_end);
  world.session(server_end, false);
  world.plain(client_end, Direction::tx, get(1));
  world.plain(server_end, Direction::rx, get(1));
  world.plain(server_end, Direction::tx, answer());
  world.close(server_end.session, server);
  world.plain(client_end, Direction::rx, answer());
  world.wait(300);
  ASSERT_THAT(world.urls(), ElementsAre("/1"));
  EXPECT_TRUE(transaction_of(world.https()[0]).flow.client.endpoint);
}

TEST(PlaintextEnds, OtherTransactionsOfThatProcessAreNotTakenForIt) {
  PlaintextWorld world;
  world.open(client_end);
  world.open(server_end);
  world.session(client_end);
  world.session(server_end, false);
  world.exchange(1, client_end, server_end);
  const TlsEnd stranger{{0}, {1009}, server, false};  // from another machine
  world.session(stranger, false);
  world.exchange(1, std::nullopt, stranger);
  world.exchange(2, std::nullopt, stranger);
  world.wait(300);
  EXPECT_THAT(world.urls(), UnorderedElementsAre("/1", "/1", "/2"));
}

TEST(PlaintextEnds, ASessionWithoutAConnectionEndsWithItsProcess) {
  PlaintextWorld world;
  world.session(server_end, false);
  world.exchange(get(1), "HTTP/1.1 200 OK\r\n\r\nto the end", std::nullopt, server_end);
  world.wait(200);
  EXPECT_THAT(world.https(), IsEmpty());
  world.send(world.now += ms, server, ProcessExited{0, {}});
  world.wait(200);
  ASSERT_EQ(world.https().size(), 1U);
  EXPECT_TRUE(transaction_of(world.https()[0]).complete);
}

TEST(PlaintextEnds, ASessionWhoseOpeningWasLostIsToldWithoutItsConnection) {
  PlaintextWorld world;
  world.exchange(1, client_end, std::nullopt);
  world.wait(200);
  ASSERT_THAT(world.urls(), ElementsAre("/1"));
  EXPECT_THAT(world.https()[0]->missing, Contains("client.address"));
}

// Its connection is seen on the wire, and which it is nobody knows: but it is not blind.
TEST(PlaintextEnds, BlindIsNotWhatASessionWithoutAConnectionShowed) {
  PlaintextWorld world;
  world.open(client_end);
  world.handshake("tls13", true, false);
  world.session(client_end, false);
  world.exchange(1, client_end, std::nullopt);
  world.close(client_end.flow);
  world.pipeline.finish();
  EXPECT_EQ(world.blind("tls_without_plaintext"), std::nullopt);
}

TEST(PlaintextEnds, AFlowThatIsPushedOutTakesItsSessionsAlong) {
  PipelineOptions options = https_options();
  options.flows_max = 2;
  PlaintextWorld world(options);
  for (unsigned id = 0; id < 50; ++id) {
    const TlsEnd bound{{500 + id}, {5'000 + id}, client, true}, unbound{{0}, {6'000 + id}, client, true};
    world.session(unbound, false);
    world.plain(unbound, Direction::tx, get(id));
    world.session(bound, true);
    world.plain(bound, Direction::tx, get(id));
    world.send(world.now, client, PlaintextOpened{unbound.session, {900 + id}, true});
  }
  world.pipeline.finish();
  EXPECT_GT(world.pipeline.counters().flows_evicted, 0U);
  for (const Record* record : world.https()) EXPECT_FALSE(transaction_of(record).complete);
}

}  // namespace
}  // namespace tracer::test
