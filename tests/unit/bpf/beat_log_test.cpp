// Which heartbeats came back.
#include "backends/bpf/beat_log.h"

#include <gtest/gtest.h>

#include <string>

#include "backends/bpf/thread_beat.h"

namespace tracer {
namespace {

TEST(BeatLog, ABeatThatCopiesOfAProgramAnswerIsSeenOnce) {
  BeatLog log;
  log.sent(10);
  log.answered(11);
  log.answered(11);
  log.answered(12);
  EXPECT_EQ(log.beats().sent, 1U);
  EXPECT_EQ(log.beats().seen, 1U);
  log.sent(20);
  log.answered(15);  // too early to be this one's
  EXPECT_EQ(log.beats().seen, 1U);
  log.answered(20);
  EXPECT_EQ(log.beats().seen, 2U);
}

TEST(BeatLog, AMissedBeatStaysMissed) {
  BeatLog log;
  for (std::uint64_t at : {10U, 20U, 30U}) log.sent(at);
  log.answered(35);
  EXPECT_EQ(log.beats().sent, 3U);
  EXPECT_EQ(log.beats().seen, 1U);
  log.answered(36);
  EXPECT_EQ(log.beats().seen, 1U);
}

TEST(BeatLog, AllPartsMustBeSeen) {
  BeatLog log(1 | 2);
  log.sent(10);
  log.answered(11, 1);
  log.answered(12, 1);
  EXPECT_EQ(log.beats().seen, 0U);
  log.answered(13, 2);
  EXPECT_EQ(log.beats().seen, 1U);
  log.sent(20);
  log.answered(21, 2);
  log.sent(30);
  log.answered(31, 1);  // of another beat than the part before
  EXPECT_EQ(log.beats().seen, 1U);
}

TEST(BeatLog, UnansweredBeatsTakeNoMoreAndMoreRoom) {
  BeatLog log;
  for (std::uint64_t at = 0; at < 1000; ++at) log.sent(at);
  for (std::uint64_t at = 0; at < 1000; ++at) log.answered(at);
  EXPECT_EQ(log.beats().sent, 1000U);
  EXPECT_EQ(log.beats().seen, 64U);
}

TEST(ThreadBeat, ItsNameFitsWhateverTheNonce) {
  char name[WIRE_COMM_SIZE];
  write_beat_name(name, 0x5fffffff);
  EXPECT_EQ(std::string(name), "tracer-fffffff");
  EXPECT_EQ(name[WIRE_COMM_SIZE - 1], '\0');
  write_beat_name(name, 0x40000001);
  EXPECT_EQ(std::string(name), "tracer-1");
}

}  // namespace
}  // namespace tracer
