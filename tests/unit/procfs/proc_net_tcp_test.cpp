#include "backends/procfs/proc_net_tcp.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <bit>
#include <string>

namespace tracer::procfs {
namespace {

// The lines are those of little-endian machines.
class ProcNetTcp : public ::testing::Test {
 protected:
  void SetUp() override {
    if constexpr (std::endian::native != std::endian::little) GTEST_SKIP() << "lines of a little-endian kernel";
  }
};

std::string text_of(const std::optional<Endpoint>& endpoint) {
  if (!endpoint) return "none";
  char buffer[INET6_ADDRSTRLEN];
  ::inet_ntop(AF_INET6, endpoint->address.data(), buffer, sizeof buffer);
  return std::string(buffer) + "|" + std::to_string(endpoint->port);
}

constexpr const char* tail = " 00000000:00000000 02:00000B5E 00000000  1000        0 ";

TEST_F(ProcNetTcp, Ipv4IsHeldMapped) {
  const auto socket = parse_proc_net_tcp_line("   1: 0200A8C0:1F90 0301A8C0:C350 01" + std::string(tail) +
                                              "54321 2 ffff8880 20 4 30 10 -1                     ");
  ASSERT_TRUE(socket);
  EXPECT_EQ(text_of(socket->facts.local), "::ffff:192.168.0.2|8080");
  EXPECT_EQ(text_of(socket->facts.remote), "::ffff:192.168.1.3|50000");
  EXPECT_EQ(socket->facts.state, TcpState::established);
  EXPECT_EQ(socket->facts.inode, 54321U);
  EXPECT_EQ(socket->facts.cookie, 0U);
  EXPECT_EQ(socket->uid, 1000U);
}

TEST_F(ProcNetTcp, Ipv6) {
  const auto socket =
      parse_proc_net_tcp_line("  12: 000080FE00000000FF005450B6AA1FFE:01BB B80D01200000000000000000EFBEADDE:D431 08" +
                              std::string(tail) + "7 1 0");
  ASSERT_TRUE(socket);
  EXPECT_EQ(text_of(socket->facts.local), "fe80::5054:ff:fe1f:aab6|443");
  EXPECT_EQ(text_of(socket->facts.remote), "2001:db8::dead:beef|54321");
  EXPECT_EQ(socket->facts.state, TcpState::close_wait);
}

TEST_F(ProcNetTcp, MappedInTheIpv6TableIsTheSameEndpointAsInTheIpv4Table) {
  const auto mapped = parse_proc_net_tcp_line(
      " 0: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000200007F:9C40 01" + std::string(tail) + "1 1");
  const auto plain = parse_proc_net_tcp_line(" 0: 0100007F:0050 0200007F:9C40 01" + std::string(tail) + "2 1");
  ASSERT_TRUE(mapped && plain);
  EXPECT_EQ(mapped->facts.local, plain->facts.local);
  EXPECT_EQ(mapped->facts.remote, plain->facts.remote);
}

TEST_F(ProcNetTcp, AnEndWithoutPortIsAbsent) {
  const auto listening = parse_proc_net_tcp_line(" 0: 00000000:0050 00000000:0000 0A" + std::string(tail) + "3 1");
  ASSERT_TRUE(listening);
  EXPECT_EQ(text_of(listening->facts.local), "::ffff:0.0.0.0|80");
  EXPECT_FALSE(listening->facts.remote);
  EXPECT_EQ(listening->facts.state, TcpState::listen);
}

TEST_F(ProcNetTcp, StatesOfNewerKernels) {
  EXPECT_EQ(tcp_state_of(0), std::nullopt);
  EXPECT_EQ(tcp_state_of(11), TcpState::closing);
  EXPECT_EQ(tcp_state_of(12), TcpState::syn_recv);
  EXPECT_EQ(tcp_state_of(13), TcpState::close);
  EXPECT_EQ(tcp_state_of(14), std::nullopt);
}

TEST_F(ProcNetTcp, RefusesEverythingElse) {
  const std::string good = " 0: 0100007F:0050 0200007F:9C40 01" + std::string(tail) + "2 1";
  ASSERT_TRUE(parse_proc_net_tcp_line(good));
  for (const std::string& line :
       {std::string(), std::string("  sl  local_address rem_address   st tx_queue rx_queue"), std::string(" 0:"),
        std::string(" 0: 0100007F:0050"), " 0: 0100007F 0200007F:9C40 01" + std::string(tail) + "2 1",
        " 0: 0100007F:10050 0200007F:9C40 01" + std::string(tail) + "2 1",
        " 0: 010007F:0050 0200007F:9C40 01" + std::string(tail) + "2 1",
        " 0: 0100007G:0050 0200007F:9C40 01" + std::string(tail) + "2 1",
        " 0: 0100007F:0050 0200007F:9C40 FF" + std::string(tail) + "2 1",
        " 0: 0100007F:0050 0200007F:9C40 01" + std::string(tail) + "x 1",
        " 0: 0100007F:0050 0200007F:9C40 01" + std::string(tail)}) {
    EXPECT_FALSE(parse_proc_net_tcp_line(line)) << line;
  }
}

}  // namespace
}  // namespace tracer::procfs
