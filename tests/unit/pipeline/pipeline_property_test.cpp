// The property of the issue: whatever the order in which both observers' events arrive, and whatever is lost, the
// records of a connection are the truth or honestly incomplete; never wrong, never double. A response that a record
// itself calls inferred may be another's: such records are counted, and their number is bounded.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "tests/unit/pipeline/simulation.h"

namespace tracer::test {
namespace {

// The bounds need many seeds; what the sanitizers look for shows in the first ones, and each costs them ten times more.
#ifdef TRACER_SANITIZED
constexpr std::uint32_t seeds = 100;
#else
constexpr std::uint32_t seeds = 400;
#endif

struct Verdict {
  unsigned made = 0, complete = 0, incomplete = 0;
  unsigned inferred = 0, inferred_wrong = 0;
  unsigned dropped = 0;  // events
};

unsigned id_of(const HttpTransaction& transaction) {
  const HttpMessage& message = transaction.request;
  std::string text(message.view(message.url));
  if (text.starts_with("/")) text.erase(0, 1);
  return static_cast<unsigned>(std::stoul(text));
}

bool response_inferred(const Record& record) {
  return std::find(record.inferred.begin(), record.inferred.end(), "response") != record.inferred.end();
}

// Is this the response of that transaction?
bool response_is(const HttpMessage& response, const TrueTransaction& truth) {
  return response.header("X-Id") == std::to_string(truth.id) && response.body_bytes == truth.response_body;
}

// Holds every record against the truth. `strict`: nothing was lost, so everything must be there and complete. An end
// whose first events were overtaken by a whole transaction may be missing from that one's record.
Verdict judge(const World& world, const Simulation& simulation, const Shape& shape, bool strict) {
  const bool http = shape.http;
  unsigned one_ended = 0;
  Verdict verdict;
  std::multiset<unsigned> seen;
  std::optional<unsigned> last;
  verdict.made = static_cast<unsigned>(simulation.truth.size());
  verdict.dropped = simulation.dropped;
  for (const std::unique_ptr<Record>& record : world.records) {
    const auto* transaction = std::get_if<HttpTransaction>(&record->body);
    if (transaction == nullptr) continue;
    const HttpTransaction& it = *transaction;
    EXPECT_NE(it.flow.connection_id, 0U);
    if (it.request.present) {
      const unsigned id = id_of(it);
      EXPECT_LT(id, simulation.truth.size());
      if (id >= simulation.truth.size()) continue;
      EXPECT_EQ(seen.count(id), 0U) << "transaction " << id << " is told twice";
      seen.insert(id);
      const TrueTransaction& truth = simulation.truth[id];
      if (it.request.body_bytes && it.complete) {
        EXPECT_EQ(*it.request.body_bytes, truth.request_body);
      }
      if (it.complete) {
        if (last) {
          EXPECT_GT(id, *last) << "out of order";
        }
        last = id;
      }
      if (it.complete && response_inferred(*record)) {
        EXPECT_GT(simulation.dropped, 0U);
        ++verdict.inferred;
        if (!response_is(it.response, truth)) {
          ++verdict.inferred_wrong;
          ++verdict.complete;
          continue;
        }
      }
      if (http && it.response.present) {
        // Of a head that was lost in part the header may be missing, but it is never another transaction's.
        const auto answered = it.response.header("X-Id");
        EXPECT_TRUE(answered || !it.complete);
        EXPECT_EQ(answered.value_or(std::to_string(id)), std::to_string(id)) << "another transaction's response";
      }
      if (it.complete) {
        EXPECT_EQ(it.response.body_bytes.value_or(~0ULL), truth.response_body);
      }
      // Times are those of one end, exactly, or absent.
      if (it.time_source && it.complete) {
        const bool client = *it.time_source == TimeSource::client;
        const auto& request_times = client ? simulation.sent_at[0] : simulation.received_at[0];
        const auto& response_times = client ? simulation.received_at[1] : simulation.sent_at[1];
        const auto wall = [](std::uint64_t ns) { return WallTime{static_cast<std::int64_t>(ns)}; };
        if (it.request_time) {
          EXPECT_EQ(*it.request_time, wall(request_times[truth.request.first])) << id;
        }
        if (it.response_time) {
          EXPECT_EQ(*it.response_time, wall(response_times[truth.response.end - 1])) << id;
        }
        if (strict) {
          EXPECT_TRUE(it.request_time && it.response_time && it.duration_ms && it.time_to_first_byte_ms) << id;
        }
      }
      if (strict && shape.opens_late && (!it.flow.client.process || !it.flow.server.process)) {
        ++one_ended;
      } else if (strict) {
        EXPECT_EQ(it.time_source, TimeSource::client) << id;
        EXPECT_TRUE(it.flow.client.process && it.flow.server.process) << id;
        if (it.flow.client.process) {
          EXPECT_EQ(it.flow.client.process->comm, "client");
        }
        if (it.flow.server.process) {
          EXPECT_EQ(it.flow.server.process->comm, "server");
        }
      }
    }
    ++(it.complete ? verdict.complete : verdict.incomplete);
  }
  if (strict) {
    EXPECT_EQ(verdict.complete, simulation.truth.size());
    EXPECT_EQ(verdict.incomplete, 0U);
    EXPECT_LE(one_ended, 3U);
  }
  if (http) {
    EXPECT_LE(verdict.complete + verdict.incomplete, verdict.made) << "a transaction is told twice";
  }
  return verdict;
}

Verdict run(const Shape& shape, std::uint32_t seed, bool strict) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  World world;
  Simulation simulation(world, shape, seed);
  simulation.run();
  const Verdict verdict = judge(world, simulation, shape, strict);
  EXPECT_EQ(world.pipeline.counters().joined, 1U);
  if (shape.unseen != Unseen::nothing) {
    EXPECT_GT(world.pipeline.counters().ledger_mismatch, 0U);
  } else if (strict) {
    EXPECT_EQ(world.pipeline.counters().ledger_mismatch, 0U);
  }
  return verdict;
}

struct Named {
  const char* name;
  Shape shape;
  bool strict;
  unsigned inferred_wrong_max;  // of all transactions of all seeds; somewhat above what was measured (1, 19)
};

class PipelineProperty : public testing::TestWithParam<Named> {};

TEST_P(PipelineProperty, RecordsAreTheTruthOrHonestlyIncomplete) {
  const Named& named = GetParam();
  Verdict sum;
  for (std::uint32_t seed = 0; seed < seeds && !HasFailure(); ++seed) {
    const Verdict verdict = run(named.shape, seed, named.strict);
    sum.made += verdict.made;
    sum.complete += verdict.complete;
    sum.incomplete += verdict.incomplete;
    sum.inferred += verdict.inferred;
    sum.inferred_wrong += verdict.inferred_wrong;
    sum.dropped += verdict.dropped;
  }
  EXPECT_GT(sum.complete, seeds);  // honesty is not silence
  EXPECT_LE(sum.inferred_wrong, named.inferred_wrong_max);
  const bool all_seen = named.shape.drop_percent + named.shape.miss_percent == 0 && named.shape.per_call_max >= 256 &&
                        !named.shape.preexisting;
  if (all_seen) {
    EXPECT_EQ(sum.complete, sum.made);
  }
  if (named.shape.http && !named.shape.pipelining) {
    EXPECT_LE(sum.made - sum.complete, sum.dropped) << "one lost event costs one transaction";
  }
  if (named.shape.miss_percent > 0) {
    EXPECT_LE(sum.made - sum.complete, 3 * seeds) << "after its first missed call a stream is told by both ends";
  }
  RecordProperty("complete", static_cast<int>(sum.complete));
  RecordProperty("incomplete", static_cast<int>(sum.incomplete));
  RecordProperty("inferred", static_cast<int>(sum.inferred));
  RecordProperty("inferred_wrong", static_cast<int>(sum.inferred_wrong));
}

Named named_shape(const char* name, bool strict, void (*change)(Shape&), unsigned inferred_wrong_max = 0) {
  Named named{name, {}, strict, inferred_wrong_max};
  change(named.shape);
  return named;
}

// Two copies are made only until the server's end has shown that it tells, which each direction does once. One event is
// under way when a call is made, so a second message may still be copied.
TEST(PipelineEconomy, AfterTheFirstExchangeBytesAreCopiedAtOneEnd) {
  Shape shape;
  shape.shuffle = 1;
  shape.opens_late = false;
  shape.http = true;
  shape.transactions = 40;
  for (std::uint32_t seed = 0; seed < seeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world;
    Simulation simulation(world, shape, seed);
    simulation.run();
    (void)judge(world, simulation, shape, true);
    EXPECT_LE(simulation.client_copied_until[0], simulation.truth[1].request.end);
    EXPECT_LE(simulation.client_copied_until[1], simulation.truth[1].response.end);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, PipelineProperty,
    testing::Values(named_shape("sequence", true, [](Shape&) {}),
                    named_shape("counter", true, [](Shape& s) { s.sequence = false; }),
                    named_shape("two_namespaces", true, [](Shape& s) { s.one_namespace = false; }),
                    named_shape("ordered", true, [](Shape& s) { s.shuffle = 1; }),
                    named_shape("opened_in_order", true, [](Shape& s) { s.opens_late = false; }),
                    named_shape("verdicts_ignored", true, [](Shape& s) { s.obey_verdicts = false; }),
                    named_shape("pipelining", true, [](Shape& s) { s.pipelining = true; }),
                    named_shape("long_bodies", true,
                                [](Shape& s) {
                                  s.per_call_max = 256;
                                  s.opens_late = false;
                                  s.response_body_max = 60'000;
                                  s.request_body_max = 20'000;
                                }),
                    named_shape("long_bodies_opened_late", false,  // the times may be the server's
                                [](Shape& s) {
                                  s.per_call_max = 256;
                                  s.response_body_max = 60'000;
                                  s.request_body_max = 20'000;
                                }),
                    named_shape("server_unseen", true, [](Shape& s) { s.unseen = Unseen::server; }),
                    named_shape("server_receptions_unseen", true,
                                [](Shape& s) { s.unseen = Unseen::server_receptions; }),
                    named_shape("client_filtered", true,
                                [](Shape& s) {
                                  s.opens_late = false;
                                  s.filtered = Filtered::client;
                                }),
                    named_shape("client_filtered_opened_late", false,  // the times may be the server's
                                [](Shape& s) { s.filtered = Filtered::client; }),
                    named_shape("server_filtered", true, [](Shape& s) { s.filtered = Filtered::server; }),
                    named_shape("lossy", false, [](Shape& s) { s.drop_percent = 5; }),
                    named_shape("server_misses_calls", false,
                                [](Shape& s) {
                                  s.miss_percent = 5;
                                  s.transactions = 40;
                                  s.pause_ns = 10 * ms;
                                }),
                    named_shape("lossy_pipelining", false,
                                [](Shape& s) {
                                  s.drop_percent = 5;
                                  s.pipelining = true;
                                }),
                    named_shape("lossy_counter", false,
                                [](Shape& s) {
                                  s.drop_percent = 5;
                                  s.sequence = false;
                                }),
                    named_shape("snapped", false, [](Shape& s) { s.per_call_max = 16; }),
                    named_shape("preexisting", false, [](Shape& s) { s.preexisting = true; }),
                    named_shape("http", true, [](Shape& s) { s.http = true; }),
                    named_shape("http_two_namespaces", true,
                                [](Shape& s) {
                                  s.http = true;
                                  s.one_namespace = false;
                                }),
                    named_shape("http_server_unseen", true,
                                [](Shape& s) {
                                  s.http = true;
                                  s.unseen = Unseen::server;
                                }),
                    named_shape("http_server_receptions_unseen_pipelining", true,
                                [](Shape& s) {
                                  s.http = true;
                                  s.pipelining = true;
                                  s.unseen = Unseen::server_receptions;
                                }),
                    named_shape("http_server_misses_calls", false,
                                [](Shape& s) {
                                  s.http = true;
                                  s.miss_percent = 5;
                                  s.transactions = 40;
                                  s.pause_ns = 10 * ms;
                                }),
                    named_shape("http_client_filtered_two_namespaces", true,
                                [](Shape& s) {
                                  s.http = true;
                                  s.one_namespace = false;
                                  s.opens_late = false;
                                  s.filtered = Filtered::client;
                                }),
                    named_shape("http_server_filtered_two_namespaces", true,
                                [](Shape& s) {
                                  s.http = true;
                                  s.one_namespace = false;
                                  s.filtered = Filtered::server;
                                }),
                    named_shape("http_server_filtered_pipelining", true,
                                [](Shape& s) {
                                  s.http = true;
                                  s.pipelining = true;
                                  s.filtered = Filtered::server;
                                }),
                    named_shape("http_server_filtered_long_bodies", true,
                                [](Shape& s) {
                                  s.http = true;
                                  s.opens_late = false;
                                  s.response_body_max = 60'000;
                                  s.filtered = Filtered::server;
                                }),
                    named_shape("http_pipelining", true,
                                [](Shape& s) {
                                  s.http = true;
                                  s.pipelining = true;
                                }),
                    named_shape("http_lossy", false,
                                [](Shape& s) {
                                  s.http = true;
                                  s.drop_percent = 5;
                                }),
                    named_shape("http_lossy_pipelining", false,
                                [](Shape& s) {
                                  s.http = true;
                                  s.drop_percent = 5;
                                  s.pipelining = true;
                                }),
                    named_shape("http_lossy_keep_alive", false,
                                [](Shape& s) {
                                  s.http = true;
                                  s.drop_percent = 1;
                                  s.transactions = 40;
                                }),
                    named_shape(
                        "http_very_lossy_pipelining", false,
                        [](Shape& s) {
                          s.http = true;
                          s.drop_percent = 20;
                          s.pipelining = true;
                        },
                        2),
                    named_shape(
                        "http_lossy_late_pipelining", false,
                        [](Shape& s) {
                          s.http = true;
                          s.drop_percent = 5;
                          s.transactions = 40;
                          s.pipelining = true;
                          s.pipelining_from = 5;
                        },
                        24)),
    [](const testing::TestParamInfo<Named>& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace tracer::test
