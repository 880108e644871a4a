#include "backends/tracepoint/descriptor_tracker.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tracer {
namespace {

Endpoint v4(std::uint8_t last, std::uint16_t port) {
  Endpoint out;
  out.address[10] = out.address[11] = 0xff;
  out.address[12] = 127;
  out.address[15] = last;
  out.port = port;
  return out;
}

void put(std::uint8_t (&address)[16], std::uint16_t& port, const Endpoint& from) {
  std::copy(from.address.begin(), from.address.end(), std::begin(address));
  port = static_cast<std::uint16_t>((from.port >> 8) | (from.port << 8));
}

class FakeOwnership final : public Ownership {
 public:
  std::optional<ProcessFacts> process(std::uint32_t tgid) override {
    return gone.contains(tgid) ? std::nullopt : std::optional(ProcessFacts{});
  }
  std::optional<std::uint32_t> local_pid(std::uint32_t tgid) override {
    return tgid >= 1000 ? std::nullopt : std::optional(tgid);
  }
  std::vector<ProcessFacts> all_processes() override { return {}; }
  FdAnswer descriptor(std::uint32_t tgid, int fd) override {
    ++questions;
    const auto found = answers.find({tgid, fd});
    return found != answers.end() ? found->second : FdAnswer{};
  }
  std::uint64_t network_namespace(std::uint32_t tgid) override { return gone.contains(tgid) ? 0 : 4242; }
  std::vector<OwnedSocket> all_tcp_descriptors() override { return existing; }

  std::map<std::pair<std::uint32_t, int>, FdAnswer> answers;
  std::map<std::uint32_t, bool> gone;
  std::vector<OwnedSocket> existing;
  int questions = 0;
};

class FakeMap final : public DescriptorMap {
 public:
  void set(wire_fd_key key, wire_fd_value value, bool replace) override {
    const auto at = std::pair(key.tgid, key.fd);
    if (replace || !entries.contains(at)) entries[at] = value;
  }
  void forget(wire_fd_key key) override { entries.erase({key.tgid, key.fd}); }
  std::optional<wire_fd_value> find(wire_fd_key key) const override {
    const auto found = entries.find({key.tgid, key.fd});
    return found != entries.end() ? std::optional(found->second) : std::nullopt;
  }
  void resolve(wire_fd_key key, std::uint64_t flow) override {
    entries[{key.tgid, key.fd}] = {.flow = flow, .unresolved = {}, .kind = WIRE_FD_KIND_TCP, .close_on_exec = 0};
  }
  std::vector<wire_fd_key> keys() const override {
    std::vector<wire_fd_key> all;
    for (const auto& [key, value] : entries) all.push_back({key.first, key.second});
    return all;
  }
  void add_stream(std::uint64_t flow) override { streams.push_back(flow); }
  void remove_stream(std::uint64_t flow) override { removed.push_back(flow); }

  std::map<std::pair<std::uint32_t, int>, wire_fd_value> entries;
  std::vector<std::uint64_t> streams, removed;
};

class Recorder final : public EventHandler {
 public:
  void on_event(const Event& event) override { events.push_back(event); }
  template <typename T>
  std::vector<T> all() const {
    std::vector<T> out;
    for (const Event& event : events)
      if (const auto* body = std::get_if<T>(&event.body)) out.push_back(*body);
    return out;
  }
  std::vector<Event> events;
};

class DescriptorTrackerTest : public testing::Test {
 protected:
  static constexpr std::uint64_t client_socket = 0xffff888000001000, server_socket = 0xffff888000002000;
  const Endpoint client_end = v4(1, 40000), server_end = v4(1, 80);

