// Who holds the socket, on own connections and own children.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/procfs/ownership.h"
#include "backends/procfs/socket_owners.h"
#include "tests/unit/procfs/live_support.h"

namespace tracer {
namespace {

using Answer = SocketOwner::Answer;

struct Means {
  bool sock_diag, proc_connector;
};
// Ends that no connection has.
Endpoint with_another_port(Endpoint endpoint) {
  endpoint.port = static_cast<std::uint16_t>(endpoint.port == 1 ? 2 : 1);
  return endpoint;
}

class SocketOwnersLive : public testing::TestWithParam<Means> {
 protected:
  static constexpr int tries_max = 1000;  // 10 s

  void SetUp() override {
    SocketOwnersOptions options;
    options.use_sock_diag = GetParam().sock_diag;
    options.use_proc_connector = GetParam().proc_connector;
    options.processes = processes_;
    auto opened = ProcSocketOwners::open(std::move(options));
    ASSERT_TRUE(opened.has_value()) << opened.error().context;
    owners_ = *std::move(opened);
    const bool told = GetParam().proc_connector;
    if (told && owners_->proc_connector_error()) GTEST_SKIP() << owners_->proc_connector_error()->context;
    EXPECT_EQ(owners_->fd() >= 0, told);
  }
  // Asks again as long as the answer is `not_yet`: the tables of /proc are read the more seldom, the longer that takes.
  [[nodiscard]] SocketOwner ask(const Endpoint& local, const Endpoint& remote) {
    SocketOwner owner = owners_->owner(local, remote);
    for (int i = 0; i < tries_max && owner.answer == Answer::not_yet; ++i) {
      ::usleep(10'000);
      owner = owners_->owner(local, remote);
    }
    return owner;
  }
  std::shared_ptr<procfs::ProcessCache> processes_ = std::make_shared<procfs::ProcessCache>();
  std::unique_ptr<ProcSocketOwners> owners_;
};
INSTANTIATE_TEST_SUITE_P(ByEveryMeans, SocketOwnersLive,
                         testing::Values(Means{true, true}, Means{true, false}, Means{false, true},
                                         Means{false, false}));

TEST_P(SocketOwnersLive, NamesBothEnds) {
  for (const Loopback loopback : {Loopback::ipv4, Loopback::ipv6, Loopback::ipv4_to_dual_stack}) {
    const Connection connection = connect_over(loopback);
    for (const bool client : {true, false}) {
      const SocketOwner owner = client ? ask(connection.client_end, connection.server_end)
                                       : ask(connection.server_end, connection.client_end);
      EXPECT_EQ(owner.answer, Answer::found);
      EXPECT_EQ(owner.tgid, static_cast<std::uint32_t>(::getpid()));
      EXPECT_EQ(owner.comm, own_comm());
      EXPECT_EQ(owner.uid, ::getuid());
      EXPECT_FALSE(owner.inferred);
    }
  }
}

TEST_P(SocketOwnersLive, ANewProcessIsNamedAndRememberedWhenItIsGone) {
  Connection connection = connect_over(Loopback::ipv4);
  std::uint32_t pid = 0;
  {
    // The child alone keeps the client's end.
    const WaitingChild child([]() -> std::string {
      (void)::prctl(PR_SET_NAME, "short-lived");
      return {};
    });
    pid = child.pid();
    connection.client.reset();
    const SocketOwner owner = ask(connection.client_end, connection.server_end);
    ASSERT_EQ(owner.answer, Answer::found);
    EXPECT_EQ(owner.tgid, pid);
    EXPECT_EQ(owner.comm, "short-lived");
    EXPECT_FALSE(owner.inferred);
  }
  SocketOwner owner = ask(connection.client_end, connection.server_end);
  for (int i = 0; i < tries_max && !owner.inferred; ++i) {  // the tables of /proc may have been read just before
    ::usleep(10'000);
    owner = ask(connection.client_end, connection.server_end);
  }
  EXPECT_EQ(owner.answer, Answer::found);
  EXPECT_EQ(owner.tgid, pid);
  EXPECT_TRUE(owner.inferred);

  OwnershipOptions options;
  options.processes = processes_;
  const auto ownership = ProcOwnership::open(std::move(options));
  ASSERT_TRUE(ownership.has_value());
  const auto facts = (*ownership)->process(pid);
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->comm, "short-lived");
  EXPECT_TRUE(facts->executable.ends_with("unit_procfs_live"));
}

TEST_P(SocketOwnersLive, NotAcceptedYetIsNotYetAndTheListenerIsNoGuessWhileTheSocketIsThere) {
  Connection connection = connect_over(Loopback::ipv4);
  const UniqueFd second(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(connection.listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  ASSERT_EQ(::connect(second.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  const SocketOwner waiting = owners_->owner(connection.listening, local_end(second.get()));
  EXPECT_EQ(waiting.answer, Answer::not_yet);
  const UniqueFd accepted(::accept4(connection.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const SocketOwner owner = ask(connection.listening, local_end(second.get()));
  EXPECT_EQ(owner.answer, Answer::found);
  EXPECT_EQ(owner.tgid, static_cast<std::uint32_t>(::getpid()));
}

TEST_P(SocketOwnersLive, AConnectionThatWasNeverMetIsInferredFromItsOnlyListener) {
  Connection connection = connect_over(Loopback::ipv4);
  connection.client.reset();
  connection.server.reset();
  // The first question may have come before the socket.
  const Endpoint never = with_another_port(connection.client_end);
  EXPECT_EQ(owners_->owner(connection.listening, never).answer, Answer::not_yet);
  const SocketOwner owner = ask(connection.listening, never);
  EXPECT_EQ(owner.answer, Answer::found);
  EXPECT_EQ(owner.tgid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_TRUE(owner.inferred);
}

TEST_P(SocketOwnersLive, OfSeveralListenersNoneIsGuessed) {
  const Connection connection = connect_over(Loopback::ipv4);
  const WaitingChild worker([] { return std::string(); });  // holds the listening socket too
  const Endpoint never = with_another_port(connection.client_end);
  const SocketOwner before = ask(connection.listening, never);
  EXPECT_EQ(before.answer, Answer::unreadable);
}

// A server's master is alone with its listening socket until it makes its workers.
TEST_P(SocketOwnersLive, AWorkerThatBeganAfterTheLastLookIsNotOverlooked) {
  const Connection connection = connect_over(Loopback::ipv4);
  Endpoint never = with_another_port(connection.client_end);
  ASSERT_TRUE(ask(connection.listening, never).inferred);
  const WaitingChild worker([] { return std::string(); });
  never.port = static_cast<std::uint16_t>(never.port + 2);
  EXPECT_EQ(ask(connection.listening, never).answer, Answer::unreadable);
}

// Everybody was asked after the connection was first met, and before the worker that takes it began.
TEST_P(SocketOwnersLive, AWorkerThatBeganDuringTheConnectionIsNotOverlooked) {
  const Connection connection = connect_over(Loopback::ipv4);
  const Endpoint never = with_another_port(connection.client_end);
  ASSERT_TRUE(ask(connection.listening, never).inferred);
  const WaitingChild worker([] { return std::string(); });
  ::usleep(20'000);  // without the connector processes are listed every now and then
  EXPECT_EQ(ask(connection.listening, never).answer, Answer::unreadable);
}

TEST_P(SocketOwnersLive, WhatIsNotHereIsNotHere) {
  Endpoint local, remote;
  local.address[15] = remote.address[15] = 1;
  local.port = 1;
  remote.port = 2;
  EXPECT_EQ(ask(local, remote).answer, Answer::not_here);
}

}  // namespace
}  // namespace tracer
