#include "backends/pcap/loopback_beat.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace tracer {
namespace {

constexpr std::array<char, 8> magic{'t', 'r', 'a', 'c', 'e', 'r', ' ', 'b'};
using Message = std::array<std::byte, magic.size() + sizeof(std::uint64_t)>;

// A datagram for an interface that is down may vanish without an error.
Result<void> require_loopback_up(int socket) {
  ifreq request{};
  std::memcpy(static_cast<char*>(request.ifr_name), "lo", 3);
  if (::ioctl(socket, SIOCGIFFLAGS, &request) != 0) return std::unexpected(os_failure(errno, "heartbeat: look at lo"));
  if ((request.ifr_flags & IFF_UP) == 0) return fail(Errc::os, "heartbeat: loopback is down", "ip link set lo up");
  return {};
}

}  // namespace

Result<LoopbackBeat> LoopbackBeat::open() {
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return std::unexpected(os_failure(errno, "heartbeat: socket"));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.get(), generic, size) != 0 || ::getsockname(socket.get(), generic, &size) != 0 ||
      ::connect(socket.get(), generic, size) != 0) {
    return std::unexpected(os_failure(errno, "heartbeat: a datagram socket on loopback"));
  }
  return LoopbackBeat(std::move(socket), ntohs(address.sin_port));
}

Result<void> LoopbackBeat::send(std::uint64_t nonce) {
  if (Result<void> up = require_loopback_up(socket_.get()); !up) return up;
  Message message;
  while (::recv(socket_.get(), message.data(), message.size(), MSG_DONTWAIT) >= 0) {
  }
  std::memcpy(message.data(), magic.data(), magic.size());
  std::memcpy(message.data() + magic.size(), &nonce, sizeof nonce);
  if (::send(socket_.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    return std::unexpected(os_failure(errno, "heartbeat: send on loopback"));
  }
  return {};
}

std::optional<std::uint64_t> LoopbackBeat::recognise(const UdpDatagram& datagram) const {
  if (datagram.source.port != port_ || datagram.destination.port != port_ ||
      datagram.source.address != datagram.destination.address || datagram.payload.size() != sizeof(Message) ||
      std::memcmp(datagram.payload.data(), magic.data(), magic.size()) != 0) {
    return std::nullopt;
  }
  std::uint64_t nonce = 0;
  std::memcpy(&nonce, datagram.payload.data() + magic.size(), sizeof nonce);
  return nonce;
}

}  // namespace tracer