  void state(std::uint64_t socket, const Endpoint& local, const Endpoint& remote, TcpState from, int to,
             std::uint64_t at_ns = 0) {
    wire_open note{};
    note.header.at_ns = at_ns;
    note.header.kind = WIRE_STATE;
    note.header.flow = socket;
    put(note.local_address, note.local_port, local);
    put(note.remote_address, note.remote_port, remote);
    note.old_state = static_cast<std::uint8_t>(from);
    note.new_state = static_cast<std::uint8_t>(to);
    tracker.on_state(note, out);
  }
  void state(std::uint64_t socket, const Endpoint& local, const Endpoint& remote, TcpState from, TcpState to,
             std::uint64_t at_ns = 0) {
    state(socket, local, remote, from, static_cast<int>(to), at_ns);
  }
  wire_fd note_of(wire_fd_op op, std::uint64_t flow, std::uint32_t tgid, int fd) {
    wire_fd note{};
    note.header.flow = flow;
    note.header.tgid = note.header.tid = tgid;
    note.op = static_cast<__u16>(op);
    note.fd = fd;
    return note;
  }
  // As the programs do it: the entry first, then the question.
  void ask(std::uint32_t tgid, int fd) {
    map.entries[{tgid, fd}] = {.flow = 0, .unresolved = {}, .kind = WIRE_FD_KIND_ASKED, .close_on_exec = 0};
    wire_fd note = note_of(WIRE_FD_UNKNOWN, 0, tgid, fd);
    note.header.at_ns = 1'000'000;
    tracker.on_descriptor(note, out);
  }
  void accept(std::uint64_t flow, std::uint32_t tgid, int fd, bool with_address) {
    map.entries[{tgid, fd}] = {.flow = flow, .unresolved = {}, .kind = WIRE_FD_KIND_TCP, .close_on_exec = 0};
    wire_fd note = note_of(WIRE_FD_ACCEPT, flow, tgid, fd);
    note.other_fd = 3;
    if (with_address) {
      note.flags = WIRE_FLAG_REMOTE;
      put(note.remote_address, note.remote_port, client_end);
    }
    tracker.on_descriptor(note, out);
  }

  FakeOwnership ownership;
  std::unique_ptr<FakeMap> owned_map = std::make_unique<FakeMap>();
  FakeMap& map = *owned_map;
  Recorder out;
  DescriptorTracker tracker{ownership, std::move(owned_map), {}};
};

TEST_F(DescriptorTrackerTest, ConnectKnowsItsSocketAndBothEnds) {
  state(client_socket, client_end, server_end, TcpState::syn_sent, TcpState::established);
  wire_fd note = note_of(WIRE_FD_CONNECT, 11, 100, 5);
  note.socket = client_socket;
  note.flags = WIRE_FLAG_REMOTE;
  put(note.remote_address, note.remote_port, server_end);
  tracker.on_descriptor(note, out);
  const auto opened = out.all<FlowOpened>();
  ASSERT_EQ(opened.size(), 1u);
  EXPECT_EQ(opened[0].flow.value, 11u);
  EXPECT_EQ(opened[0].local, client_end);
  EXPECT_EQ(opened[0].remote, server_end);
  EXPECT_EQ(opened[0].role, Role::client);
  EXPECT_EQ(opened[0].network_namespace, 4242u);
  EXPECT_EQ(ownership.questions, 0);
}

TEST_F(DescriptorTrackerTest, NonBlockingConnectLearnsItsPortLater) {
  wire_fd note = note_of(WIRE_FD_CONNECT, 11, 100, 5);
  note.socket = client_socket;
  note.flags = WIRE_FLAG_REMOTE;
  put(note.remote_address, note.remote_port, server_end);
  tracker.on_descriptor(note, out);
  ASSERT_EQ(out.all<FlowOpened>().size(), 1u);
  EXPECT_FALSE(out.all<FlowOpened>()[0].local.has_value());
  state(client_socket, client_end, server_end, TcpState::syn_sent, TcpState::established);
  const auto updated = out.all<FlowUpdated>();
  ASSERT_EQ(updated.size(), 1u);
  EXPECT_EQ(updated[0].flow.value, 11u);
  EXPECT_EQ(updated[0].local, client_end);
}

TEST_F(DescriptorTrackerTest, AcceptWithAddressIsMatchedToTheSocketWithoutAQuestion) {
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established);
  accept(21, 200, 6, true);
  const auto opened = out.all<FlowOpened>();
  ASSERT_EQ(opened.size(), 1u);
  EXPECT_EQ(opened[0].local, server_end);
  EXPECT_EQ(opened[0].remote, client_end);
  EXPECT_EQ(opened[0].role, Role::server);
  EXPECT_EQ(ownership.questions, 0);
}

