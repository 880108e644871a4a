#include "backends/procfs/sock_diag.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>

#include "tests/unit/procfs/live_support.h"

namespace tracer::procfs {
namespace {

constexpr std::size_t no_limit = 1'000'000;

// Skips by what the kernel can do here, which the first dump tells.
class SockDiagLive : public ::testing::TestWithParam<Loopback> {
 protected:
  void SetUp() override {
    auto opened = SockDiag::open();
    if (!opened) GTEST_SKIP() << opened.error().context;
    std::vector<ListedSocket> found;
    if (const auto dump = opened->dump(found, no_limit); !dump) GTEST_SKIP() << dump.error().context;
    if (GetParam() != Loopback::ipv4 && !has_ipv6_loopback()) GTEST_SKIP() << "no IPv6 loopback";
    sock_diag_.emplace(*std::move(opened));
  }
  std::optional<SockDiag> sock_diag_;
};

std::uint64_t cookie_of(const UniqueFd& socket) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  EXPECT_EQ(::getsockopt(socket.get(), SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
  return cookie;
}

TEST_P(SockDiagLive, DumpHasBothEndsAndTheListener) {
  const Connection connection = connect_over(GetParam());
  std::vector<ListedSocket> found;
  const auto dump = sock_diag_->dump(found, no_limit);
  ASSERT_TRUE(dump) << dump.error().context;
  EXPECT_EQ(dump->over_limit, 0U);
  const auto find = [&](const UniqueFd& socket) -> const ListedSocket* {
    const auto one = std::ranges::find(found, inode_of(socket), [](const ListedSocket& s) { return s.facts.inode; });
    return one == found.end() ? nullptr : &*one;
  };
  const ListedSocket* client = find(connection.client);
  const ListedSocket* server = find(connection.server);
  const ListedSocket* listener = find(connection.listener);
  ASSERT_TRUE(client && server && listener);
  EXPECT_EQ(client->facts.local, connection.client_end);
  EXPECT_EQ(client->facts.remote, connection.server_end);
  EXPECT_EQ(client->facts.state, TcpState::established);
  EXPECT_EQ(client->facts.cookie, cookie_of(connection.client));
  EXPECT_EQ(client->uid, ::getuid());
  EXPECT_EQ(server->facts.local, connection.server_end);
  EXPECT_EQ(server->facts.remote, connection.client_end);
  EXPECT_EQ(server->facts.cookie, cookie_of(connection.server));
  EXPECT_EQ(listener->facts.state, TcpState::listen);
  EXPECT_EQ(listener->facts.local, connection.listening);
  EXPECT_FALSE(listener->facts.remote);
}

TEST_P(SockDiagLive, LookupFindsEachEndExactly) {
  const Connection connection = connect_over(GetParam());
  const auto client = sock_diag_->lookup(connection.client_end, connection.server_end);
  ASSERT_TRUE(client) << client.error().context;
  EXPECT_EQ(client->facts.inode, inode_of(connection.client));
  const auto server = sock_diag_->lookup(connection.server_end, connection.client_end);
  ASSERT_TRUE(server) << server.error().context;
  EXPECT_EQ(server->facts.inode, inode_of(connection.server));
}

TEST_P(SockDiagLive, LookupOfNoConnectionIsNotTheListener) {
  const Connection connection = connect_over(GetParam());
  Endpoint nobody = connection.client_end;
  nobody.port = 1;
  const auto found = sock_diag_->lookup(connection.server_end, nobody);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Errc::not_found);
  // The socket is still in step: the next question gets its own answer.
  EXPECT_TRUE(sock_diag_->lookup(connection.client_end, connection.server_end));
}

TEST_P(SockDiagLive, TheLimitIsKeptAndCounted) {
  const Connection connection = connect_over(GetParam());
  std::vector<ListedSocket> found;
  const auto dump = sock_diag_->dump(found, 1);
  ASSERT_TRUE(dump);
  EXPECT_EQ(found.size(), 1U);
  EXPECT_GE(dump->over_limit, 2U);
}

std::string name_of(const ::testing::TestParamInfo<Loopback>& test) {
  switch (test.param) {
    case Loopback::ipv4:
      return "ipv4";
    case Loopback::ipv6:
      return "ipv6";
    case Loopback::ipv4_to_dual_stack:
      break;
  }
  return "ipv4_to_dual_stack";
}
INSTANTIATE_TEST_SUITE_P(Loopbacks, SockDiagLive,
                         ::testing::Values(Loopback::ipv4, Loopback::ipv6, Loopback::ipv4_to_dual_stack), name_of);

}  // namespace
}  // namespace tracer::procfs
