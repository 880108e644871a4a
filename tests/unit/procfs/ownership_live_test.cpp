// ProcOwnership against this kernel, with sock_diag and without.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <thread>

#include "backends/procfs/ownership.h"
#include "tests/unit/procfs/live_support.h"

namespace tracer {
namespace {

std::uint32_t own_tgid() { return static_cast<std::uint32_t>(::getpid()); }

class OwnershipLive : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    auto opened = ProcOwnership::open({.use_sock_diag = GetParam(), .now_ns = [this] { return now_ns_; }});
    ASSERT_TRUE(opened) << opened.error().context;
    ownership_ = *std::move(opened);
    if (ownership_->translates()) GTEST_SKIP() << "not in the initial pid namespace: numbers cannot be looked up";
    if (GetParam() && ownership_->sock_diag_error()) GTEST_SKIP() << ownership_->sock_diag_error()->context;
  }
  void list_is_due() { now_ns_ += 20'000'000; }
  FdAnswer ask(const UniqueFd& fd) { return ownership_->descriptor(own_tgid(), fd.get()); }

  std::uint64_t now_ns_ = 0;
  std::unique_ptr<ProcOwnership> ownership_;
};

TEST_P(OwnershipLive, ListsByTheWayThatWasAskedFor) {
  const auto& lists = ownership_->counters().lists;
  EXPECT_EQ(lists.sock_diag_dumps, GetParam() ? 1U : 0U);
  EXPECT_EQ(lists.proc_tables_read, GetParam() ? 0U : 1U);
}

TEST_P(OwnershipLive, OwnProcess) {
  ::prctl(PR_SET_NAME, "odd) S (name");
  const auto facts = ownership_->process(own_tgid());
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->tgid, own_tgid());
  EXPECT_EQ(facts->local_pid, own_tgid());
  EXPECT_EQ(facts->comm, "odd) S (name");
  EXPECT_EQ(facts->uid, ::getuid());
  EXPECT_THAT(facts->executable, ::testing::EndsWith("unit_procfs_live"));
  EXPECT_GT(facts->start_ticks, 0U);
  const auto all = ownership_->all_processes();
  EXPECT_EQ(std::ranges::count(all, own_tgid(), &ProcessFacts::tgid), 1);
}

TEST_P(OwnershipLive, AThreadIsNoProcess) {
  std::optional<ProcessFacts> facts;
  std::uint32_t tid = 0;
  std::thread([&] {
    tid = static_cast<std::uint32_t>(::gettid());
    facts = ownership_->process(tid);
  }).join();
  ASSERT_NE(tid, own_tgid());
  EXPECT_FALSE(facts);
}

TEST_P(OwnershipLive, EveryKindOfLoopbackConnection) {
  for (const Loopback loopback : {Loopback::ipv4, Loopback::ipv6, Loopback::ipv4_to_dual_stack}) {
    if (loopback != Loopback::ipv4 && !has_ipv6_loopback()) continue;
    const Connection connection = connect_over(loopback);
    list_is_due();
    const FdAnswer client = ask(connection.client);
    ASSERT_EQ(client.kind, FdKind::tcp);
    EXPECT_EQ(client.socket.inode, inode_of(connection.client));
    EXPECT_EQ(client.socket.local, connection.client_end);
    EXPECT_EQ(client.socket.remote, connection.server_end);
    EXPECT_EQ(client.socket.network_namespace, own_namespace_inode("net"));
    EXPECT_EQ(client.socket.cookie != 0, GetParam());
    const FdAnswer server = ask(connection.server);
    ASSERT_EQ(server.kind, FdKind::tcp);
    EXPECT_EQ(server.socket.local, connection.server_end);
    EXPECT_EQ(server.socket.remote, connection.client_end);
    const FdAnswer listener = ask(connection.listener);
    ASSERT_EQ(listener.kind, FdKind::tcp);
    EXPECT_EQ(listener.socket.state, TcpState::listen);
    EXPECT_EQ(listener.socket.local, connection.listening);
  }
}

TEST_P(OwnershipLive, OneListForManyQuestions) {
  std::vector<Connection> connections;
  for (int i = 0; i < 5; ++i) connections.push_back(connect_over(Loopback::ipv4));
  list_is_due();
  const auto before = ownership_->counters();
  for (const Connection& connection : connections) {
    EXPECT_EQ(ask(connection.client).socket.local, connection.client_end);
    EXPECT_EQ(ask(connection.server).socket.local, connection.server_end);
  }
  const auto after = ownership_->counters();
  EXPECT_EQ(after.lists.sock_diag_dumps + after.lists.proc_tables_read,
            before.lists.sock_diag_dumps + before.lists.proc_tables_read + 1);
  EXPECT_EQ(after.answered_from_table, before.answered_from_table + 9);
}

TEST_P(OwnershipLive, BetweenTwoListsAConnectionIsKnownToBeTcpWithoutItsAddresses) {
  const Connection connection = connect_over(Loopback::ipv4);  // younger than the list made at opening
  const FdAnswer early = ask(connection.client);
  ASSERT_EQ(early.kind, FdKind::tcp);
  EXPECT_EQ(early.socket.inode, inode_of(connection.client));
  EXPECT_FALSE(early.socket.local);
  EXPECT_FALSE(early.socket.remote);
  EXPECT_EQ(ownership_->counters().answered_without_address, 1U);
  list_is_due();
  EXPECT_EQ(ask(connection.client).socket.local, connection.client_end);
}