TEST_F(DescriptorTrackerTest, AcceptWithoutAddressAsks) {
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established);
  ownership.answers[{200, 6}] = {FdKind::tcp, {77, server_end, client_end, TcpState::established, 4242, 0}};
  accept(21, 200, 6, false);
  ASSERT_EQ(out.all<FlowOpened>().size(), 1u);
  EXPECT_EQ(out.all<FlowOpened>()[0].local, server_end);
  // And the socket's end is the flow's end.
  state(server_socket, Endpoint{}, Endpoint{}, TcpState::established, WIRE_STATE_DESTROYED);
  ASSERT_EQ(out.all<FlowClosed>().size(), 1u);
  EXPECT_EQ(out.all<FlowClosed>()[0].flow.value, 21u);
  EXPECT_EQ(map.removed, std::vector<std::uint64_t>{21});
}

TEST_F(DescriptorTrackerTest, AcceptWithoutAddressIsClaimedOnlyWhenOneSocketOfTheListenersPortIsLeft) {
  ownership.answers[{200, 3}] = {FdKind::tcp, {70, server_end, Endpoint{}, TcpState::listen, 4242, 0}};
  state(server_socket + 32, v4(1, 81), v4(1, 40009), TcpState::syn_recv, TcpState::established);  // another listener's
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established);
  accept(21, 200, 6, false);  // nobody answers: closed already
  ASSERT_EQ(out.all<FlowOpened>().size(), 1u);
  EXPECT_EQ(out.all<FlowOpened>()[0].remote, client_end);

  state(server_socket + 64, server_end, v4(1, 40001), TcpState::syn_recv, TcpState::established);
  state(server_socket + 128, server_end, v4(1, 40002), TcpState::syn_recv, TcpState::established);
  accept(22, 200, 6, false);
  ASSERT_EQ(out.all<FlowOpened>().size(), 2u);
  EXPECT_FALSE(out.all<FlowOpened>()[1].remote.has_value());  // two could be it: neither is guessed
}

TEST_F(DescriptorTrackerTest, AcceptedUnixSocketIsNoFlow) {
  ownership.answers[{200, 6}] = {FdKind::not_tcp, {}};
  accept(21, 200, 6, false);
  EXPECT_TRUE(out.events.empty());
  EXPECT_EQ((map.entries[{200, 6}].kind), static_cast<std::uint32_t>(WIRE_FD_KIND_OTHER));
}

TEST_F(DescriptorTrackerTest, TwoNamespacesWithTheSamePeerAreNotGuessed) {
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established);
  state(server_socket + 64, server_end, client_end, TcpState::syn_recv, TcpState::established);
  accept(21, 200, 6, true);
  ASSERT_EQ(out.all<FlowOpened>().size(), 1u);
  EXPECT_FALSE(out.all<FlowOpened>()[0].local.has_value());
  EXPECT_EQ(out.all<FlowOpened>()[0].remote, client_end);
}

TEST_F(DescriptorTrackerTest, HalfCloseEndsOneDirection) {
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established);
  accept(21, 200, 6, true);
  state(server_socket, server_end, client_end, TcpState::established, TcpState::close_wait);
  auto ended = out.all<StreamEnded>();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].direction, Direction::rx);
  state(server_socket, server_end, client_end, TcpState::close_wait, TcpState::last_ack);
  ended = out.all<StreamEnded>();
  ASSERT_EQ(ended.size(), 2u);
  EXPECT_EQ(ended[1].direction, Direction::tx);
  EXPECT_TRUE(out.all<FlowClosed>().empty());
}

TEST_F(DescriptorTrackerTest, UnknownDescriptorIsExplained) {
  ownership.answers[{300, 4}] = {FdKind::tcp, {55, server_end, client_end, TcpState::established, 4242, 0}};
  ask(300, 4);
  ASSERT_EQ(out.all<FlowOpened>().size(), 1u);
  EXPECT_TRUE(out.all<FlowOpened>()[0].preexisting);
  const std::uint64_t flow = out.all<FlowOpened>()[0].flow.value;
  EXPECT_EQ((map.entries[{300, 4}].flow), flow);
  EXPECT_EQ(map.streams, std::vector<std::uint64_t>{flow});

  ask(300, 9);  // gone meanwhile
  EXPECT_FALSE(map.entries.contains({300, 9}));
}

