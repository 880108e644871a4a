#include "tests/workloads/transport.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

namespace tracer::workload {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const Address& from) {
  SocketAddress made;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&made.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&made.storage);
  if (::inet_pton(AF_INET, from.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(from.port);
    made.size = sizeof(*v4);
  } else {
    require(::inet_pton(AF_INET6, from.host.c_str(), &v6->sin6_addr) == 1, "not a numeric address");
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(from.port);
    made.size = sizeof(*v6);
  }
  return made;
}

Address to_address(const SocketAddress& from) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (from.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&from.storage);
    return {::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size()), ntohs(v4->sin_port)};
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&from.storage);
  if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
    return {::inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text.data(), text.size()), ntohs(v6->sin6_port)};
  }
  return {::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size()), ntohs(v6->sin6_port)};
}

UniqueFd open_socket(const SocketAddress& like) {
  UniqueFd fd(::socket(like.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  require(static_cast<bool>(fd), "socket");
  const int on = 1;
  require(::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0, "TCP_NODELAY");
  return fd;
}

std::size_t moved(ssize_t result, std::string_view what) {
  require(result >= 0, what);
  return static_cast<std::size_t>(result);
}

}  // namespace

void give_up(std::string_view what) {
  const int error = errno;
  std::array<char, 16> comm{};
  ::prctl(PR_GET_NAME, comm.data());
  std::fprintf(stderr, "workload: %s: %.*s (errno: %s)\n", comm.data(), static_cast<int>(what.size()), what.data(),
               std::strerror(error));
  ::_exit(1);
}

UniqueFd listen_on(Address where) {
  auto address = to_socket_address(where);
  auto fd = open_socket(address);
  const int on = 1, off = 0;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.storage.ss_family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  require(::bind(fd.get(), address.get(), address.size) == 0, "bind");
  require(::listen(fd.get(), 128) == 0, "listen");
  return fd;
}

UniqueFd connect_by(const Connect& connect, const Address& where) {
  auto address = to_socket_address(where);
  auto fd = open_socket(address);
  connect(fd.get(), address.get(), address.size);
  return fd;
}

UniqueFd connect_to(const Address& where) {
  return connect_by(
      [](int fd, const sockaddr* address, socklen_t size) { require(::connect(fd, address, size) == 0, "connect"); },
      where);
}

UniqueFd connect_from(std::uint16_t local_port, const Address& where) {
  auto address = to_socket_address(where);
  auto fd = open_socket(address);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  auto local = to_socket_address({where.host, local_port});
  require(::bind(fd.get(), local.get(), local.size) == 0, "bind of the client's port");
  require(::connect(fd.get(), address.get(), address.size) == 0, "connect");
  return fd;
}

void begin_connect(int fd, const Address& where) {
  auto address = to_socket_address(where);
  require(::connect(fd, address.get(), address.size) == -1 && errno == EINPROGRESS, "connect did not say EINPROGRESS");
}

UniqueFd accept_one(int listener) {
  SocketAddress peer;
  peer.size = sizeof(peer.storage);
  UniqueFd fd(::accept(listener, peer.get(), &peer.size));
  require(static_cast<bool>(fd), "accept");
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

Address local_address(int fd) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  require(::getsockname(fd, address.get(), &address.size) == 0, "getsockname");
  return to_address(address);
}

Address peer_address(int fd) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  require(::getpeername(fd, address.get(), &address.size) == 0, "getpeername");
  return to_address(address);
}

void reset_on_close(int fd) {
  const linger now{1, 0};
  require(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0, "SO_LINGER");
}

void bring_loopback_up() {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  require(::ioctl(fd.get(), SIOCGIFFLAGS, &request) == 0, "SIOCGIFFLAGS lo");
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  require(::ioctl(fd.get(), SIOCSIFFLAGS, &request) == 0, "SIOCSIFFLAGS lo");
}

void enter_network_namespace(const std::string& path) {
  if (path.empty()) return;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  require(fd && ::setns(fd.get(), CLONE_NEWNET) == 0, "to enter " + path);
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) bytes.remove_prefix(moved(::write(fd, bytes.data(), bytes.size()), "write"));
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) bytes.remove_prefix(moved(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), "send"));
}

void write_single_bytes(int fd, std::string_view bytes) {
  for (const char& byte : bytes) require(::write(fd, &byte, 1) == 1, "write of one byte");
}

std::size_t read_some(int fd, std::span<char> room) { return moved(::read(fd, room.data(), room.size()), "read"); }

std::size_t recv_some(int fd, std::span<char> room) { return moved(::recv(fd, room.data(), room.size(), 0), "recv"); }

void receive_exactly(int fd, std::string_view expected, const Receive& receive, std::size_t room_bytes) {
  std::vector<char> room(room_bytes);
  while (!expected.empty()) {
    const auto size = receive(fd, room);
    require(size > 0, "the stream ended early");
    require(size <= expected.size(), "more bytes than were sent");
    require(std::equal(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(size), expected.begin()),
            "received bytes differ from those sent");
    expected.remove_prefix(size);
  }
}

void receive_messages(int fd, std::span<const std::string> messages, const Receive& receive,
                      const std::function<void(std::size_t index)>& on_message) {
  std::string expected;
  std::vector<std::size_t> ends;
  for (const auto& message : messages) {
    expected += message;
    ends.push_back(expected.size());
  }
  std::size_t taken = 0, next = 0;
  const Receive counting = [&](int from, std::span<char> room) {
    for (; next < ends.size() && ends[next] <= taken; ++next) on_message(next);
    const auto size = receive(from, room);
    taken += size;
    return size;
  };
  receive_exactly(fd, expected, counting);
  for (; next < ends.size(); ++next) on_message(next);
}

void receive_end(int fd, const Receive& receive) {
  std::array<char, 64> room{};
  require(receive(fd, room) == 0, "bytes after the last message");
}

}  // namespace tracer::workload