TEST_P(OwnershipLive, AnUnconnectedSocketIsTcpAndGetsItsAddressesWhenItConnects) {
  const Connection other = connect_over(Loopback::ipv4);
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  list_is_due();
  const FdAnswer before = ask(socket);
  ASSERT_EQ(before.kind, FdKind::tcp);
  EXPECT_FALSE(before.socket.remote);
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_port = htons(other.listening.port);
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target), 0);
  list_is_due();
  const FdAnswer after = ask(socket);
  ASSERT_EQ(after.kind, FdKind::tcp);
  EXPECT_EQ(after.socket.local, local_end(socket.get()));
  EXPECT_EQ(after.socket.remote, other.listening);
}

TEST_P(OwnershipLive, OtherDescriptorsAreNotTcp) {
  int pipe_ends[2], pair[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const UniqueFd pipe_in(pipe_ends[0]), pipe_out(pipe_ends[1]), unix_a(pair[0]), unix_b(pair[1]);
  const UniqueFd udp(::socket(AF_INET, SOCK_DGRAM, 0)), netlink(::socket(AF_NETLINK, SOCK_RAW, 0));
  const UniqueFd file(::open("/dev/null", O_RDONLY));
  const auto before = ownership_->counters().lists;
  for (const UniqueFd* fd : {&pipe_in, &pipe_out, &unix_a, &udp, &netlink, &file}) {
    EXPECT_EQ(ask(*fd).kind, FdKind::not_tcp);
  }
  const auto after = ownership_->counters().lists;
  EXPECT_EQ(after.sock_diag_dumps + after.proc_tables_read, before.sock_diag_dumps + before.proc_tables_read)
      << "a socket of another kind needs no list";
}

TEST_P(OwnershipLive, ClosedIsGone) {
  Connection connection = connect_over(Loopback::ipv4);
  list_is_due();
  ASSERT_EQ(ask(connection.client).kind, FdKind::tcp);
  const int closed = connection.client.get();
  connection.client.reset();
  EXPECT_EQ(ownership_->descriptor(own_tgid(), closed).kind, FdKind::gone);
  const UniqueFd reused(::open("/dev/null", O_RDONLY));
  ASSERT_EQ(reused.get(), closed);
  EXPECT_EQ(ownership_->descriptor(own_tgid(), closed).kind, FdKind::not_tcp);
}

TEST_P(OwnershipLive, AForkedChildSharesTheSocket) {
  const Connection connection = connect_over(Loopback::ipv4);
  const int number = connection.server.get();
  const WaitingChild child([] { return std::string("running"); });
  ASSERT_EQ(child.said(), "running");
  list_is_due();
  const FdAnswer of_child = ownership_->descriptor(child.pid(), number);
  ASSERT_EQ(of_child.kind, FdKind::tcp);
  EXPECT_EQ(of_child.socket.inode, inode_of(connection.server));
  EXPECT_EQ(of_child.socket.local, connection.server_end);
  std::vector<std::uint32_t> holders;
  for (const auto& owned : ownership_->all_tcp_descriptors()) {
    if (owned.socket.inode != inode_of(connection.server)) continue;
    EXPECT_EQ(owned.fd, number);
    EXPECT_EQ(owned.socket.remote, connection.client_end);
    holders.push_back(owned.tgid);
  }
  EXPECT_THAT(holders, ::testing::UnorderedElementsAre(own_tgid(), child.pid()));
}

TEST_P(OwnershipLive, AnExitedProcessIsGone) {
  std::uint32_t pid = 0;
  {
    const WaitingChild child([] { return std::string(); });
    pid = child.pid();
    EXPECT_TRUE(ownership_->process(pid));
  }
  EXPECT_FALSE(ownership_->process(pid));
  EXPECT_EQ(ownership_->descriptor(pid, 0).kind, FdKind::gone);
}

TEST_P(OwnershipLive, ListenersHaveTheListeningEndOnly) {
  const Connection connection = connect_over(Loopback::ipv4);
  list_is_due();
  const auto listeners = ownership_->listeners(own_namespace_inode("net"));
  EXPECT_THAT(listeners, ::testing::Contains(connection.listening));
  EXPECT_THAT(listeners, ::testing::Not(::testing::Contains(connection.client_end)));
}

TEST_P(OwnershipLive, WithoutPrivilegesOthersAreUnreadableNotGone) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root, to give it up";
  const Connection connection = connect_over(Loopback::ipv4);
  const std::uint32_t tgid = own_tgid();
  const int number = connection.client.get();
  const bool use_sock_diag = GetParam();
  const std::string said = in_child([=]() -> std::string {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) return "setuid failed";
    auto opened = ProcOwnership::open({.use_sock_diag = use_sock_diag});
    if (!opened) return opened.error().context;
    if ((*opened)->descriptor(tgid, number).kind != FdKind::unreadable) return "the descriptor was not unreadable";
    const auto facts = (*opened)->process(tgid);
    if (!facts || facts->comm.empty()) return "the name of another user's process can be read by anybody";
    if (!facts->executable.empty()) return "an executable that may not be seen";
    return "";
  });
  EXPECT_EQ(said, "");
}

std::string name_of(const ::testing::TestParamInfo<bool>& test) { return test.param ? "sock_diag" : "proc_net_tcp"; }
INSTANTIATE_TEST_SUITE_P(Lists, OwnershipLive, ::testing::Bool(), name_of);

}  // namespace
}  // namespace tracer
