// Two random streams, cut, shuffled, doubled and lost at random: what is told and what is declared missing together are
// exactly the streams, and what arrives at all is told right.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/pcap/conversation.h"

namespace tracer {
namespace {

using test::Conversation;
using test::ms;
using namespace tcp_flag;

struct Planned {
  bool from_client = false;
  Conversation::Say say;
};

class Shuffle : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(Shuffle, EveryByteOnceOrDeclaredMissing) {
  std::mt19937 random(GetParam());
  const auto below = [&](std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); };
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    Conversation talk;
    talk.client_isn = static_cast<std::uint32_t>(0U - below(3'000));  // near the wrap, most of the time
    talk.server_isn = static_cast<std::uint32_t>(random());
    std::array<std::string, 2> streams;
    for (std::string& stream : streams) {
      stream.resize(below(2'000));
      for (char& byte : stream) byte = static_cast<char>('a' + below(26));
    }
    const bool lossy = round % 2 == 1;
    const bool seen_from_start = round % 4 != 3;
    if (seen_from_start) talk.handshake();

    // What both ends send, in turns, with the acknowledgments that are true then.
    std::vector<Planned> plan;
    std::array<std::uint32_t, 2> sent{};
    while (sent[0] < streams[0].size() || sent[1] < streams[1].size()) {
      const std::size_t from = below(2);
      const std::uint32_t size =
          std::min(1 + below(200), static_cast<std::uint32_t>(streams[from].size()) - sent[from]);
      if (size == 0) continue;
      plan.push_back({from == 0,
                      {.seq = 1 + sent[from],
                       .ack = 1 + sent[1 - from],
                       .flags = ack | psh,
                       .payload = std::string_view(streams[from]).substr(sent[from], size)}});
      if (below(4) == 0) {  // sent again later, from another place and with another length
        const std::uint32_t begin = below(sent[from] + 1), length = below(300);
        plan.push_back(
            {from == 0,
             {.seq = 1 + begin,
              .ack = 1 + sent[1 - from],
              .flags = ack | psh,
              .payload = std::string_view(streams[from]).substr(begin, std::min(length, sent[from] + size - begin))}});
      }
      sent[from] += size;
    }
    // Packets of one direction overtake each other; acknowledgments then come early, as with a capture that lost its
    // order, but within the grace.
    for (std::size_t i = 0; i + 1 < plan.size(); ++i) {
      if (below(3) == 0) std::swap(plan[i], plan[std::min(plan.size() - 1, i + below(4))]);
    }
    std::array<std::string, 2> arrived{std::string(streams[0].size(), '.'), std::string(streams[1].size(), '.')};
    bool first = true;
    for (const Planned& packet : plan) {
      if (lossy && below(6) == 0) continue;
      if (!seen_from_start && first) {
        first = false;
        continue;
      }
      for (std::uint32_t times = below(10) == 0 ? 2 : 1; times > 0; --times) {
        packet.from_client ? talk.client(packet.say) : talk.server(packet.say);
      }
      arrived[packet.from_client ? 0 : 1].replace(packet.say.seq - 1, packet.say.payload.size(), packet.say.payload);
      talk.now.ns += below(500'000);
    }
    const std::uint32_t client_end = 1 + static_cast<std::uint32_t>(streams[0].size());
    const std::uint32_t server_end = 1 + static_cast<std::uint32_t>(streams[1].size());
    talk.client({.seq = client_end, .ack = server_end, .flags = fin | ack});
    talk.server({.seq = server_end, .ack = client_end + 1, .flags = fin | ack});
    talk.client({.seq = client_end + 1, .ack = server_end + 1});

    if (talk.recorder.flows.empty()) {
      EXPECT_FALSE(seen_from_start);
      continue;
    }
    ASSERT_EQ(talk.recorder.flows.size(), 1U);
    const test::ToldFlow& flow = talk.flow();
    ASSERT_TRUE(flow.closed);
    EXPECT_EQ(talk.tracker.counters().strange_packets, 0U);
    const bool client_is_local = flow.opened.local == talk.client_end;
    for (const std::size_t side : {0U, 1U}) {
      const test::ToldStream& told = flow.sent[client_is_local ? side : 1 - side];
      const std::string text = told.text();
      if (seen_from_start) {
        EXPECT_EQ(text.size(), streams[side].size());
        EXPECT_EQ(text, arrived[side]) << "side " << side;
      } else {  // a suffix
        ASSERT_LE(text.size(), streams[side].size());
        const std::string expected = arrived[side].substr(streams[side].size() - text.size());
        EXPECT_EQ(text, expected) << "side " << side;
      }
      const auto end = client_is_local == (side == 0) ? flow.tx_end : flow.rx_end;
      ASSERT_TRUE(end);
      EXPECT_EQ(static_cast<std::uint32_t>(*end),
                (side == 0 ? talk.client_isn : talk.server_isn) + (side == 0 ? client_end : server_end));
      EXPECT_EQ(told.gaps_of(GapCause::not_captured), told.gaps.size());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Shuffle, ::testing::Range(1U, 11U));

}  // namespace
}  // namespace tracer
