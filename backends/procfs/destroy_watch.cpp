#include "backends/procfs/destroy_watch.h"
#include "backends/procfs/netlink_receive.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace tracer::procfs {
namespace {

constexpr int receive_buffer_bytes = 4 << 20;  // a notice takes about 1.3 KiB of it
constexpr std::size_t datagram_bytes_max = 8192;

}  // namespace

Result<DestroyWatch> DestroyWatch::open() {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!socket) return std::unexpected(os_failure(errno, "notices of closed sockets: socket"));
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes, sizeof receive_buffer_bytes) != 0)
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  // A socket without an address gets nothing: the kernel takes it for the sender.
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return std::unexpected(os_failure(errno, "notices of closed sockets: bind"));
  for (const int group : {SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY}) {
    if (::setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0) continue;
    Error error = os_failure(errno, "notices of closed sockets: subscribe");
    if (error.code == Errc::not_permitted) error.suggestion = "run as root, or with CAP_NET_ADMIN";
    return std::unexpected(std::move(error));
  }
  return DestroyWatch(std::move(socket));
}

Result<bool> DestroyWatch::read(std::vector<MeasuredSocket>& found, std::size_t count_max) {
  alignas(8) std::array<std::byte, datagram_bytes_max> buffer;
  for (const std::size_t begin = found.size(); found.size() - begin < count_max;) {
    const auto received = receive_from_kernel(socket_.get(), buffer, overflows_, "notices of closed sockets");
    if (!received) return std::unexpected(received.error());
    if (!*received) return false;
    Bytes datagram = **received;
    while (const auto message = take_netlink_message(datagram)) {
      if (message->type != SOCK_DIAG_BY_FAMILY) continue;
      if (const auto socket = parse_diag_message(message->body)) found.push_back(*socket);
    }
  }
  return true;
}

}  // namespace tracer::procfs
