#include "backends/procfs/diag_message.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace tracer::procfs {
namespace {

constexpr std::size_t aligned(std::size_t size) { return (size + NLMSG_ALIGNTO - 1) & ~std::size_t{NLMSG_ALIGNTO - 1}; }

Bytes without_front(Bytes bytes, std::size_t count) { return bytes.subspan(std::min(count, bytes.size())); }

Endpoint endpoint_of(std::uint8_t family, const __be32 (&address)[4], __be16 port) {
  const std::uint16_t host_port = ntohs(port);
  if (family == AF_INET) {
    std::uint8_t bytes[4];
    std::memcpy(bytes, address, sizeof bytes);
    return endpoint_of_ipv4(bytes, host_port);
  }
  Endpoint endpoint;
  std::memcpy(endpoint.address.data(), address, endpoint.address.size());
  endpoint.port = host_port;
  return endpoint;
}

// The structure grows with the kernel: a field is there if the whole of it is.
template <typename Field>
std::optional<Field> field_at(Bytes structure, std::size_t offset) {
  if (structure.size() < offset + sizeof(Field)) return std::nullopt;
  Field field;
  std::memcpy(&field, structure.data() + offset, sizeof field);
  return field;
}
#define TCP_INFO_FIELD(structure, name) field_at<decltype(tcp_info::name)>(structure, offsetof(tcp_info, name))

std::optional<TcpCounters> parse_tcp_info(Bytes info) {
  const auto received = TCP_INFO_FIELD(info, tcpi_bytes_received);
  const auto acked = TCP_INFO_FIELD(info, tcpi_bytes_acked);
  if (!received || !acked) return std::nullopt;  // before Linux 4.1
  TcpCounters counters;
  counters.bytes_acked = *acked;
  counters.bytes_received = *received;
  counters.rtt_us = TCP_INFO_FIELD(info, tcpi_rtt).value_or(0);
  counters.retransmits = TCP_INFO_FIELD(info, tcpi_total_retrans).value_or(0);
  counters.bytes_not_sent = TCP_INFO_FIELD(info, tcpi_notsent_bytes).value_or(0);
  const auto again = TCP_INFO_FIELD(info, tcpi_bytes_retrans);
  if (again) {
    counters.bytes_sent = TCP_INFO_FIELD(info, tcpi_bytes_sent);
    counters.bytes_sent_again = *again;
  }
  return counters;
}
#undef TCP_INFO_FIELD

}  // namespace

std::optional<NetlinkMessage> take_netlink_message(Bytes& datagram) {
  nlmsghdr header;
  if (datagram.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, datagram.data(), sizeof header);
  if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) return std::nullopt;
  const NetlinkMessage message{header.nlmsg_type, datagram.subspan(sizeof header, header.nlmsg_len - sizeof header)};
  datagram = without_front(datagram, aligned(header.nlmsg_len));
  return message;
}

std::optional<MeasuredSocket> parse_diag_message(Bytes body) {
  inet_diag_msg message;
  if (body.size() < sizeof message) return std::nullopt;
  std::memcpy(&message, body.data(), sizeof message);
  const auto state = tcp_state_of(message.idiag_state);
  if (!state || (message.idiag_family != AF_INET && message.idiag_family != AF_INET6)) return std::nullopt;
  MeasuredSocket socket;
  socket.listed.uid = message.idiag_uid;
  SocketFacts& facts = socket.listed.facts;
  facts.inode = message.idiag_inode;
  facts.state = *state;
  const inet_diag_sockid& id = message.id;
  if (id.idiag_sport != 0) facts.local = endpoint_of(message.idiag_family, id.idiag_src, id.idiag_sport);
  if (id.idiag_dport != 0) facts.remote = endpoint_of(message.idiag_family, id.idiag_dst, id.idiag_dport);
  facts.cookie = id.idiag_cookie[0] | (std::uint64_t{id.idiag_cookie[1]} << 32);
  if (*state == TcpState::listen || *state == TcpState::time_wait) return socket;  // queue lengths mean other things

  socket.unread = message.idiag_rqueue;
  socket.unacked = message.idiag_wqueue;
  for (Bytes rest = without_front(body, aligned(sizeof message)); rest.size() >= sizeof(nlattr);) {
    nlattr attribute;
    std::memcpy(&attribute, rest.data(), sizeof attribute);
    if (attribute.nla_len < sizeof attribute || attribute.nla_len > rest.size()) break;
    if ((attribute.nla_type & NLA_TYPE_MASK) == INET_DIAG_INFO) {
      socket.counters = parse_tcp_info(rest.subspan(sizeof attribute, attribute.nla_len - sizeof attribute));
    }
    rest = without_front(rest, aligned(attribute.nla_len));
  }
  return socket;
}

}  // namespace tracer::procfs
