// Messages of NETLINK_SOCK_DIAG as the kernel writes them. Pure: any bytes are taken, none is believed.
#pragma once

#include <cstdint>
#include <optional>

#include "backends/procfs/proc_net_tcp.h"
#include "core/base/bytes.h"

namespace tracer::procfs {

struct NetlinkMessage {
  std::uint16_t type = 0;
  Bytes body;
};
// Takes the first message off `datagram`. nullopt: no whole message is left.
[[nodiscard]] std::optional<NetlinkMessage> take_netlink_message(Bytes& datagram);

// What tcp_info says. Control bytes are counted in bytes_acked (SYN and FIN of this end, once acknowledged) and in
// bytes_received (FIN of the other end), never in bytes_sent: tcp_payload.h turns these into bytes of payload.
struct TcpCounters {
  std::uint64_t bytes_acked = 0, bytes_received = 0;
  std::optional<std::uint64_t> bytes_sent;  // Linux 4.19; with those sent again
  std::uint64_t bytes_sent_again = 0;
  std::uint32_t bytes_not_sent = 0;  // written and waiting for room in the window
  std::uint32_t rtt_us = 0;
  std::uint32_t retransmits = 0;  // in the whole life of the connection
};

struct MeasuredSocket {
  ListedSocket listed;
  std::uint32_t unread = 0;  // sequence numbers received and not read, a FIN among them
  std::uint32_t unacked = 0;
  std::optional<TcpCounters> counters;  // not of listening sockets and TIME_WAIT
};

// The body of a SOCK_DIAG_BY_FAMILY message about a TCP socket.
[[nodiscard]] std::optional<MeasuredSocket> parse_diag_message(Bytes body);

}  // namespace tracer::procfs