TEST_F(DescriptorTrackerTest, UnknownDescriptorOfAKnownConnectionJoinsIt) {
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established);
  accept(21, 200, 6, true);
  ownership.answers[{300, 4}] = {FdKind::tcp, {55, server_end, client_end, TcpState::established, 4242, 0}};
  ask(300, 4);
  EXPECT_EQ(out.all<FlowOpened>().size(), 1u);
  EXPECT_EQ((map.entries[{300, 4}].flow), 21u);
}

// A descriptor that was accepted and passed on at once, of a socket whose changes of state nobody told.
TEST_F(DescriptorTrackerTest, UnknownDescriptorOfAnAcceptedFlowWithoutOwnAddressJoinsItByThePeer) {
  accept(21, 200, 6, true);
  EXPECT_FALSE(out.all<FlowOpened>()[0].local.has_value());
  tracker.ask_again({3'000'000}, out);  // the descriptor is gone: nobody else to ask
  ownership.answers[{300, 4}] = {FdKind::tcp, {55, server_end, client_end, TcpState::established, 4242, 0}};
  ask(300, 4);
  EXPECT_EQ(out.all<FlowOpened>().size(), 1u);
  EXPECT_EQ((map.entries[{300, 4}].flow), 21u);
  const auto updated = out.all<FlowUpdated>();
  ASSERT_EQ(updated.size(), 1u);
  EXPECT_EQ(updated[0].local, server_end);
  EXPECT_EQ(updated[0].remote, client_end);
}

TEST_F(DescriptorTrackerTest, OfTwoAcceptedFlowsWithThePeerNoneIsGuessed) {
  accept(21, 200, 6, true);
  accept(22, 201, 6, true);
  ownership.answers[{300, 4}] = {FdKind::tcp, {55, server_end, client_end, TcpState::established, 4242, 0}};
  ask(300, 4);
  EXPECT_EQ(out.all<FlowOpened>().size(), 3u);
}

TEST_F(DescriptorTrackerTest, AStateThatIsToldAfterItsAcceptCompletesIt) {
  accept(21, 200, 6, true);
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established);
  ASSERT_EQ(out.all<FlowUpdated>().size(), 1u);
  EXPECT_EQ(out.all<FlowUpdated>()[0].local, server_end);
  state(server_socket, Endpoint{}, Endpoint{}, TcpState::close, WIRE_STATE_DESTROYED);
  ASSERT_EQ(out.all<FlowClosed>().size(), 1u);
  EXPECT_EQ(out.all<FlowClosed>()[0].flow.value, 21u);
}

TEST_F(DescriptorTrackerTest, AStateThatIsToldAfterItsAcceptLeavesTheInodeToForget) {
  ownership.answers[{200, 6}] = {FdKind::tcp, {77, {}, {}, {}, 0, 0}};
  accept(21, 200, 6, true);
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established);
  state(server_socket, Endpoint{}, Endpoint{}, TcpState::close, WIRE_STATE_DESTROYED);
  ownership.answers[{300, 4}] = {FdKind::tcp, {77, server_end, v4(1, 40001), TcpState::established, 4242, 0}};
  ask(300, 4);  // another socket with the number
  EXPECT_EQ(out.all<FlowOpened>().size(), 2u);
}

TEST_F(DescriptorTrackerTest, ALaterConnectionOfThePeerIsNotTheAcceptedOne) {
  accept(21, 200, 6, true);
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established, 5'000'000);
  ownership.answers[{300, 4}] = {FdKind::tcp, {55, server_end, client_end, TcpState::established, 4242, 0}};
  ask(300, 4);
  EXPECT_EQ(out.all<FlowOpened>().size(), 2u);
}

