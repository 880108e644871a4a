// The tables /proc/PID/net/tcp and tcp6: the TCP sockets of that process's network namespace, without entering it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ownership.h"

namespace tracer::procfs {

// A TCP socket as the kernel lists it. The inode is 0 where no process holds the socket: TIME_WAIT, not yet accepted,
// already closed by its owner.
struct ListedSocket {
  SocketFacts facts;
  std::uint32_t uid = 0;
};

// One line of either table (they differ in the width of the addresses). nullopt: the heading, or not such a line.
[[nodiscard]] std::optional<ListedSocket> parse_proc_net_tcp_line(std::string_view line);

// The states above `closing` that newer kernels have are folded into the nearest one here.
[[nodiscard]] std::optional<TcpState> tcp_state_of(std::uint32_t kernel_state);

// An IPv4 address, four bytes as on the wire, in the one spelling that Endpoint has for it.
[[nodiscard]] Endpoint endpoint_of_ipv4(const std::uint8_t* address, std::uint16_t port);

}  // namespace tracer::procfs
