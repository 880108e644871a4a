// What must hold for every conversation: the records do not depend on how the streams were cut and interleaved, and no
// loss ever makes a wrong one.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/http/http_generator.h"
#include "tests/unit/http/http_harness.h"

namespace tracer {
namespace {

using test::FakeHost;
using test::Generated;
using test::Generator;
using test::Write;

void end_both(HttpAnalyzer& analyzer, EventTime at) {
  analyzer.on_end(Side::a, StreamEnd::closed, at);
  analyzer.on_end(Side::b, StreamEnd::closed, at);
}

void deliver(HttpAnalyzer& analyzer, const Write& write, std::size_t piece_bytes_max, Generator& random) {
  for (std::size_t at = 0; at < write.bytes.size();) {
    const std::size_t left = write.bytes.size() - at;
    const std::size_t size = piece_bytes_max == 0 ? left : 1 + random.below(std::min(left, piece_bytes_max));
    analyzer.on_bytes(write.from, write.offset + at, as_bytes(std::string_view(write.bytes).substr(at, size)),
                      write.at);
    at += size;
  }
}

TEST(HttpProperty, records_are_right_in_any_split) {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Generator random(seed);
    const Generated made = random.conversation(1 + random.below(8), seed % 2 == 0, 4);
    std::vector<std::string> reference;
    for (std::size_t piece_bytes_max : {0UL, 1UL, 3UL, 40UL}) {
      FakeHost host;
      host.with_times = true;
      HttpAnalyzer analyzer(host, seed % 3 == 0 ? std::optional<Side>() : Side::a);
      for (const Write& write : made.writes) deliver(analyzer, write, piece_bytes_max, random);
      end_both(analyzer, made.writes.back().at);
      ASSERT_EQ(host.lines, made.records) << "seed " << seed << " pieces of " << piece_bytes_max;
      if (reference.empty()) reference = host.full_lines;
      ASSERT_EQ(host.full_lines, reference) << "seed " << seed << " pieces of " << piece_bytes_max;
    }
  }
}

// Each stream in its own order, but one may run ahead of the other by as much as held_ns_max allows.
TEST(HttpProperty, records_do_not_depend_on_the_interleaving) {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Generator random(seed);
    const Generated made = random.conversation(1 + random.below(8), seed % 2 == 0, 3);
    FakeHost host;
    HttpAnalyzer analyzer(host, seed % 3 == 0 ? std::optional<Side>() : Side::a);
    std::vector<const Write*> streams[2];
    for (const Write& write : made.writes) streams[static_cast<std::size_t>(write.from)].push_back(&write);
    std::size_t next[2] = {0, 0};
    while (next[0] < streams[0].size() || next[1] < streams[1].size()) {
      std::size_t side = random.below(2);
      if (next[side] == streams[side].size()) side = 1 - side;
      const Write& write = *streams[side][next[side]++];
      deliver(analyzer, write, random.one_in(2) ? 0 : 5, random);
      analyzer.on_time(write.at);
    }
    end_both(analyzer, made.writes.back().at);
    std::vector<std::string> lines = host.lines, expected = made.records;
    std::sort(lines.begin(), lines.end());
    std::sort(expected.begin(), expected.end());
    ASSERT_EQ(lines, expected) << "seed " << seed;
  }
}

struct LossResult {
  std::size_t made = 0, complete = 0, wrong = 0, wrong_but_inferred = 0;
};

// Loses whole writes (the buffer to the tracer was full) or their ends (more than is kept of one call). The gap becomes
// known when the next bytes of that stream do.
LossResult with_loss(std::uint64_t seed, bool pipelined, std::uint64_t one_write_lost_in, bool explain) {
  Generator random(seed);
  random.traps_begin_writes = false;
  const Generated made = random.conversation(20, pipelined, 3);
  FakeHost host;
  HttpAnalyzer analyzer(host, seed % 3 == 0 ? std::optional<Side>() : Side::a);
  LossResult result;
  std::uint64_t gap[2] = {0, 0};
  for (const Write& write : made.writes) {
    std::uint64_t& pending = gap[static_cast<std::size_t>(write.from)];
    if (random.one_in(one_write_lost_in)) {
      pending += write.bytes.size();
      continue;
    }
    if (pending != 0) analyzer.on_gap(write.from, write.offset - pending, pending, GapCause::ring_full, write.at);
    pending = 0;
    std::size_t kept = write.bytes.size();
    if (random.one_in(one_write_lost_in)) {
      kept = 1 + random.below(kept);
    }
    analyzer.on_bytes(write.from, write.offset, as_bytes(std::string_view(write.bytes).substr(0, kept)), write.at);
    pending = write.bytes.size() - kept;
    analyzer.on_time(write.at);
  }
  end_both(analyzer, made.writes.back().at);
  result.made = made.records.size();
  std::vector<std::string> unclaimed = made.records;
  for (std::size_t i = 0; i < host.lines.size(); ++i) {
    const std::string& line = host.lines[i];
    if (line.find("incomplete:") != std::string::npos) continue;
    ++result.complete;
    const auto found = std::find(unclaimed.begin(), unclaimed.end(), line);
    if (found != unclaimed.end()) {
      unclaimed.erase(found);
      continue;
    }
    if (host.inferred[i]) {
      ++result.wrong_but_inferred;
      continue;
    }
    ++result.wrong;
    if (explain) ADD_FAILURE() << "seed " << seed << ": " << line;
  }
  return result;
}

TEST(HttpProperty, loss_never_makes_a_wrong_record) {
  LossResult sum;
  for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
    const LossResult one = with_loss(seed, false, 3 + seed % 30, true);
    sum.complete += one.complete;
    sum.wrong_but_inferred += one.wrong_but_inferred;
    sum.made += one.made;
  }
  EXPECT_GT(sum.complete, sum.made / 2) << "coverage after loss";
  // Three losses in a row can look like one; the record says that it was deduced.
  EXPECT_LE(sum.wrong_but_inferred, sum.made / 10'000);
}

TEST(HttpProperty, pipelined_loss_never_makes_a_wrong_record) {
  LossResult sum;
  for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
    const LossResult one = with_loss(seed, true, 3 + seed % 30, true);
    sum.complete += one.complete;
    sum.wrong_but_inferred += one.wrong_but_inferred;
    sum.made += one.made;
  }
  // Losses so dense that what is left of a pipelining client looks, time and again, like one that waits.
  EXPECT_LE(sum.wrong_but_inferred, sum.made / 1'000);
  EXPECT_GT(sum.complete, sum.made / 10) << "the batches before the loss, at least";
}

}  // namespace
}  // namespace tracer