TEST_F(DescriptorTrackerTest, UnknownDescriptorWithoutAddressesIsAskedAgainAndBecomesNoSecondFlow) {
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established);
  accept(21, 200, 6, true);
  ownership.answers[{300, 4}] = {FdKind::tcp, {55, {}, {}, {}, 0, 0}};  // the list of sockets is older than this one
  ask(300, 4);
  tracker.ask_again({1'000'000}, out);
  EXPECT_EQ(out.all<FlowOpened>().size(), 1u);
  EXPECT_EQ((map.entries[{300, 4}].kind), static_cast<std::uint32_t>(WIRE_FD_KIND_ASKED));  // bytes are counted there
  ownership.answers[{300, 4}] = {FdKind::tcp, {55, server_end, client_end, TcpState::established, 4242, 0}};
  const int asked = ownership.questions;
  tracker.ask_again({1'500'000}, out);  // too early to ask
  EXPECT_EQ(ownership.questions, asked);
  tracker.ask_again({4'000'000}, out);
  EXPECT_EQ(out.all<FlowOpened>().size(), 1u);
  EXPECT_EQ((map.entries[{300, 4}].flow), 21u);
  tracker.ask_again({9'000'000}, out);
  EXPECT_EQ(ownership.questions, asked + 1);
  EXPECT_EQ(tracker.untracked(), 0u);
}

TEST_F(DescriptorTrackerTest, DescriptorThatNobodyCanNameIsGivenUpAndCounted) {
  ownership.answers[{300, 4}] = {FdKind::tcp, {55, {}, {}, {}, 0, 0}};
  ask(300, 4);
  tracker.ask_again({3'000'000}, out);
  EXPECT_EQ(tracker.untracked(), 0u);
  tracker.ask_again({1'001'000'000}, out);
  EXPECT_TRUE(out.events.empty());
  EXPECT_EQ(tracker.untracked(), 1u);
  EXPECT_FALSE(map.entries.contains({300, 4}));  // so its next use asks again
}

TEST_F(DescriptorTrackerTest, AnswerForADescriptorThatWasClosedMeanwhileIsNotUsed) {
  ownership.answers[{300, 4}] = {FdKind::tcp, {55, {}, {}, {}, 0, 0}};
  ask(300, 4);
  ownership.answers[{300, 4}] = {FdKind::not_tcp, {}};
  map.entries[{300, 4}] = {.flow = 33, .unresolved = {}, .kind = WIRE_FD_KIND_TCP, .close_on_exec = 0};
  tracker.ask_again({3'000'000}, out);
  EXPECT_EQ((map.entries[{300, 4}].flow), 33u);
  ask(300, 5);
  map.entries.erase({300, 5});
  ownership.answers[{300, 5}] = {FdKind::tcp, {56, server_end, client_end, TcpState::established, 4242, 0}};
  tracker.ask_again({3'000'000}, out);
  EXPECT_FALSE(map.entries.contains({300, 5}));
  EXPECT_TRUE(out.events.empty());
}

TEST_F(DescriptorTrackerTest, AcceptedSocketWithoutAddressesGetsThemLater) {
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established);
  state(server_socket + 64, server_end, v4(1, 40001), TcpState::syn_recv, TcpState::established);
  ownership.answers[{200, 6}] = {FdKind::tcp, {77, {}, {}, {}, 0, 0}};
  accept(21, 200, 6, false);
  ASSERT_EQ(out.all<FlowOpened>().size(), 1u);
  ownership.answers[{200, 6}] = {FdKind::tcp, {77, server_end, client_end, TcpState::established, 4242, 0}};
  tracker.ask_again({3'000'000}, out);
  const auto updated = out.all<FlowUpdated>();
  ASSERT_EQ(updated.size(), 1u);
  EXPECT_EQ(updated[0].flow.value, 21u);
  EXPECT_EQ(updated[0].local, server_end);
  EXPECT_EQ(updated[0].remote, client_end);
  state(server_socket, Endpoint{}, Endpoint{}, TcpState::close, WIRE_STATE_DESTROYED);
  ASSERT_EQ(out.all<FlowClosed>().size(), 1u);
  EXPECT_EQ(out.all<FlowClosed>()[0].flow.value, 21u);
}

TEST_F(DescriptorTrackerTest, ExistingConnectionsAreAdoptedWithTheirRole) {
  ownership.existing = {
      {1, 3, {10, v4(1, 80), Endpoint{}, TcpState::listen, 4242, 0}},
      {1, 4, {11, server_end, client_end, TcpState::established, 4242, 0}},
      {2, 4, {11, server_end, client_end, TcpState::established, 4242, 0}},  // inherited: the same socket
      {9, 7, {12, client_end, server_end, TcpState::established, 4242, 0}},
  };
  map.entries[{9, 7}] = {
      .flow = 5, .unresolved = {}, .kind = WIRE_FD_KIND_TCP, .close_on_exec = 0};  // the programs know better
  tracker.adopt_existing({1}, out);
  const auto opened = out.all<FlowOpened>();
  ASSERT_EQ(opened.size(), 2u);
  EXPECT_EQ(opened[0].role, Role::server);
  EXPECT_TRUE(opened[0].preexisting);
  EXPECT_EQ(opened[1].role, Role::client);
  EXPECT_EQ((map.entries[{1, 3}].kind), static_cast<std::uint32_t>(WIRE_FD_KIND_TCP));
  EXPECT_EQ((map.entries[{1, 3}].flow), 0u);
  EXPECT_EQ((map.entries[{1, 4}].flow), (map.entries[{2, 4}].flow));
  EXPECT_EQ((map.entries[{9, 7}].flow), 5u);
}

TEST_F(DescriptorTrackerTest, AdoptedConnectionEndsWithItsSocketThoughThatHasNoAddressesThen) {
  ownership.existing = {{1, 4, {11, server_end, client_end, TcpState::established, 4242, 0}}};
  tracker.adopt_existing({1}, out);
  const std::uint64_t flow = out.all<FlowOpened>().at(0).flow.value;
  state(server_socket, server_end, client_end, TcpState::established, TcpState::close_wait);
  state(server_socket, server_end, client_end, TcpState::last_ack, TcpState::close);
  EXPECT_TRUE(out.all<FlowClosed>().empty());
  state(server_socket, Endpoint{}, Endpoint{}, TcpState::close, WIRE_STATE_DESTROYED);
  ASSERT_EQ(out.all<FlowClosed>().size(), 1u);
  EXPECT_EQ(out.all<FlowClosed>()[0].flow.value, flow);
  EXPECT_EQ(map.removed, std::vector<std::uint64_t>{flow});
}

TEST_F(DescriptorTrackerTest, SocketThatIsReusedBelongsToTheLaterFlow) {
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established);
  accept(21, 200, 6, true);
  state(server_socket, server_end, client_end, TcpState::last_ack, TcpState::close);
  state(server_socket, Endpoint{}, Endpoint{}, TcpState::close, WIRE_STATE_DESTROYED);
  ASSERT_EQ(out.all<FlowClosed>().size(), 1u);
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established);
  accept(22, 200, 6, true);
  state(server_socket, Endpoint{}, Endpoint{}, TcpState::close, WIRE_STATE_DESTROYED);
  ASSERT_EQ(out.all<FlowClosed>().size(), 2u);
  EXPECT_EQ(out.all<FlowClosed>()[1].flow.value, 22u);
}

