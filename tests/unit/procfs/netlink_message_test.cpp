// Messages of the kernel: built here field by field, as the kernel lays them out, and messages that no kernel writes.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <cstring>
#include <vector>

#include "backends/procfs/diag_message.h"
#include "backends/procfs/process_message.h"

namespace tracer::procfs {
namespace {

class MessageBytes {
 public:
  template <typename T>
  MessageBytes& add(const T& value) {
    const auto* begin = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), begin, begin + sizeof value);
    return *this;
  }
  [[nodiscard]] Bytes whole() const { return bytes_; }
  [[nodiscard]] Bytes first(std::size_t size) const { return whole().first(size); }

 private:
  std::vector<std::byte> bytes_;
};

nlmsghdr header(std::uint32_t length, std::uint16_t type) {
  nlmsghdr made{};
  made.nlmsg_len = length;
  made.nlmsg_type = type;
  return made;
}

TEST(NetlinkMessage, TakesOneAfterTheOtherWithTheirPadding) {
  MessageBytes datagram;
  datagram.add(header(sizeof(nlmsghdr) + 1, 20)).add(std::uint32_t{0xab}).add(header(sizeof(nlmsghdr), 3));
  Bytes rest = datagram.whole();
  const auto first = take_netlink_message(rest);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->type, 20);
  EXPECT_EQ(first->body.size(), 1u);
  const auto second = take_netlink_message(rest);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->type, 3);
  EXPECT_TRUE(second->body.empty());
  EXPECT_FALSE(take_netlink_message(rest));
}

TEST(NetlinkMessage, RefusesLengthsThatCannotBe) {
  for (const std::uint32_t length : {0u, 15u, 21u, 0xffffffffu}) {
    MessageBytes datagram;
    datagram.add(header(length, 20)).add(std::uint32_t{0});
    Bytes rest = datagram.whole();
    EXPECT_FALSE(take_netlink_message(rest)) << length;
  }
}

MessageBytes diag_message(std::uint8_t state, std::size_t info_bytes) {
  inet_diag_msg message{};
  message.idiag_family = AF_INET;
  message.idiag_state = state;
  message.idiag_rqueue = 3;
  message.idiag_wqueue = 4;
  message.idiag_uid = 1000;
  message.idiag_inode = 77;
  message.id.idiag_sport = htons(80);
  message.id.idiag_dport = htons(50000);
  message.id.idiag_src[0] = message.id.idiag_dst[0] = htonl(0x7f000001);
  message.id.idiag_cookie[0] = 5;
  message.id.idiag_cookie[1] = 1;
  tcp_info info{};
  info.tcpi_bytes_acked = 11;
  info.tcpi_bytes_received = 12;
  info.tcpi_bytes_sent = 13;
  info.tcpi_bytes_retrans = 2;
  info.tcpi_notsent_bytes = 1;
  info.tcpi_rtt = 99;
  info.tcpi_total_retrans = 6;
  MessageBytes bytes;
  bytes.add(message);
  bytes.add(nlattr{.nla_len = sizeof(nlattr) + 1, .nla_type = INET_DIAG_SHUTDOWN}).add(std::uint32_t{0});
  bytes.add(nlattr{.nla_len = static_cast<std::uint16_t>(sizeof(nlattr) + info_bytes), .nla_type = INET_DIAG_INFO});
  const auto* begin = reinterpret_cast<const std::uint8_t*>(&info);
  for (std::size_t i = 0; i < info_bytes; ++i) bytes.add(begin[i]);
  return bytes;
}

TEST(DiagMessage, GivesEndsIdentityAndCounters) {
  const auto socket = parse_diag_message(diag_message(1, sizeof(tcp_info)).whole());
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->listed.uid, 1000u);
  EXPECT_EQ(socket->listed.facts.inode, 77u);
  EXPECT_EQ(socket->listed.facts.state, TcpState::established);
  EXPECT_EQ(socket->listed.facts.cookie, (std::uint64_t{1} << 32) | 5);
  ASSERT_TRUE(socket->listed.facts.local && socket->listed.facts.remote);
  EXPECT_EQ(socket->listed.facts.local->port, 80);
  EXPECT_EQ(socket->listed.facts.remote->port, 50000);
  EXPECT_EQ(socket->listed.facts.local->address[10], 0xff);
  EXPECT_EQ(socket->unread, 3u);
  EXPECT_EQ(socket->unacked, 4u);
  ASSERT_TRUE(socket->counters);
  EXPECT_EQ(socket->counters->bytes_acked, 11u);
  EXPECT_EQ(socket->counters->bytes_received, 12u);
  EXPECT_EQ(socket->counters->bytes_sent, 13u);
  EXPECT_EQ(socket->counters->bytes_sent_again, 2u);
  EXPECT_EQ(socket->counters->bytes_not_sent, 1u);
  EXPECT_EQ(socket->counters->rtt_us, 99u);
  EXPECT_EQ(socket->counters->retransmits, 6u);
}

