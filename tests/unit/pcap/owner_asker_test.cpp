// When who holds a socket is asked, and what becomes of the answers.
#include "backends/pcap/owner_asker.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/pcap/conversation.h"

namespace tracer {
namespace {

using test::endpoint;
using test::ms;

class FakeOwners final : public SocketOwners {
 public:
  SocketOwner owner(const Endpoint& local, const Endpoint&) override {
    ++asked[local.port];
    return answers[local.port];
  }
  void found(std::uint16_t port, std::uint32_t tgid, bool inferred = false) {
    answers[port] = {SocketOwner::Answer::found, tgid, "name", 33, inferred};
  }
  std::map<std::uint16_t, SocketOwner> answers;
  std::map<std::uint16_t, int> asked;
};

class Told final : public EventHandler {
 public:
  void on_event(const Event& event) override {
    const auto& updated = std::get<FlowUpdated>(event.body);
    EXPECT_EQ(updated.owner_comm, "name");
    EXPECT_EQ(updated.owner_uid, 33U);
    text += std::to_string(updated.owner->tgid) + (updated.owner_is_remote ? "r" : "l") +
            (updated.owner_inferred ? "? " : " ");
  }
  std::string text;
};

struct Asking {
  explicit Asking(const PcapLimits& limits = {}) : asker(owners, limits) { asker.set_now(now); }
  void pass(std::uint64_t ns) {
    now += ns;
    asker.set_now(now);
    asker.ask_due(EventTime{now}, told);
  }
  void open(std::uint64_t flow = 1, bool preexisting = false) {
    asker.on_opened(FlowId{flow}, client, server, preexisting, EventTime{now}, told);
  }
  Endpoint client = endpoint(1, 1), server = endpoint(2, 2);
  std::uint64_t now = 5'000'000'000;
  FakeOwners owners;
  Told told;
  OwnerAsker asker;
};

TEST(OwnerAsker, AsksForBothEndsWhenAFlowOpens) {
  Asking it;
  it.owners.found(1, 100);
  it.owners.found(2, 200);
  it.open();
  EXPECT_EQ(it.told.text, "100l 200r ");
  EXPECT_EQ(it.asker.waiting(), 0U);
  it.pass(1'000 * ms);
  EXPECT_EQ(it.owners.asked[1], 1);
}

TEST(OwnerAsker, AsksAgainUntilItIsAccepted) {
  Asking it;
  it.owners.found(1, 100);
  it.owners.answers[2].answer = SocketOwner::Answer::not_yet;
  it.open();
  EXPECT_EQ(it.told.text, "100l ");
  it.asker.on_progress(FlowId{1}, EventTime{it.now}, it.told);
  EXPECT_EQ(it.owners.asked[2], 2);
  it.pass(ms);
  EXPECT_EQ(it.owners.asked[2], 2) << "not due";
  it.owners.found(2, 200);
  it.pass(20 * ms);
  EXPECT_EQ(it.told.text, "100l 200r ");
  EXPECT_EQ(it.owners.asked[1], 1) << "known";
  EXPECT_EQ(it.asker.waiting(), 0U);
}

TEST(OwnerAsker, TheSocketItselfCountsMoreThanWhatIsDeduced) {
  Asking it;
  it.owners.found(1, 100);
  it.owners.found(2, 1, true);
  it.open();
  EXPECT_EQ(it.told.text, "100l 1r? ");
  it.pass(20 * ms);
  EXPECT_EQ(it.told.text, "100l 1r? ") << "the same answer is not told again";
  it.owners.found(2, 200);
  it.pass(200 * ms);
  EXPECT_EQ(it.told.text, "100l 1r? 200r ");
}

TEST(OwnerAsker, AnEndOnAnotherMachineIsAskedForTwice) {
  Asking it;
  it.owners.found(1, 100);
  it.open();
  it.asker.on_progress(FlowId{1}, EventTime{it.now}, it.told);
  it.pass(10'000 * ms);
  EXPECT_EQ(it.owners.asked[2], 2);
  EXPECT_EQ(it.told.text, "100l ");
}

TEST(OwnerAsker, GivesUpInTheEnd) {
  Asking it;
  it.owners.answers[1].answer = it.owners.answers[2].answer = SocketOwner::Answer::not_yet;
  it.open();
  for (int i = 0; i < 100; ++i) it.pass(1'000 * ms);
  EXPECT_EQ(it.asker.waiting(), 0U);
  EXPECT_LE(it.owners.asked[1], 10);
}

TEST(OwnerAsker, AsksALastTimeBeforeTheEndIsTold) {
  Asking it;
  it.owners.found(1, 100);
  it.owners.answers[2].answer = SocketOwner::Answer::not_yet;
  it.open();
  it.owners.found(2, 200, true);
  it.asker.on_closing(FlowId{1}, EventTime{it.now}, it.told);
  EXPECT_EQ(it.told.text, "100l 200r? ");
  EXPECT_EQ(it.asker.waiting(), 0U);
}

TEST(OwnerAsker, AnAnswerAtTheHandshakeIsKeptForTheFlow) {
  Asking it;
  it.owners.found(1, 100);
  it.asker.on_handshake(it.client, it.server);
  it.asker.on_handshake(it.client, it.server);  // sent again
  it.owners.answers.clear();                    // closed by the time its packets are read
  it.open();
  EXPECT_EQ(it.told.text, "100l ");
  EXPECT_EQ(it.owners.asked[1], 1);
}

TEST(OwnerAsker, WhoAcceptsIsAskedForAgainSoonAfterTheHandshake) {
  Asking it;
  it.owners.answers[2].answer = SocketOwner::Answer::not_yet;
  it.asker.on_handshake(it.server, it.client);
  EXPECT_EQ(it.asker.ask_accepting(), it.now + ms);
  EXPECT_EQ(it.owners.asked[2], 1) << "not due";
  it.owners.found(2, 200);
  it.pass(ms);
  EXPECT_EQ(it.asker.ask_accepting(), std::nullopt);
  it.owners.answers.clear();
  it.open();
  EXPECT_EQ(it.told.text, "200r ");
}

TEST(OwnerAsker, WhoNeverAcceptsIsNotAskedForEver) {
  Asking it;
  it.owners.answers[2].answer = SocketOwner::Answer::not_yet;
  it.asker.on_handshake(it.server, it.client);
  int asked = 0;
  while (it.asker.ask_accepting()) {
    it.pass(ms);
    ASSERT_LT(++asked, 10);
  }
}

TEST(OwnerAsker, WhoWasConnectedBeforeIsKnownByTheFirstLook) {
  Asking it;
  it.owners.found(1, 100);
  it.owners.found(2, 200);
  it.asker.note_all({{it.client, it.server, it.owners.answers[1]}, {it.server, it.client, it.owners.answers[2]}});
  it.owners.answers.clear();  // closed by the time its packets are read
  it.open(1, true);
  EXPECT_EQ(it.told.text, "100l? 200r? ");
  it.told.text.clear();
  it.asker.on_handshake(it.client, it.server);  // the addresses are used again, by others
  it.open(2);
  EXPECT_EQ(it.told.text, "");
  it.open(3, true);
  EXPECT_EQ(it.told.text, "");
}

TEST(OwnerAsker, TheSameDeducedAnswerIsEnoughInTheEnd) {
  Asking it;
  it.owners.found(1, 100, true);
  it.owners.found(2, 200, true);
  it.open();
  it.pass(20 * ms);
  it.pass(100 * ms);
  EXPECT_EQ(it.asker.waiting(), 0U);
  EXPECT_EQ(it.owners.asked[1], 3);
}

TEST(OwnerAsker, SoManyQuestionsASecondAndNoMore) {
  Asking it(PcapLimits{.questions_per_second_max = 3});
  it.owners.found(1, 100);
  it.owners.found(2, 200);
  it.open(1);
  it.open(2);
  EXPECT_EQ(it.told.text, "100l 200r 100l ");
  EXPECT_EQ(it.asker.counters().refused, 1U);
  it.pass(1'000 * ms);
  EXPECT_EQ(it.told.text, "100l 200r 100l 200r ") << "the next second";
}

TEST(OwnerAsker, QuestionsThatTakeLongAreFewer) {
  FakeOwners owners;
  owners.found(1, 100);
  owners.found(2, 200);
  static std::uint64_t clock_ns = 0;
  OwnerAsker asker(owners, {.questions_ns_per_second_max = 30 * ms}, [] { return clock_ns += 10 * ms; });
  asker.set_now(1'000 * ms);
  Told told;
  for (std::uint64_t flow = 1; flow <= 4; ++flow)
    asker.on_opened(FlowId{flow}, endpoint(1, 1), endpoint(2, 2), false, EventTime{}, told);
  EXPECT_EQ(asker.counters().questions, 3U);
  asker.set_now(2'000 * ms);
  asker.ask_due(EventTime{}, told);
  EXPECT_EQ(asker.counters().questions, 6U) << "the next second";
}

TEST(OwnerAsker, FlowsThatWaitAreLimitedAndForgottenAtTheirEnd) {
  Asking it(PcapLimits{.questions_waiting_max = 2});
  it.owners.answers[1].answer = it.owners.answers[2].answer = SocketOwner::Answer::not_yet;
  for (std::uint64_t flow = 1; flow <= 3; ++flow) it.open(flow);
  EXPECT_EQ(it.asker.waiting(), 2U);
  EXPECT_EQ(it.asker.counters().forgotten, 1U);
  for (std::uint64_t flow = 1; flow <= 3; ++flow) it.asker.on_closing(FlowId{flow}, EventTime{it.now}, it.told);
  EXPECT_EQ(it.asker.waiting(), 0U);
}

TEST(OwnerAsker, AnswersComeBeforeTheBytes) {
  FakeOwners owners;
  owners.found(40'000, 100);
  owners.answers[80].answer = SocketOwner::Answer::not_yet;
  OwnerAsker asker(owners, {});
  test::Conversation talk;
  TcpTracker tracker({}, {}, 0, &asker);
  std::swap(talk.tracker, tracker);
  talk.handshake();
  EXPECT_EQ(talk.flow().owners, (std::vector<std::uint32_t>{100}));
  owners.found(80, 200);
  talk.client({.seq = 1, .ack = 1, .payload = "x"});
  EXPECT_EQ(talk.flow().owners, (std::vector<std::uint32_t>{100, 200}));
}

}  // namespace
}  // namespace tracer
