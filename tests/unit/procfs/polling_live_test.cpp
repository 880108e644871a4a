// The polling backend on own connections: both ends, exact bytes, however short they live.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "backends/procfs/polling.h"
#include "tests/unit/procfs/event_log.h"
#include "tests/unit/procfs/live_support.h"

namespace tracer {
namespace {

void send_all(int socket, std::size_t bytes) {
  const std::string text(bytes, 'x');
  for (std::size_t sent = 0; sent < bytes;) {
    const ssize_t count = ::send(socket, text.data() + sent, bytes - sent, MSG_NOSIGNAL);
    ASSERT_GT(count, 0);
    sent += static_cast<std::size_t>(count);
  }
}

void receive_all(int socket, std::size_t bytes) {
  std::string buffer(65536, '\0');
  for (std::size_t got = 0; got < bytes;) {
    const ssize_t count = ::recv(socket, buffer.data(), buffer.size(), 0);
    ASSERT_GT(count, 0);
    got += static_cast<std::size_t>(count);
  }
}

void receive_end(int socket) {
  char one = 0;
  ASSERT_EQ(::recv(socket, &one, 1, 0), 0);
}

void exchange(int from, int to, std::size_t bytes) {
  std::thread sender([&] { send_all(from, bytes); });
  receive_all(to, bytes);
  sender.join();
}

struct Watched {
  OpenedBackend opened;
  EventLog log;