TEST_F(DescriptorTrackerTest, SweepForgetsOnlyProcessesThatAreKnownToBeGone) {
  const wire_fd_value tcp{.flow = 5, .unresolved = {}, .kind = WIRE_FD_KIND_TCP, .close_on_exec = 0};
  for (std::uint32_t tgid : {1u, 2u, 1000u}) map.entries[{tgid, 70}] = tcp;
  ownership.gone[2] = true;
  ownership.gone[1000] = true;  // numbered in another namespace: nothing can be said of it
  tracker.sweep();
  EXPECT_TRUE(map.entries.contains({1, 70}));
  EXPECT_FALSE(map.entries.contains({2, 70}));
  EXPECT_TRUE(map.entries.contains({1000, 70}));
}

TEST_F(DescriptorTrackerTest, NamespaceOfAProcessThatIsGoneComesFromItsParent) {
  state(server_socket, server_end, client_end, TcpState::syn_recv, TcpState::established);
  accept(21, 200, 6, true);
  tracker.on_fork(200, 201);
  ownership.gone[201] = true;
  state(server_socket + 64, server_end, v4(1, 40001), TcpState::syn_recv, TcpState::established);
  wire_fd note = note_of(WIRE_FD_ACCEPT, 22, 201, 6);
  note.flags = WIRE_FLAG_REMOTE;
  put(note.remote_address, note.remote_port, v4(1, 40001));
  tracker.on_descriptor(note, out);
  ASSERT_EQ(out.all<FlowOpened>().size(), 2u);
  EXPECT_EQ(out.all<FlowOpened>()[1].network_namespace, 4242u);
}

}  // namespace
}  // namespace tracer
