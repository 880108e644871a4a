// HTTP inside of TLS on a connection that is known: which record comes of it, and what is asked of the backend.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/plaintext_world.h"

namespace tracer::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using Mode = StreamVerdict::Mode;

const TlsHandshake& only_handshake(const World& world) {
  const TlsHandshake* found = nullptr;
  for (const auto& record : world.records) {
    if (const auto* it = std::get_if<TlsHandshake>(&record->body)) {
      EXPECT_EQ(found, nullptr);
      found = it;
    }
  }
  static const TlsHandshake none;
  EXPECT_NE(found, nullptr);
  return found != nullptr ? *found : none;
}

TEST(Plaintext, TheClientsEndTells) {
  PlaintextWorld world;
  world.open(client_end);
  world.handshake("tls13", true, false);
  world.session(client_end);
  const std::uint64_t begin = world.now + ms;
  world.exchange(1, client_end, std::nullopt);
  ASSERT_EQ(world.https().size(), 1U);
  const Record& record = *world.https()[0];
  const HttpTransaction& it = transaction_of(&record);
  const TlsHandshake& handshake = only_handshake(world);
  EXPECT_TRUE(it.complete);
  EXPECT_EQ(it.flow.connection_id, handshake.flow.connection_id);
  EXPECT_EQ(it.tls->version, "TLS 1.3");
  EXPECT_EQ(it.tls->cipher_suite, handshake.cipher_suite);
  EXPECT_EQ(it.tls->group, handshake.group);
  EXPECT_EQ(it.tls->sni, handshake.sni);
  EXPECT_TRUE(it.tls->cipher_suite && it.tls->group);
  EXPECT_EQ(it.flow.observed_at, ObservedAt::client);
  EXPECT_EQ(it.flow.client.endpoint, loopback(40'000));
  EXPECT_EQ(it.flow.server.endpoint, loopback(80));
  EXPECT_EQ(it.flow.client.process->comm, "client");
  EXPECT_EQ(it.time_source, TimeSource::client);
  EXPECT_DOUBLE_EQ(it.duration_ms.value_or(0), 1.0);
  EXPECT_EQ(record.timestamp.ns, static_cast<std::int64_t>(begin));
  EXPECT_EQ(record.backend, BackendKind::ebpf);
  EXPECT_EQ(record.mechanism, Mechanism::uprobe);
  EXPECT_THAT(record.missing, Contains("server.process"));
  EXPECT_THAT(record.missing, Not(Contains("tls.version")));
}

TEST(Plaintext, TheServersEndTellsAndItsClockIsRead) {
  PlaintextWorld world;
  world.open(client_end);
  world.open(server_end);
  world.handshake("tls12", true, true);
  world.session(server_end);
  world.exchange(1, std::nullopt, server_end);
  world.wait(200);
  ASSERT_EQ(world.https().size(), 1U);
  const HttpTransaction& it = transaction_of(world.https()[0]);
  EXPECT_EQ(it.flow.observed_at, ObservedAt::server);
  EXPECT_EQ(it.time_source, TimeSource::server);
  EXPECT_EQ(it.flow.client.process->comm, "client");
  EXPECT_EQ(it.flow.server.process->comm, "server");
  EXPECT_EQ(it.tls->version, "TLS 1.2");
  EXPECT_TRUE(it.duration_ms);
  EXPECT_EQ(world.pipeline.counters().joined, 1U);
}

TEST(Plaintext, OfTwoCoveredEndsTheFirstThatBringsBytesTells) {
  PlaintextWorld world;
  world.open_covered();
  for (unsigned id = 1; id <= 5; ++id) world.exchange(id, client_end, server_end);
  world.wait(200);
  EXPECT_THAT(world.urls(), ElementsAre("/1", "/2", "/3", "/4", "/5"));
  EXPECT_TRUE(world.quiet(server_end));
  EXPECT_FALSE(world.quiet(client_end));
  for (const Record* record : world.https()) {
    EXPECT_EQ(transaction_of(record).flow.observed_at, ObservedAt::client);
    EXPECT_EQ(transaction_of(record).flow.server.process->comm, "server");
  }
  EXPECT_EQ(world.pipeline.counters().transactions, 6U);  // with the handshake
}

// The client's write is told when it returns, and by then the server may have read it and answered.
TEST(Plaintext, TheClientTellsThoughTheServersBytesCameFirst) {
  for (const bool answered : {false, true}) {
    for (const bool client_comes : {false, true}) {
      SCOPED_TRACE(std::to_string(answered) + std::to_string(client_comes));
      PlaintextWorld world;
      world.open_covered();
      const std::uint64_t written = world.now += ms;
      world.now += ms;
      world.plain(server_end, Direction::rx, get(1));
      if (answered) world.plain(server_end, Direction::tx, answer());
      if (client_comes) {
        const std::string request = get(1);
        FlowData late = data(client_end.session, Direction::tx, 0, request);
        late.layer = Layer::tls_plaintext;
        world.send(written, client_end.tgid, late);
        world.lose(client_end, Direction::tx, request.size());
        world.plain(client_end, Direction::rx, answer());
      } else if (!answered) {
        world.plain(server_end, Direction::tx, answer());
      }
      for (unsigned id = 2; id <= 3; ++id)
        world.exchange(id, client_comes ? std::optional(client_end) : std::nullopt, server_end);
      world.wait(300);
      EXPECT_THAT(world.urls(), ElementsAre("/1", "/2", "/3"));
      for (const Record* record : world.https()) {
        EXPECT_TRUE(transaction_of(record).complete);
        EXPECT_EQ(transaction_of(record).time_source, client_comes ? TimeSource::client : TimeSource::server);
      }
      EXPECT_EQ(world.quiet(server_end), client_comes);
    }
  }
}

TEST(Plaintext, AStreamSeenFromItsMiddleIsFoundAgain) {
  PlaintextWorld world;
  world.open(client_end, true);
  world.moves(client_end, Direction::rx, tls_record(23, std::string(100, 'x')));
  world.session(client_end, true, false);
  world.plain(client_end, Direction::rx, "the rest of a body");
  world.exchange(1, client_end, std::nullopt);
  world.exchange(2, client_end, std::nullopt);
  world.wait(200);
  EXPECT_THAT(world.urls(), ElementsAre("/1", "/2"));
  for (const Record* record : world.https()) {
    EXPECT_TRUE(transaction_of(record).complete);
    for (const char* name : {"tls.version", "tls.cipher_suite", "tls.group", "tls.sni", "tls.alpn"})
      EXPECT_THAT(record->missing, Contains(name));
  }
  EXPECT_EQ(world.blind("tls_without_plaintext"), std::nullopt);
}

TEST(Plaintext, ALossCostsWhatWasLost) {
  PlaintextWorld world;
  world.open(client_end);
  world.handshake("tls13", true, false);
  world.session(client_end);
  world.exchange(1, client_end, std::nullopt);
  world.plain(client_end, Direction::tx, get(2));
  world.lose(client_end, Direction::rx, answer().size());
  world.send(world.now, 0, Lost{1, GapCause::ring_full});
  world.exchange(3, client_end, std::nullopt);
  for (unsigned id = 4; id <= 6; ++id) world.exchange(id, client_end, std::nullopt);
  world.pipeline.finish();
  std::map<std::string, bool> complete;
  for (const Record* record : world.https()) {
    const HttpMessage& request = transaction_of(record).request;
    EXPECT_TRUE(complete.emplace(request.view(request.url), transaction_of(record).complete).second);
  }
  EXPECT_TRUE(complete.at("/1"));
  EXPECT_FALSE(complete.at("/2"));
  EXPECT_TRUE(complete.at("/6"));
  TraceEnd end;
  world.pipeline.fill(end);
  ASSERT_EQ(end.lost.size(), 1U);
  EXPECT_EQ(end.lost[0].cause, "ring_full");
  EXPECT_EQ(end.lost[0].bytes, answer().size());
}

TEST(Plaintext, ALongBodyStaysInTheProcess) {
  PlaintextWorld world;
  world.open(server_end);
  world.handshake("tls13", false, true);
  world.session(server_end);
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
  world.plain(server_end, Direction::rx, get(1));
  world.plain(server_end, Direction::tx, head);
  EXPECT_EQ(world.verdict(server_end.session, Direction::tx).skip_until, head.size() + 1'000'000);
  EXPECT_EQ(world.verdict(server_end.session, Direction::rx).skip_until, 0U);
  world.plain_size(server_end, Direction::tx, 400'000, GapCause::verdict_skip);
  world.plain_size(server_end, Direction::tx, 600'000, GapCause::zero_copy);  // SSL_sendfile
  world.exchange(2, std::nullopt, server_end);
  world.wait(200);
  EXPECT_THAT(world.urls(), ElementsAre("/1", "/2"));
  const HttpTransaction& it = transaction_of(world.https()[0]);
  EXPECT_TRUE(it.complete);
  EXPECT_EQ(it.response.body_bytes, 1'000'000U);
  EXPECT_DOUBLE_EQ(it.duration_ms.value_or(0), 3.0);
}

// What was skipped on request need not be told; a jump over it is no surprise to be waited for.
TEST(Plaintext, WhatTheProcessKeptNeedNotBeTold) {
  PlaintextWorld world;
  world.open(server_end);
  world.handshake("tls13", false, true);
  world.session(server_end);
  world.plain(server_end, Direction::rx, get(1));
  world.plain(server_end, Direction::tx, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
  world.lose(server_end, Direction::tx, 1'000'000 - 10);
  world.plain(server_end, Direction::tx, "0123456789");
  ASSERT_THAT(world.urls(), ElementsAre("/1")) << "at once";
  EXPECT_TRUE(transaction_of(world.https()[0]).complete);
  world.pipeline.finish();
  EXPECT_EQ(world.pipeline.counters().lost_events, (std::array<std::uint64_t, gap_cause_count>{}));
}

TEST(Plaintext, ALossOfTheVeryFirstBytesIsOne) {
  PlaintextWorld world;
  world.open(client_end);
  world.handshake("tls13", true, false);
  world.session(client_end);
  world.lose(client_end, Direction::tx, get(1).size());
  world.send(world.now, 0, Lost{1, GapCause::ring_full});
  world.plain(client_end, Direction::rx, answer("the answer to what was lost"));
  for (unsigned id = 2; id <= 5; ++id) world.exchange(id, client_end, std::nullopt);
  world.pipeline.finish();
  bool told = false;
  for (const Record* record : world.https()) {
    const HttpTransaction& it = transaction_of(record);
    if (!it.complete) continue;
    EXPECT_EQ(it.response.body_bytes, 2U) << it.request.view(it.request.url);
    told = true;
  }
  EXPECT_TRUE(told);
  TraceEnd end;
  world.pipeline.fill(end);
  ASSERT_EQ(end.lost.size(), 1U);
  EXPECT_EQ(end.lost[0].bytes, get(1).size());
}

TEST(Plaintext, OfAChunkedBodyEveryByteIsAskedFor) {
  PlaintextWorld world;
  world.open(server_end);
  world.handshake("tls13", false, true);
  world.session(server_end);
  world.plain(server_end, Direction::rx, get(1));
  world.plain(server_end, Direction::tx, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(world.verdict(server_end.session, Direction::tx).mode, Mode::whole);
  world.plain(server_end, Direction::tx, "5\r\nhello\r\n");
  world.plain(server_end, Direction::tx, "0\r\n\r\n");
  world.wait(200);
  ASSERT_EQ(world.https().size(), 1U);
  EXPECT_TRUE(transaction_of(world.https()[0]).complete);
  EXPECT_EQ(transaction_of(world.https()[0]).response.body_bytes, 5U);
}

TEST(Plaintext, Http2InsideIsNamedCountedAndLeftAlone) {
  PipelineOptions options = https_options();
  options.connections = ConnectionRecords::all;
  PlaintextWorld world(options);
  world.open(client_end);
  world.handshake("tls13", true, false);
  world.session(client_end);
  world.plain(client_end, Direction::tx, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  EXPECT_TRUE(world.quiet(client_end));
  const SilenceReport silence = world.pipeline.silence_report();
  ASSERT_EQ(silence.protocols.size(), 1U);
  EXPECT_EQ(silence.protocols[0].protocol, "HTTP/2");
  world.close(client_end.session, client);
  world.close(client_end.flow);
  world.pipeline.finish();
  EXPECT_EQ(world.blind("HTTP/2"), 1U);
  EXPECT_EQ(world.blind("TLS"), std::nullopt);
  EXPECT_EQ(world.blind("tls_without_plaintext"), std::nullopt);
  EXPECT_EQ(std::get<ConnectionSummary>(world.records.back()->body).protocol, "HTTP/2");
}

TEST(Plaintext, AServerOfHttp2MaySpeakFirst) {
  PlaintextWorld world;
  world.open(server_end);
  world.handshake("tls13", false, true);
  world.session(server_end);
  world.plain(server_end, Direction::tx, std::string_view("\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64", 15));
  EXPECT_TRUE(world.quiet(server_end));
  EXPECT_EQ(world.blind("HTTP/2"), 1U);
  EXPECT_EQ(world.blind("unknown"), std::nullopt);
}

TEST(Plaintext, BlindIsTlsThatNobodyShowsTheInsideOf) {
  for (const auto& [covered, asked, blind] :
       {std::tuple{false, true, 1U}, {true, true, 0U}, {false, false, 0U}, {true, false, 0U}}) {
    PipelineOptions options;
    options.plaintext = asked;
    PlaintextWorld world(options);
    world.open(client_end);
    world.handshake("tls13", true, false);
    if (covered) {
      world.session(client_end);
      world.exchange(1, client_end, std::nullopt);
    }
    world.close(client_end.flow);
    world.pipeline.finish();
    EXPECT_EQ(world.blind("tls_without_plaintext").value_or(0), blind);
    EXPECT_EQ(world.blind("TLS").value_or(0), asked || covered ? 0U : 1U);
  }
}

TEST(Plaintext, OfAConnectionThatWasFilteredNoPlaintextIsWanted) {
  PlaintextWorld world;
  world.open(client_end);
  FlowData hello;
  hello.flow = client_flow;
  hello.moved = 500;
  hello.rest = GapCause::filter;
  world.send(world.now, client, hello);
  world.session(client_end);
  world.plain(client_end, Direction::tx, get(1));
  EXPECT_TRUE(world.quiet(client_end));
  world.plain(client_end, Direction::rx, answer());
  world.pipeline.finish();
  EXPECT_THAT(world.https(), IsEmpty());
}

TEST(Plaintext, WhatWasFilteredIsNoBlindSpot) {
  for (const bool filtered : {false, true}) {
    PlaintextWorld world;
    world.open(client_end);
    world.handshake("tls13", true, false);
    if (filtered) {
      FlowData rest;
      rest.flow = client_flow;
      rest.moved = 500;
      rest.rest = GapCause::filter;
      world.send(world.now, client, rest);
    }
    world.close(client_end.flow);
    world.pipeline.finish();
    EXPECT_EQ(world.blind("tls_without_plaintext").value_or(0), filtered ? 0U : 1U);
  }
}

TEST(Plaintext, AHandshakeThatFailedHidesNothing) {
  PlaintextWorld world;
  world.open(client_end);
  world.moves(client_end, Direction::tx, recorded("tls13")[0].bytes);
  world.moves(client_end, Direction::rx, tls_record(21, hex("0228")));
  world.close(client_end.flow);
  world.pipeline.finish();
  EXPECT_EQ(world.blind("tls_without_plaintext"), std::nullopt);
}

TEST(Plaintext, TheEndOfASessionEndsABodyWithoutLength) {
  for (const bool flow_first : {false, true}) {
    PlaintextWorld world;
    world.open(client_end);
    world.handshake("tls13", true, false);
    world.session(client_end);
    world.exchange(get(1), "HTTP/1.1 200 OK\r\n\r\nto the end", client_end, std::nullopt);
    world.wait(200);
    EXPECT_THAT(world.https(), IsEmpty());
    if (flow_first) {
      world.close(client_end.flow);
      world.wait(100);
      EXPECT_EQ(world.https().size(), 1U);
    }
    world.close(client_end.session, client);
    world.wait(200);
    world.pipeline.finish();
    ASSERT_EQ(world.https().size(), 1U) << flow_first;
    EXPECT_TRUE(transaction_of(world.https()[0]).complete);
    EXPECT_EQ(transaction_of(world.https()[0]).response.body_bytes, 10U);
  }
}

TEST(Plaintext, AnObjectUsedForASecondConnectionIsAnotherSession) {
  PlaintextWorld world;
  world.open(client_end);
  world.handshake("tls13", true, false);
  world.session(client_end);
  world.exchange(1, client_end, std::nullopt);
  world.close(client_end.session, client);
  const TlsEnd again{{7}, {1003}, client, true};
  FlowOpened it = opened(again.flow, Role::client, 40'001);
  it.offset_source = OffsetSource::sequence;
  it.tx_offset = it.rx_offset = first_sequence;
  world.send(world.now += ms, client, it);
  for (const Piece& piece : recorded("tls12"))
    world.moves(again, piece.from == Side::a ? Direction::tx : Direction::rx, piece.bytes);
  world.session(again);
  world.exchange(2, again, std::nullopt);
  world.wait(200);
  ASSERT_THAT(world.urls(), ElementsAre("/1", "/2"));
  const HttpTransaction& first = transaction_of(world.https()[0]);
  const HttpTransaction& second = transaction_of(world.https()[1]);
  EXPECT_NE(first.flow.connection_id, second.flow.connection_id);
  EXPECT_EQ(first.tls->version, "TLS 1.3");
  EXPECT_EQ(second.tls->version, "TLS 1.2");
  EXPECT_EQ(second.flow.client.endpoint, loopback(40'001));
}

// The table in the kernel may forget a session and meet it again.
TEST(Plaintext, ASecondSessionOfTheSameEndTellsOn) {
  PlaintextWorld world;
  world.open(client_end);
  world.open(server_end);
  world.handshake("tls13", true, true);
  world.session(client_end);
  world.exchange(1, client_end, std::nullopt);
  const TlsEnd again{client_flow, {1003}, client, true};
  world.session(again, true, false);
  world.exchange(2, again, std::nullopt);
  world.session(server_end, true, false);
  world.exchange(3, again, server_end);
  world.wait(200);
  EXPECT_THAT(world.urls(), ElementsAre("/1", "/2", "/3"));
  EXPECT_TRUE(world.quiet(server_end));
  // It may be TLS within TLS: the handshake on the wire is the first one's.
  EXPECT_EQ(transaction_of(world.https()[0]).tls->version, "TLS 1.3");
  EXPECT_EQ(transaction_of(world.https()[1]).tls->version, std::nullopt);
  EXPECT_THAT(world.https()[1]->missing, Contains("tls.version"));
}

TEST(Plaintext, ATransactionWaitsForTheHandshakeThatIsUnderWay) {
  const Conversation pieces = recorded("tls12");
  for (const bool comes : {true, false}) {
    PlaintextWorld world;
    world.open(client_end);
    world.moves(client_end, Direction::tx, pieces[0].bytes);
    world.session(client_end);
    world.exchange(1, client_end, std::nullopt);
    EXPECT_THAT(world.https(), IsEmpty());
    if (comes) {
      for (std::size_t i = 1; i < pieces.size(); ++i)
        world.moves(client_end, pieces[i].from == Side::a ? Direction::tx : Direction::rx, pieces[i].bytes);
    } else {
      world.wait(150);
    }
    ASSERT_EQ(world.https().size(), 1U);
    EXPECT_EQ(transaction_of(world.https()[0]).tls->version.has_value(), comes);
    const auto& missing = world.https()[0]->missing;
    EXPECT_EQ(std::ranges::count(missing, "tls.version"), comes ? 0 : 1);
    EXPECT_EQ(std::holds_alternative<TlsHandshake>(world.records[0]->body), comes) << "the handshake first";
  }
}

TEST(Plaintext, HandshakesThatAreNotShownAreLookedAtAllTheSame) {
  PipelineOptions options = https_options();
  options.handshakes = false;
  PlaintextWorld world(options);
  world.open(client_end);
  world.handshake("tls13", true, false);
  world.session(client_end);
  world.exchange(1, client_end, std::nullopt);
  ASSERT_EQ(world.records.size(), 1U);
  EXPECT_EQ(transaction_of(world.records[0].get()).tls->version, "TLS 1.3");
  EXPECT_EQ(world.pipeline.counters().transactions, 1U);
  EXPECT_EQ(world.verdict(client_flow, Direction::rx).mode, Mode::quiet) << "no ciphertext is copied";
}

TEST(Plaintext, SilenceNamesWhatIsWaitedForOnce) {
  PlaintextWorld world;
  EXPECT_EQ(silence_line(world.pipeline.silence_report(), 0),
            "0 TLS handshakes or HTTP/1 yet; 0 flows; filters dropped 0");
}

TEST(Plaintext, AnotherBackendDoesNotTellItAgain) {
  PlaintextWorld old;
  old.open(client_end);
  old.handshake("tls13", true, false);
  old.session(client_end);
  old.exchange(1, client_end, std::nullopt);
  PlaintextWorld next(https_options(), old.pipeline.hand_over());
  next.now = 1'000 * ms;
  next.open(client_end);
  next.handshake("tls13", true, false);
  next.session(client_end);
  next.exchange(1, client_end, std::nullopt);  // at the same times
  next.now += 50 * ms;
  next.exchange(2, client_end, std::nullopt);
  next.wait(200);
  EXPECT_THAT(old.urls(), ElementsAre("/1"));
  EXPECT_THAT(next.urls(), ElementsAre("/2"));
}

TEST(Plaintext, AnotherBackendKnowsTheHandshakeThatWasSeenBefore) {
  PlaintextWorld old;
  old.open(client_end);
  old.handshake("tls13", true, false);
  old.session(client_end);
  old.exchange(1, client_end, std::nullopt);
  PlaintextWorld next(https_options(), old.pipeline.hand_over());
  next.now = old.now + 1'000 * ms;
  next.open(client_end, true);
  next.session(client_end, true, false);
  next.exchange(2, client_end, std::nullopt);
  next.wait(200);
  ASSERT_THAT(next.urls(), ElementsAre("/2"));
  EXPECT_EQ(transaction_of(next.https()[0]).tls->version, "TLS 1.3");
  EXPECT_EQ(transaction_of(next.https()[0]).flow.connection_id, transaction_of(old.https()[0]).flow.connection_id);
}

TEST(Plaintext, SessionsAreBounded) {
  PipelineOptions options = https_options();
  options.sessions_max = 100;
  PlaintextWorld world(options);
  world.open(client_end);
  for (std::uint64_t id = 0; id < 1'000; ++id) world.session({client_flow, {10'000 + id}, client, true});
  EXPECT_EQ(world.pipeline.counters().sessions, 1'000U);
  EXPECT_EQ(world.pipeline.counters().sessions_evicted, 900U);
  TraceEnd end;
  world.pipeline.fill(end);
  ASSERT_EQ(end.lost.size(), 1U);
  EXPECT_EQ(end.lost[0].cause, "session_limit");
  EXPECT_EQ(end.lost[0].events, 900U);
  world.pipeline.finish();
}

TEST(Plaintext, ManySessionsComeAndGo) {
  PlaintextWorld world;
  for (std::uint64_t id = 0; id < 32'000; ++id) {
    const TlsEnd end{{0}, {10'000 + id}, server, false};
    world.session(end, false);
    world.plain(end, Direction::rx, "GET / HTT");
  }
  for (std::uint64_t id = 0; id < 32'000; id += 2) world.close({10'000 + id}, server);
  world.send(world.now += ms, server, ProcessExited{0, {}});
  world.wait(300);
  EXPECT_EQ(world.pipeline.counters().sessions, 32'000U);
  EXPECT_EQ(world.pipeline.counters().sessions_evicted, 0U);
  EXPECT_EQ(world.pipeline.counters().flows_evicted, 0U);
}

}  // namespace
}  // namespace tracer::test