  explicit Watched(PollingOptions options = {}) {
    auto result = open_polling(std::move(options));
    EXPECT_TRUE(result.has_value()) << result.error().context;
    if (result) opened = *std::move(result);
  }
  [[nodiscard]] bool notices() const {
    for (const AttachOutcome& outcome : opened.outcomes)
      if (outcome.what == "notices of closed sockets") return outcome.attached;
    return false;
  }
  [[nodiscard]] ToldFlow client(const Connection& connection) const {
    return told_of(log, connection.client_end, connection.server_end);
  }
  [[nodiscard]] ToldFlow server(const Connection& connection) const {
    return told_of(log, connection.server_end, connection.client_end);
  }
  [[nodiscard]] bool drain_until(const std::function<bool()>& done) {
    return tracer::drain_until(*opened.backend, log, done);
  }
  [[nodiscard]] bool drain_until_closed(const Connection& connection) {
    return drain_until([&] { return client(connection).closed > 0 && server(connection).closed > 0; });
  }
};

struct Amounts {
  std::size_t to_server, to_client;
};
class PollingBytes : public testing::TestWithParam<std::tuple<Loopback, Amounts>> {};

TEST_P(PollingBytes, AreExactAtBothEndsWhenOneEndIsClosedAfterTheOther) {
  const auto [loopback, amounts] = GetParam();
  Watched watched;
  ASSERT_TRUE(watched.opened.backend);
  Connection connection = connect_over(loopback);
  exchange(connection.client.get(), connection.server.get(), amounts.to_server);
  exchange(connection.server.get(), connection.client.get(), amounts.to_client);
  connection.client.reset();
  receive_end(connection.server.get());
  connection.server.reset();
  ASSERT_TRUE(watched.drain_until_closed(connection));

  const ToldFlow client = watched.client(connection);
  const ToldFlow server = watched.server(connection);
  for (const ToldFlow* flow : {&client, &server}) {
    EXPECT_EQ(flow->opened, 1);
    EXPECT_EQ(flow->closed, 1);
    EXPECT_FALSE(flow->preexisting);
    EXPECT_TRUE(flow->contiguous);
    EXPECT_EQ(flow->payload, 0u);
  }
  EXPECT_EQ(client.role, Role::client);
  EXPECT_EQ(server.role, Role::server);
  EXPECT_EQ(client.tx, amounts.to_server);
  EXPECT_EQ(client.rx, amounts.to_client);
  EXPECT_EQ(server.tx, amounts.to_client);
  EXPECT_EQ(server.rx, amounts.to_server);
  if (!watched.notices()) GTEST_SKIP() << "no notices of closed sockets: no last word to check";
  EXPECT_EQ(client.kernel_tx, amounts.to_server);
  EXPECT_EQ(client.kernel_rx, amounts.to_client);
  EXPECT_EQ(server.kernel_tx, amounts.to_client);
  EXPECT_EQ(server.kernel_rx, amounts.to_server);
}

INSTANTIATE_TEST_SUITE_P(Traffic, PollingBytes,
                         testing::Combine(testing::Values(Loopback::ipv4, Loopback::ipv6, Loopback::ipv4_to_dual_stack),
                                          testing::Values(Amounts{0, 0}, Amounts{1, 0}, Amounts{0, 1}, Amounts{1, 1},
                                                          Amounts{300 * 1024, 5}, Amounts{5, 300 * 1024})));

TEST(PollingLive, NamesBothProcessesOfAConnectionThatStays) {
  Connection connection = connect_over(Loopback::ipv4);
  Watched watched;
  ASSERT_TRUE(watched.opened.backend);
  EXPECT_EQ(watched.opened.kind, BackendKind::procfs);
  EXPECT_EQ(watched.opened.mechanism, Mechanism::sock_diag);
  const auto own = static_cast<std::uint32_t>(::getpid());
  ASSERT_TRUE(watched.drain_until(
      [&] { return watched.client(connection).owner == own && watched.server(connection).owner == own; }));
  EXPECT_TRUE(watched.client(connection).preexisting);
  EXPECT_FALSE(watched.client(connection).inferred);
  EXPECT_EQ(watched.client(connection).comm, own_comm());
  EXPECT_EQ(watched.server(connection).role, Role::server);
  EXPECT_EQ(watched.client(connection).role, Role::client);
}

TEST(PollingLive, CountsNothingThatWasMovedBefore) {
  Connection connection = connect_over(Loopback::ipv4);
  exchange(connection.client.get(), connection.server.get(), 1000);
  Watched watched;
  ASSERT_TRUE(watched.opened.backend);
  exchange(connection.client.get(), connection.server.get(), 23);
  ASSERT_TRUE(
      watched.drain_until([&] { return watched.client(connection).tx == 23 && watched.server(connection).rx == 23; }));
  connection.server.reset();
  receive_end(connection.client.get());
  connection.client.reset();
  ASSERT_TRUE(watched.drain_until_closed(connection));
  EXPECT_EQ(watched.client(connection).tx, 23u);
  EXPECT_EQ(watched.server(connection).rx, 23u);
  EXPECT_EQ(watched.client(connection).rx, 0u);
}

TEST(PollingLive, HalfCloseIsNoByte) {
  Watched watched;
  ASSERT_TRUE(watched.opened.backend);
  for (const bool looked_at_between : {false, true}) {
    SCOPED_TRACE(looked_at_between);
    Connection connection = connect_over(Loopback::ipv4);
    exchange(connection.client.get(), connection.server.get(), 10);
    ASSERT_EQ(::shutdown(connection.client.get(), SHUT_WR), 0);
    receive_end(connection.server.get());
    if (looked_at_between) {
      ASSERT_TRUE(watched.opened.backend->send_beat());
      ASSERT_TRUE(watched.drain_until([&] { return watched.client(connection).tx == 10; }));
      EXPECT_EQ(watched.server(connection).rx, 10u);
    }
    exchange(connection.server.get(), connection.client.get(), 20);
    connection.server.reset();
    receive_end(connection.client.get());
    connection.client.reset();
    ASSERT_TRUE(watched.drain_until_closed(connection));
    EXPECT_EQ(watched.client(connection).tx, 10u);
    EXPECT_EQ(watched.client(connection).rx, 20u);
    EXPECT_EQ(watched.server(connection).tx, 20u);
    EXPECT_EQ(watched.server(connection).rx, 10u);
  }
}

TEST(PollingLive, ABeatIsALook) {
  Watched watched({.interval_ns = 3'600'000'000'000, .hurried_interval_ns = 0});
  ASSERT_TRUE(watched.opened.backend);
  const Connection connection = connect_over(Loopback::ipv4);
  ASSERT_TRUE(watched.opened.backend->send_beat());
  EXPECT_EQ(watched.opened.backend->beats().seen, 0u);
  ASSERT_TRUE(watched.drain_until([&] { return watched.opened.backend->beats().seen == 1; }));
  EXPECT_EQ(watched.client(connection).opened, 1);
}

TEST(PollingLive, OfTheTablesOfProcConnectionsAreToldWithTheirOwnersAndWithoutBytes) {
  SocketOwnersOptions without;  // as on a kernel that has none
  without.use_sock_diag = false;
  auto owners = ProcSocketOwners::open(std::move(without));
  ASSERT_TRUE(owners.has_value()) << owners.error().context;
  PollingOptions options;
  options.mechanism = Mechanism::proc_net;
  options.owners = *std::move(owners);
  options.interval_ns = 20'000'000;
  Watched watched(std::move(options));
  ASSERT_TRUE(watched.opened.backend);
  EXPECT_EQ(watched.opened.mechanism, Mechanism::proc_net);
  EXPECT_FALSE(watched.opened.missing.empty());
  Connection connection = connect_over(Loopback::ipv4);
  exchange(connection.client.get(), connection.server.get(), 10);
  ASSERT_TRUE(watched.drain_until(
      [&] { return watched.client(connection).owner != 0 && watched.server(connection).owner != 0; }));
  EXPECT_EQ(watched.client(connection).owner, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(watched.client(connection).comm, own_comm());
  EXPECT_FALSE(watched.client(connection).inferred);
  EXPECT_EQ(watched.server(connection).owner, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(watched.server(connection).role, Role::server);
  connection.client.reset();
  connection.server.reset();
  ASSERT_TRUE(watched.drain_until_closed(connection));
  EXPECT_EQ(watched.client(connection).tx, 0u);
  EXPECT_FALSE(watched.client(connection).kernel_tx);
}

}  // namespace
}  // namespace tracer
