#include "core/stream_assembler.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace tracer {
namespace {

constexpr std::uint64_t ms = 1'000'000;

// Writes down what it is given: bytes as text, gaps as [size:cause], the end as $ or |.
struct Transcript final : StreamOutput {
  std::string text;
  std::uint64_t next = 0;
  bool first = true, broken = false;
  const std::byte* last_data = nullptr;

  void expect(std::uint64_t offset, std::uint64_t size) {
    if (!first && offset != next) broken = true;
    first = false;
    next = offset + size;
  }
  void on_stream_bytes(Side, std::uint64_t offset, Bytes bytes, EventTime) override {
    expect(offset, bytes.size());
    text += as_text(bytes);
    last_data = bytes.data();
  }
  void on_stream_gap(Side, std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime) override {
    expect(offset, size);
    text += "[" + std::to_string(size) + ":" + std::string(to_string(cause)) + "]";
  }
  void on_stream_end(Side, StreamEnd end, EventTime) override { text += end == StreamEnd::closed ? "$" : "|"; }
};

class StreamAssemblerTest : public testing::Test {
 protected:
  StreamEnvironment environment;
  Transcript out;
  StreamAssembler stream{environment, out, Side::a};

  void both() {
    stream.add_observer(Observer::sender, 0, false);
    stream.add_observer(Observer::receiver, 0, false);
  }
  void alone() { stream.add_observer(Observer::sender, 0, false); }
  void tell(Observer which, std::uint64_t offset, std::string_view text, std::uint64_t more = 0,
            GapCause rest = GapCause::none, std::uint64_t at_ns = 1) {
    FlowData data;
    data.offset = offset;
    data.bytes = as_bytes(text);
    data.moved = text.size() + more;
    data.rest = rest;
    stream.add(which, data, EventTime{at_ns});
  }
  void expect_balanced(Observer which) {
    const StreamLedger ledger = stream.observer(which).ledger(environment);
    std::uint64_t sum = ledger.kept;
    for (const std::uint64_t gap : ledger.gaps) sum += gap;
    EXPECT_EQ(ledger.moved, sum);
  }
};

TEST_F(StreamAssemblerTest, InOrderBytesAreDeliveredWithoutACopy) {
  alone();
  const std::string text = "hello";
  tell(Observer::sender, 100, text);
  EXPECT_EQ(static_cast<const void*>(out.last_data), static_cast<const void*>(text.data()));
  tell(Observer::sender, 105, " world");
  EXPECT_EQ(out.text, "hello world");
  EXPECT_EQ(stream.held(), 0U);
}

TEST_F(StreamAssemblerTest, BytesThatBothTellAreDeliveredOnceAndTheFirstWin) {
  both();
  tell(Observer::sender, 0, "abcdef");
  tell(Observer::receiver, 0, "ABC");
  tell(Observer::receiver, 3, "DEFGH");
  EXPECT_EQ(out.text, "abcdefGH");
  EXPECT_EQ(environment.counters.duplicate_bytes, 6U);
}

// What the capture side says of a hole counts, also when nobody could wait for it: the sums of all connections are then
// those of the trace.
TEST_F(StreamAssemblerTest, HolesGivenUpForWantOfMemoryAreWhatIsSaidOfThemLater) {
  constexpr std::uint64_t holes = 65;  // what is kept open on the wire, and one more
  alone();
  stream.observer(Observer::sender).patient = true;
  environment.limits.total_bytes_held_max = 0;
  stream.start(Observer::sender, 0);
  for (std::uint64_t hole = 0; hole < holes; ++hole) tell(Observer::sender, hole * 2 + 1, "x");
  EXPECT_EQ(environment.counters.held_limit_hits, holes);
  const auto gap = [&](GapCause cause) {
    return stream.observer(Observer::sender).ledger(environment).gaps[static_cast<std::size_t>(cause)];
  };
  EXPECT_EQ(gap(GapCause::not_captured), holes);
  for (std::uint64_t hole = 0; hole < holes; ++hole) tell(Observer::sender, hole * 2, "", 1, GapCause::ring_full);
  EXPECT_EQ(gap(GapCause::ring_full), holes);
  EXPECT_EQ(gap(GapCause::not_captured), 0U);
  expect_balanced(Observer::sender);
}

TEST_F(StreamAssemblerTest, OutOfOrderBytesWaitForTheHole) {
  alone();
  stream.start(Observer::sender, 0);
  tell(Observer::sender, 3, "def");
  tell(Observer::sender, 9, "j");
  tell(Observer::sender, 4, "EFGHI");  // overlaps what is held: the first bytes win
  EXPECT_EQ(out.text, "");
  tell(Observer::sender, 0, "abc");
  EXPECT_EQ(out.text, "abcdefGHIj");
  EXPECT_EQ(environment.bytes_held, 0U);
  EXPECT_EQ(stream.observer(Observer::sender).ledger(environment).kept, 10U);
  expect_balanced(Observer::sender);
}

TEST_F(StreamAssemblerTest, ADeclaredGapOfTheOnlyObserverIsDefiniteAtOnce) {
  alone();
  tell(Observer::sender, 0, "ab", 8, GapCause::snap_length);
  tell(Observer::sender, 10, "cd");
  EXPECT_EQ(out.text, "ab[8:snap_length]cd");
  expect_balanced(Observer::sender);
}

TEST_F(StreamAssemblerTest, TheOtherObserverFillsADeclaredGap) {
  both();
  tell(Observer::sender, 0, "ab", 4, GapCause::zero_copy);
  EXPECT_EQ(out.text, "ab");
  tell(Observer::receiver, 0, "abcd");
  tell(Observer::receiver, 4, "ef");
  EXPECT_EQ(out.text, "abcdef");
}

TEST_F(StreamAssemblerTest, AGapIsDefiniteWhenBothPassedItAndTheCauseIsTheBringersWord) {
  both();
  stream.observer(Observer::sender).brings_bytes = false;
  tell(Observer::sender, 0, "", 10, GapCause::verdict_skip);
  EXPECT_EQ(out.text, "");
  stream.on_time(EventTime{10'000 * ms});  // a slow reader is not a loss
  EXPECT_EQ(out.text, "");
  tell(Observer::receiver, 0, "abcd", 6, GapCause::snap_length, 10'000 * ms);
  EXPECT_EQ(out.text, "abcd[6:snap_length]");
}

TEST_F(StreamAssemblerTest, WhatWasNotWantedIsNotWaitedFor) {
  both();
  stream.observer(Observer::receiver).skip_until = 10;
  tell(Observer::receiver, 0, "", 10, GapCause::verdict_skip);
  EXPECT_EQ(out.text, "[10:verdict_skip]");
}

TEST_F(StreamAssemblerTest, SizesFromBeforeBytesWereWantedDoNotSayThatNobodyWantsThem) {
  both();
  stream.observer(Observer::receiver).skip_until = 4;
  tell(Observer::receiver, 0, "", 10, GapCause::verdict_skip);
  EXPECT_EQ(out.text, "[4:verdict_skip]");
  tell(Observer::sender, 0, "0123456789");
  EXPECT_EQ(out.text, "[4:verdict_skip]456789");
}

TEST_F(StreamAssemblerTest, AJumpIsGivenUpAfterTheHoldTimeAndNamedByWhatIsKnown) {
  alone();
  tell(Observer::sender, 0, "a");
  tell(Observer::sender, 5, "b", 0, GapCause::none, 1 * ms);
  stream.on_time(EventTime{50 * ms});
  EXPECT_EQ(out.text, "a");
  stream.on_time(EventTime{51 * ms});
  EXPECT_EQ(out.text, "a[4:concurrent]b");

  tell(Observer::sender, 10, "c", 0, GapCause::none, 60 * ms);
  ++environment.loss_epoch;  // the report of the loss comes after the jump
  stream.on_time(EventTime{111 * ms});
  EXPECT_EQ(out.text, "a[4:concurrent]b[4:ring_full]c");
  expect_balanced(Observer::sender);
  EXPECT_EQ(stream.observer(Observer::sender).ledger(environment).moved, 11U);
}

// Of the calls in a skipped range the one that reaches its end is always told: its time is worth waiting for.
TEST_F(StreamAssemblerTest, TheCallThatEndsASkippedRangeMayComeLate) {
  alone();
  tell(Observer::sender, 0, "a");
  StreamObserver& sender = stream.observer(Observer::sender);
  sender.skip_until = 10;
  tell(Observer::sender, 12, "b");
  EXPECT_TRUE(sender.may_tell_of(9));
  EXPECT_FALSE(sender.may_tell_of(5));
  tell(Observer::sender, 7, "", 3, GapCause::verdict_skip);
  EXPECT_FALSE(sender.may_tell_of(9));
}

TEST_F(StreamAssemblerTest, AJumpInsideAnAskedSkipIsNoSurprise) {
  alone();
  tell(Observer::sender, 0, "a");
  stream.observer(Observer::sender).skip_until = 5;
  tell(Observer::sender, 5, "b");
  EXPECT_EQ(out.text, "a[4:verdict_skip]b");
}

TEST_F(StreamAssemblerTest, ALateEventFillsAJumpAndTheLedgerAgrees) {
  alone();
  tell(Observer::sender, 0, "a");
  tell(Observer::sender, 5, "fg");
  tell(Observer::sender, 1, "bc", 2, GapCause::fault);
  EXPECT_EQ(out.text, "abc[2:fault]fg");
  const StreamLedger ledger = stream.observer(Observer::sender).ledger(environment);
  EXPECT_EQ(ledger.moved, 7U);
  EXPECT_EQ(ledger.kept, 5U);
  EXPECT_EQ(ledger.gaps[static_cast<std::size_t>(GapCause::fault)], 2U);
}

TEST_F(StreamAssemblerTest, TooMuchHeldGivesTheHoleUp) {
  environment.limits.bytes_held_max = 100;
  alone();
  stream.start(Observer::sender, 0);
  tell(Observer::sender, 10, std::string(60, 'x'));
  EXPECT_EQ(out.text, "");
  tell(Observer::sender, 80, std::string(60, 'y'));
  EXPECT_EQ(out.text, "[10:concurrent]" + std::string(60, 'x'));
  EXPECT_EQ(environment.counters.held_limit_hits, 1U);
  EXPECT_EQ(stream.held(), 60U);
}

TEST_F(StreamAssemblerTest, TheEndComesAfterEverythingTheSenderSent) {
  both();
  tell(Observer::sender, 0, "", 3, GapCause::zero_copy);
  stream.end(Observer::sender, 3, EventTime{2});
  EXPECT_EQ(out.text, "");
  tell(Observer::receiver, 0, "abc");
  EXPECT_EQ(out.text, "abc$");
}

TEST_F(StreamAssemblerTest, ALostTailIsAGapBeforeTheEnd) {
  alone();
  tell(Observer::sender, 0, "abc");
  ++environment.loss_epoch;
  stream.end(Observer::sender, 10, EventTime{2});
  EXPECT_EQ(out.text, "abc[7:ring_full]$");
  expect_balanced(Observer::sender);
}

TEST_F(StreamAssemblerTest, AnAnnouncedEndWaitsForTheBytesBeforeIt) {
  stream.add_observer(Observer::receiver, 0, false);
  stream.start(Observer::receiver, 0);
  stream.end_at(Observer::receiver, 5, EventTime{1});
  EXPECT_EQ(out.text, "");
  tell(Observer::receiver, 0, "abcde");
  EXPECT_EQ(out.text, "abcde$");
}

TEST_F(StreamAssemblerTest, CutGivesUpWhatIsMissing) {
  alone();
  stream.start(Observer::sender, 0);
  tell(Observer::sender, 2, "c");
  stream.cut(EventTime{5}, StreamEnd::cut);
  EXPECT_EQ(out.text, "[2:concurrent]c|");
}

TEST_F(StreamAssemblerTest, AStreamFromBeforeTheTracerStartsAtItsFirstByte) {
  stream.add_observer(Observer::sender, 0, true);
  stream.start(Observer::sender, 10);
  tell(Observer::sender, 20, "x");
  stream.on_time(EventTime{1000 * ms});
  EXPECT_EQ(out.text, "[10:before_attach]x");
}

TEST_F(StreamAssemblerTest, ObserversThatExtendTheirNumbersDifferentlyAreAligned) {
  const std::uint64_t isn = 0xffff'fff8;  // wraps after 8 bytes
  stream.add_observer(Observer::sender, stream.align(isn), false);
  stream.start(Observer::sender, isn);
  tell(Observer::sender, isn, "abcdefghijkl");
  // The receiver first saw a byte after the wrap, so its own numbers are 2^32 behind.
  const std::uint64_t own = (isn + 10) & 0xffff'ffffU;
  stream.add_observer(Observer::receiver, stream.align(own), false);
  tell(Observer::receiver, own, "klmno");
  EXPECT_EQ(out.text, "abcdefghijklmno");
  // And one that is ahead by it.
  StreamObserver fresh;
  EXPECT_EQ(static_cast<std::uint32_t>(stream.position()), static_cast<std::uint32_t>(isn + 15));
  EXPECT_EQ(stream.align(own + (3ULL << 32U)) + own + (3ULL << 32U), stream.position() - 5);
}

TEST_F(StreamAssemblerTest, AnAdoptedObserverBringsItsMarksAndWhatItHadIsNotAwaitedFromIt) {
  StreamEnvironment elsewhere;
  Transcript ignored;
  StreamAssembler there(elsewhere, ignored, Side::a);
  there.add_observer(Observer::receiver, 0, false);
  FlowData data;
  data.bytes = as_bytes("abcd");
  data.moved = 4;
  data.offset = 0;
  there.add(Observer::receiver, data, EventTime{7});

  alone();
  stream.start(Observer::sender, 0);
  stream.adopt_observer(Observer::receiver, std::move(there.observer(Observer::receiver)), 0);
  EXPECT_EQ(stream.observer(Observer::receiver).marks.time_of(2), EventTime{7});
  EXPECT_EQ(stream.observer(Observer::receiver).ledger(environment).kept, 4U);
  tell(Observer::sender, 0, "ab", 2, GapCause::snap_length);
  tell(Observer::receiver, 4, "ef");
  EXPECT_EQ(out.text, "ab[2:snap_length]ef");
}

// Both observers tell of one stream in pieces of their own, with gaps, losses and a shuffled order. What comes out is
// the stream in order, each byte right or inside a gap; without losses it is all there.
TEST(StreamAssemblerProperty, EveryInterleavingGivesTheStreamOrNamedGaps) {
  struct Checker final : StreamOutput {
    const std::string* truth = nullptr;
    std::uint64_t base = 0, next = 0, gaps = 0;
    bool started = false, wrong = false;
    void on_stream_bytes(Side, std::uint64_t offset, Bytes bytes, EventTime) override {
      advance(offset, bytes.size());
      if (wrong || as_text(bytes) != std::string_view(*truth).substr(offset - base, bytes.size())) wrong = true;
    }
    void on_stream_gap(Side, std::uint64_t offset, std::uint64_t size, GapCause, EventTime) override {
      advance(offset, size);
      gaps += size;
    }
    void on_stream_end(Side, StreamEnd, EventTime) override {}
    void advance(std::uint64_t offset, std::uint64_t size) {
      wrong |= (started ? offset != next : offset < base) || size == 0;
      started = true;
      next = offset + size;
      wrong |= next - base > truth->size();
    }
  };
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::uint64_t n) { return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random); };
    std::string truth(1 + below(400), ' ');
    for (char& c : truth) c = static_cast<char>('a' + below(26));
    const std::uint64_t base = below(2) != 0 ? (1ULL << 32U) - below(300) : below(1000);
    const bool lossy = below(2) != 0;

    StreamEnvironment environment;
    if (below(4) == 0) environment.limits.bytes_held_max = 64;
    const bool limited = environment.limits.bytes_held_max == 64;
    Checker checker;
    checker.truth = &truth;
    checker.base = base;
    StreamAssembler stream(environment, checker, Side::a);
    struct Piece {
      Observer which;
      FlowData data;
    };
    std::vector<Piece> queue;
    std::array<std::uint64_t, 2> told{}, kept{};
    std::array<bool, 2> complete{true, true};
    for (const Observer which : {Observer::sender, Observer::receiver}) {
      stream.add_observer(which, 0, false);
      stream.start(which, base);
      for (std::uint64_t at = 0; at < truth.size();) {
        const std::uint64_t size = std::min<std::uint64_t>(1 + below(40), truth.size() - at);
        const bool gap = lossy && below(5) == 0;
        const std::uint64_t keep = gap ? below(size + 1) : size;
        Piece piece{which, {}};
        piece.data.offset = base + at;
        piece.data.moved = size;
        piece.data.bytes = as_bytes(std::string_view(truth).substr(at, keep));
        piece.data.rest = keep < size ? GapCause::snap_length : GapCause::none;
        if (lossy && below(10) == 0) {
          complete[static_cast<std::size_t>(which)] = false;
        } else {
          told[static_cast<std::size_t>(which)] += size;
          kept[static_cast<std::size_t>(which)] += keep;
          queue.push_back(piece);
        }
        at += size;
      }
    }
    std::stable_sort(queue.begin(), queue.end(),
                     [](const Piece& a, const Piece& b) { return a.data.offset < b.data.offset; });
    for (std::size_t i = 0; i + 1 < queue.size(); ++i) {
      std::swap(queue[i], queue[i + below(std::min<std::size_t>(4, queue.size() - i))]);
    }
    for (std::size_t i = 0; i < queue.size(); ++i) stream.add(queue[i].which, queue[i].data, EventTime{i});
    for (const Observer which : {Observer::sender, Observer::receiver}) {
      const StreamLedger ledger = stream.observer(which).ledger(environment);
      std::uint64_t sum = ledger.kept;
      for (const std::uint64_t size : ledger.gaps) sum += size;
      ASSERT_EQ(ledger.moved, sum) << "seed " << seed;
      if (!limited && complete[static_cast<std::size_t>(which)]) {
        ASSERT_EQ(ledger.moved, told[static_cast<std::size_t>(which)]) << "seed " << seed;
        ASSERT_EQ(ledger.kept, kept[static_cast<std::size_t>(which)]) << "seed " << seed;
      }
    }
    stream.cut(EventTime{queue.size()}, StreamEnd::cut);
    ASSERT_FALSE(checker.wrong) << "seed " << seed;
    if (!lossy && !limited) {
      ASSERT_EQ(checker.gaps, 0U) << "seed " << seed;
      ASSERT_EQ(checker.next, base + truth.size()) << "seed " << seed;
    }
    ASSERT_EQ(environment.bytes_held, 0U) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tracer