TEST(DiagMessage, OlderKernelsHaveAShorterTcpInfo) {
  const auto before_4_19 = parse_diag_message(diag_message(1, offsetof(tcp_info, tcpi_bytes_sent)).whole());
  ASSERT_TRUE(before_4_19 && before_4_19->counters);
  EXPECT_FALSE(before_4_19->counters->bytes_sent);
  EXPECT_EQ(before_4_19->counters->bytes_received, 12u);
  const auto before_4_1 = parse_diag_message(diag_message(1, offsetof(tcp_info, tcpi_bytes_acked)).whole());
  ASSERT_TRUE(before_4_1);
  EXPECT_FALSE(before_4_1->counters);
}

TEST(DiagMessage, QueuesOfAListenerAreNoBytes) {
  const auto socket = parse_diag_message(diag_message(10, sizeof(tcp_info)).whole());
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->unread, 0u);
  EXPECT_FALSE(socket->counters);
}

TEST(DiagMessage, EveryTruncationIsRefusedOrSaysLess) {
  const MessageBytes message = diag_message(1, sizeof(tcp_info));
  for (std::size_t size = 0; size < message.whole().size(); ++size) {
    const auto socket = parse_diag_message(message.first(size));
    EXPECT_EQ(socket.has_value(), size >= sizeof(inet_diag_msg)) << size;
    if (socket) {
      EXPECT_FALSE(socket->counters) << size;
    }
  }
  EXPECT_FALSE(parse_diag_message(diag_message(99, 0).whole()));
}

MessageBytes process_message(const proc_event& event, std::uint32_t index = CN_IDX_PROC) {
  cn_msg head{};
  head.id = {.idx = index, .val = CN_VAL_PROC};
  head.len = sizeof event;
  MessageBytes bytes;
  bytes.add(head).add(event);
  return bytes;
}

TEST(ProcessMessage, ForkOfAProcess) {
  proc_event event{};
  event.what = proc_event::PROC_EVENT_FORK;
  event.timestamp_ns = 123;
  event.event_data.fork = {.parent_pid = 11, .parent_tgid = 10, .child_pid = 20, .child_tgid = 20};
  const auto message = parse_process_message(process_message(event).whole());
  ASSERT_TRUE(message);
  EXPECT_EQ(message->kind, ProcessMessage::Kind::forked);
  EXPECT_EQ(message->at_ns, 123u);
  EXPECT_EQ(message->tgid, 10u);
  EXPECT_EQ(message->child_tgid, 20u);
}

TEST(ProcessMessage, ThreadsAreLeftOut) {
  proc_event event{};
  event.what = proc_event::PROC_EVENT_FORK;
  event.event_data.fork = {.parent_pid = 10, .parent_tgid = 10, .child_pid = 21, .child_tgid = 10};
  EXPECT_FALSE(parse_process_message(process_message(event).whole()));
  event = {};
  event.what = proc_event::PROC_EVENT_EXIT;
  event.event_data.exit.process_pid = 21;
  event.event_data.exit.process_tgid = 10;
  EXPECT_FALSE(parse_process_message(process_message(event).whole()));
}

TEST(ProcessMessage, ExitCarriesTheWaitStatus) {
  proc_event event{};
  event.what = proc_event::PROC_EVENT_EXIT;
  event.event_data.exit.process_pid = event.event_data.exit.process_tgid = 9;
  event.event_data.exit.exit_code = 7 << 8;
  const auto message = parse_process_message(process_message(event).whole());
  ASSERT_TRUE(message);
  EXPECT_EQ(message->kind, ProcessMessage::Kind::exited);
  EXPECT_EQ(exit_reason_of(message->wait_status).exit_code, 7);
  EXPECT_FALSE(exit_reason_of(message->wait_status).signal);
  EXPECT_EQ(exit_reason_of(11 | 0x80).signal, 11);  // with a core dump
  EXPECT_FALSE(exit_reason_of(11 | 0x80).exit_code);
}

TEST(ProcessMessage, AnotherSenderOrACutMessageIsNone) {
  proc_event event{};
  event.what = proc_event::PROC_EVENT_EXEC;
  event.event_data.exec.process_pid = event.event_data.exec.process_tgid = 9;
  EXPECT_TRUE(parse_process_message(process_message(event).whole()));
  EXPECT_FALSE(parse_process_message(process_message(event, CN_IDX_PROC + 1).whole()));
  const MessageBytes message = process_message(event);
  for (std::size_t size = 0; size < sizeof(cn_msg) + offsetof(proc_event, event_data) + 8; ++size)
    EXPECT_FALSE(parse_process_message(message.first(size))) << size;
}

}  // namespace
}  // namespace tracer::procfs
