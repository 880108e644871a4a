// The watch changes hands in mid-run: one backend after the other, with an overlap or a blind gap between, two clocks
// and two ways of counting. No request is told twice, and none is left out that could be seen.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

#include "tests/unit/pipeline/events.h"

namespace tracer::test {
namespace {

enum class Way : std::uint8_t { both_ends, wire, counted };

// Something that a connection did, as it was.
struct Deed {
  std::uint64_t at = 0;
  unsigned connection = 0;
  enum class Kind : std::uint8_t { open, data, close } kind = Kind::data;
  bool by_client = true;
  std::uint64_t offset = 0;  // in the stream, from 0
  std::string text;
};
struct Asked {
  std::uint64_t begin = 0, end = 0;
  unsigned connection = 0;
};

struct Workload {
  std::vector<Deed> deeds;              // in order of time
  std::map<std::string, Asked> asked;   // by URL
  std::vector<std::uint32_t> first[2];  // sequence numbers, by connection
  std::vector<std::uint64_t> ends;      // when a connection closed
};

class Maker {
 public:
  explicit Maker(std::uint32_t seed) : random_(seed) {}
  std::uint64_t below(std::uint64_t n) { return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random_); }

  Workload make(unsigned connections) {
    Workload work;
    for (unsigned id = 0; id < connections; ++id) {
      std::uint64_t at = 100 * ms + below(300 * ms), sent[2] = {};
      const auto pass = [&](std::uint64_t most) { at += 50'000 + below(most); };
      const auto send = [&](bool by_client, const std::string& text) {
        for (std::size_t done = 0; done < text.size();) {
          const std::size_t size = below(3) != 0 ? text.size() - done : 1 + below(text.size() - done);
          work.deeds.push_back({at, id, Deed::Kind::data, by_client, sent[by_client ? 0 : 1], text.substr(done, size)});
          sent[by_client ? 0 : 1] += size;
          done += size;
          if (done < text.size()) pass(ms);
        }
      };
      work.first[0].push_back(static_cast<std::uint32_t>(random_()));
      work.first[1].push_back(static_cast<std::uint32_t>(random_()));
      work.deeds.push_back({at, id, Deed::Kind::open, true, 0, {}});
      const std::uint64_t requests = 1 + below(40);
      for (std::uint64_t i = 0; i < requests; ++i) {
        pass(below(4) == 0 ? 30 * ms : ms);
        const std::string url = "/" + std::to_string(id) + "/" + std::to_string(i);
        Asked asked{at, 0, id};
        send(true, "GET " + url + " HTTP/1.1\r\nHost: h\r\n\r\n");
        pass(2 * ms);
        const std::string body(below(300), 'x');
        send(false, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
        asked.end = at;
        work.asked[url] = asked;
      }
      pass(20 * ms);
      work.deeds.push_back({at, id, Deed::Kind::close, true, 0, {}});
      work.ends.push_back(at);
    }
    std::ranges::stable_sort(work.deeds, {}, &Deed::at);
    return work;
  }

 private:
  std::mt19937 random_;
};

// One backend, from `from` to `until`, in its own clock.
class Watch {
 public:
  Watch(World& world, const Workload& work, Way way, std::int64_t skew, std::uint64_t from, std::uint64_t until)
      : world_(world), work_(work), way_(way), skew_(skew), from_(from), until_(until) {}

  void run() {
    std::set<unsigned> open;
    bool begun = false;
    for (const Deed& deed : work_.deeds) {
      if (deed.at >= until_) break;
      if (deed.at < from_) {
        if (deed.kind == Deed::Kind::open) open.insert(deed.connection);
        if (deed.kind == Deed::Kind::close) open.erase(deed.connection);
        if (deed.kind == Deed::Kind::data)
          position_[{deed.connection, deed.by_client}] = deed.offset + deed.text.size();
        continue;
      }
      if (!std::exchange(begun, true)) {
        for (const unsigned id : open) tell_open(id, from_, true);
      }
      if (deed.kind == Deed::Kind::open) tell_open(deed.connection, deed.at, false);
      if (deed.kind == Deed::Kind::data) tell(deed);
      if (deed.kind == Deed::Kind::close) {
        for (const bool client_end : ends()) world_.send(clock(deed.at), 0, closed(flow(deed.connection, client_end)));
      }
    }
  }

 private:
  [[nodiscard]] std::uint64_t clock(std::uint64_t at) const {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(at) + skew_);
  }
  [[nodiscard]] std::vector<bool> ends() const {
    return way_ == Way::wire ? std::vector<bool>{true} : std::vector<bool>{true, false};
  }
  static FlowId flow(unsigned connection, bool client_end) { return {2ULL * connection + (client_end ? 1 : 2)}; }
  // Of the byte at `offset` of what one side sent.
  [[nodiscard]] std::uint64_t own_offset(unsigned id, bool by_client, std::uint64_t offset) {
    if (way_ != Way::counted) return (1ULL << 40U) + work_.first[by_client ? 0 : 1][id] + offset;
    return offset - counted_from_[{id, by_client}];
  }

  void tell_open(unsigned id, std::uint64_t at, bool preexisting) {
    for (const bool by_client : {true, false}) counted_from_[{id, by_client}] = position_[{id, by_client}];
    for (const bool client_end : ends()) {
      FlowOpened it = opened(flow(id, client_end), client_end ? Role::client : Role::server,
                             static_cast<std::uint16_t>(10'000 + id));
      it.vantage = way_ == Way::wire ? Vantage::wire : Vantage::endpoint;
      it.network_namespace = way_ == Way::wire ? 0 : 1;
      it.preexisting = preexisting;
      it.offset_source = way_ == Way::counted ? OffsetSource::counter : OffsetSource::sequence;
      it.tx_offset = own_offset(id, client_end, position_[{id, client_end}]);
      it.rx_offset = own_offset(id, !client_end, position_[{id, !client_end}]);
      if (way_ == Way::wire && preexisting) {
        it.tx_offset = it.rx_offset = std::nullopt;
        it.role = Role::unknown;
      }
      world_.send(clock(at), 0, it);
    }
  }

  void tell(const Deed& deed) {
    for (const bool client_end : ends()) {
      const Direction direction = client_end == deed.by_client ? Direction::tx : Direction::rx;
      const bool sends = direction == Direction::tx;
      const std::uint64_t offset = own_offset(deed.connection, deed.by_client, deed.offset);
      world_.send(clock(deed.at) + (sends ? 0 : 10'000),
                  way_ == Way::wire ? 0U
                  : client_end      ? client
                                    : server,
                  data(flow(deed.connection, client_end), direction, offset, deed.text));
    }
  }

  World& world_;
  const Workload& work_;
  Way way_;
  std::int64_t skew_;
  std::uint64_t from_, until_;
  std::map<std::pair<unsigned, bool>, std::uint64_t> position_, counted_from_;
};

std::string url_of(const HttpTransaction& it) { return std::string(it.request.view(it.request.url)); }

struct Switched {
  Way before, after;
};

class Handovers : public testing::TestWithParam<Switched> {};

TEST_P(Handovers, TellEveryRequestOnceAndLoseOnlyWhatNobodyWatched) {
  const auto [before, after] = GetParam();
  const bool exact = before != Way::counted && after != Way::counted;
  std::size_t told_before = 0, told_after = 0, cut = 0;
  for (std::uint32_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    Maker maker(seed);
    const Workload work = maker.make(12);
    const std::uint64_t old_until = 250 * ms + maker.below(200 * ms);
    const bool overlap = maker.below(2) != 0;
    const std::uint64_t distance = maker.below(60 * ms);
    const std::uint64_t new_from = overlap ? old_until - distance : old_until + distance;
    const auto skew = [&] {
      return static_cast<std::int64_t>(maker.below(4 * ms)) - static_cast<std::int64_t>(2 * ms);
    };
    World old;
    Watch(old, work, before, skew(), 0, old_until).run();
    Handover handover = old.pipeline.hand_over();
    for (const CarriedConnection& it : handover.connections) ASSERT_LT(it.connection_id, handover.next_connection_id);
    const std::uint64_t next_id = handover.next_connection_id;
    World next({}, std::move(handover));
    Watch(next, work, after, skew(), new_from, UINT64_MAX).run();
    next.pipeline.finish();

    std::map<std::string, unsigned> told;
    std::map<unsigned, std::set<std::uint64_t>> ids;
    for (World* world : {&old, &next}) {
      for (const HttpTransaction* it : world->transactions()) {
        if (!it->request.present) {
          EXPECT_GE(it->flow.connection_id, next_id) << "a response of a request that was told";
          continue;
        }
        ++told[url_of(*it)];
        (world == &old ? told_before : told_after) += 1;
        cut += it->incomplete_reason == "backend_switch" ? 1 : 0;
        ASSERT_TRUE(work.asked.contains(url_of(*it)));
        ids[work.asked.at(url_of(*it)).connection].insert(it->flow.connection_id);
      }
    }
    std::set<std::uint64_t> all_ids;
    for (const auto& [connection, its] : ids) {
      EXPECT_EQ(its.size(), 1U) << connection;
      for (const std::uint64_t id : its) EXPECT_TRUE(all_ids.insert(id).second) << id;
    }
    // What both clocks say of the border may differ by this much.
    const std::uint64_t unsure = exact ? ms : 12 * ms;
    const std::uint64_t dark_from = old_until - ms, dark_until = std::max(old_until + unsure, new_from + ms);
    for (const auto& [url, asked] : work.asked) {
      EXPECT_LE(told[url], 1U) << url;
      const bool in_the_dark = asked.begin < dark_until && asked.end > dark_from;
      if (!in_the_dark) {
        EXPECT_EQ(told[url], 1U) << url << " at " << asked.begin << ", old until " << old_until << ", new from "
                                 << new_from;
      }
    }
  }
  EXPECT_GT(told_before, 1000U);
  EXPECT_GT(told_after, 1000U);
  EXPECT_GT(cut, 20U);
}

std::string name_of(const testing::TestParamInfo<Switched>& it) {
  static const std::string names[] = {"both_ends", "wire", "counted"};
  return names[static_cast<std::size_t>(it.param.before)] + "_to_" + names[static_cast<std::size_t>(it.param.after)];
}
INSTANTIATE_TEST_SUITE_P(All, Handovers,
                         testing::Values(Switched{Way::both_ends, Way::wire}, Switched{Way::wire, Way::both_ends},
                                         Switched{Way::wire, Way::wire}, Switched{Way::both_ends, Way::counted},
                                         Switched{Way::counted, Way::wire}),
                         name_of);

TEST(Handover, OneConnectionRecordCountsBothWatchesAndTheGapBetween) {
  PipelineOptions options;
  options.connections = ConnectionRecords::all;
  World old(options);
  old.send(1 * ms, client, opened_by_sequence(client_flow, Role::client));
  old.send(2 * ms, client, data(client_flow, Direction::tx, first_sequence, "REQ 1 0\n"));
  old.send(3 * ms, client, data(client_flow, Direction::rx, first_sequence, "RSP 1 0\n"));
  Handover handover = old.pipeline.hand_over();
  EXPECT_EQ(old.records.size(), 1U);  // the connection goes on
  World next(options, std::move(handover));
  FlowOpened found = opened_by_sequence(client_flow, Role::client);
  found.preexisting = true;
  found.tx_offset = first_sequence + 8 + 100;
  found.rx_offset = first_sequence + 8 + 20;
  next.send(50 * ms, client, found);
  next.send(60 * ms, client, data(client_flow, Direction::tx, first_sequence + 108, "REQ 2 0\n"));
  next.send(61 * ms, client, data(client_flow, Direction::rx, first_sequence + 28, "RSP 2 0\n"));
  next.send(70 * ms, client, closed(client_flow));
  next.pipeline.finish();
  ASSERT_EQ(next.records.size(), 3U);
  EXPECT_EQ(std::get<Loss>(next.records[2]->body).count.bytes, 120U);
  const auto& it = std::get<ConnectionSummary>(next.records[1]->body);
  EXPECT_EQ(it.transactions, 2U);
  EXPECT_EQ(it.client_to_server->moved, 116U);
  EXPECT_EQ(it.client_to_server->kept, 16U);
  EXPECT_EQ(it.client_to_server->gaps[static_cast<std::size_t>(GapCause::backend_switch)], 100U);
  EXPECT_EQ(it.server_to_client->gaps[static_cast<std::size_t>(GapCause::backend_switch)], 20U);
  EXPECT_EQ(it.duration_ms, 69.0);
  EXPECT_EQ(it.flow.connection_id, std::get<HttpTransaction>(old.records[0]->body).flow.connection_id);
  TraceEnd end;
  next.pipeline.fill(end);
  const auto lost = std::ranges::find(end.lost, "backend_switch", &LossCount::cause);
  ASSERT_NE(lost, end.lost.end());
  EXPECT_EQ(lost->bytes, 120U);
}

TEST(Handover, AnAddressPairUsedAgainIsAnotherConnection) {
  World old;
  old.send(1 * ms, client, opened_by_sequence(client_flow, Role::client));
  old.send(2 * ms, client, data(client_flow, Direction::tx, first_sequence, "REQ 1 0\n"));
  World next({}, old.pipeline.hand_over());
  next.send(100 * ms, client, opened_by_sequence(FlowId{9}, Role::client));
  next.send(101 * ms, client, data(FlowId{9}, Direction::tx, first_sequence, "REQ 5 0\n"));
  next.send(102 * ms, client, data(FlowId{9}, Direction::rx, first_sequence, "RSP 5 0\n"));
  ASSERT_EQ(next.transactions().size(), 1U);
  EXPECT_NE(next.transactions()[0]->flow.connection_id, old.transactions()[0]->flow.connection_id);
}

TEST(Handover, WhatWasNeverAskedForIsHandedOnAndForgottenInTime) {
  World first;
  first.send(1 * ms, client, opened_by_sequence(client_flow, Role::client));
  World second({}, first.pipeline.hand_over());
  second.send(2 * ms, client, ProcessExited{});
  EXPECT_EQ(second.pipeline.hand_over().connections.size(), 1U);
  World third({}, [] {
    World world;
    world.send(1 * ms, client, opened_by_sequence(client_flow, Role::client));
    return world.pipeline.hand_over();
  }());
  third.pipeline.advance(EventTime{1'000 * ms});
  third.pipeline.advance(EventTime{62'000 * ms});
  EXPECT_TRUE(third.pipeline.hand_over().connections.empty());
}

}  // namespace
}  // namespace tracer::test
