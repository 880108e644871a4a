#include "tests/unit/procfs/live_support.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace tracer {
namespace {

// A failure here is the machine's, not the code's under test: say it and stop.
void require(bool condition, const char* what) {
  if (condition) return;
  std::perror(what);
  std::abort();
}

Endpoint endpoint_of(const sockaddr_storage& address) {
  Endpoint endpoint;
  if (address.ss_family == AF_INET) {
    sockaddr_in ipv4;
    std::memcpy(&ipv4, &address, sizeof ipv4);
    endpoint.address[10] = endpoint.address[11] = 0xff;
    std::memcpy(endpoint.address.data() + 12, &ipv4.sin_addr, 4);
    endpoint.port = ntohs(ipv4.sin_port);
  } else {
    sockaddr_in6 ipv6;
    std::memcpy(&ipv6, &address, sizeof ipv6);
    std::memcpy(endpoint.address.data(), &ipv6.sin6_addr, 16);
    endpoint.port = ntohs(ipv6.sin6_port);
  }
  return endpoint;
}

sockaddr_storage loopback_address(int family, std::uint16_t port, bool any) {
  sockaddr_storage address{};
  if (family == AF_INET) {
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(port);
    ipv4.sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK);
    std::memcpy(&address, &ipv4, sizeof ipv4);
  } else {
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(port);
    ipv6.sin6_addr = any ? in6addr_any : in6addr_loopback;
    std::memcpy(&address, &ipv6, sizeof ipv6);
  }
  return address;
}

const sockaddr* plain(const sockaddr_storage& address) { return reinterpret_cast<const sockaddr*>(&address); }
socklen_t size_of(const sockaddr_storage& address) {
  return address.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 512> buffer;
  for (;;) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

void write_all(int fd, const std::string& text) {
  require(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()), "write");
}

}  // namespace

Endpoint local_end(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  require(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  return endpoint_of(address);
}

Connection connect_over(Loopback loopback) {
  const int listen_family = loopback == Loopback::ipv4 ? AF_INET : AF_INET6;
  const int connect_family = loopback == Loopback::ipv6 ? AF_INET6 : AF_INET;
  Connection connection;
  connection.listener.reset(::socket(listen_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  require(static_cast<bool>(connection.listener), "socket");
  const auto bound = loopback_address(listen_family, 0, loopback == Loopback::ipv4_to_dual_stack);
  require(::bind(connection.listener.get(), plain(bound), size_of(bound)) == 0, "bind");
  require(::listen(connection.listener.get(), 8) == 0, "listen");
  connection.listening = local_end(connection.listener.get());
  connection.client.reset(::socket(connect_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto target = loopback_address(connect_family, connection.listening.port, false);
  require(::connect(connection.client.get(), plain(target), size_of(target)) == 0, "connect");
  connection.server.reset(::accept4(connection.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  require(static_cast<bool>(connection.server), "accept4");
  connection.client_end = local_end(connection.client.get());
  connection.server_end = local_end(connection.server.get());
  return connection;
}

bool has_ipv6_loopback() {
  const UniqueFd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = loopback_address(AF_INET6, 0, false);
  return socket && ::bind(socket.get(), plain(address), size_of(address)) == 0;
}

std::uint64_t inode_of(const UniqueFd& fd) {
  struct stat facts{};
  require(::fstat(fd.get(), &facts) == 0, "fstat");
  return facts.st_ino;
}

std::uint64_t own_namespace_inode(const char* kind) {
  struct stat facts{};
  require(::stat((std::string("/proc/self/ns/") + kind).c_str(), &facts) == 0, "stat /proc/self/ns");
  return facts.st_ino;
}

std::string own_comm() {
  char name[16]{};
  require(::prctl(PR_GET_NAME, name) == 0, "prctl");
  return name;
}

std::string in_child(const std::function<std::string()>& body) {
  int ends[2];
  require(::pipe(ends) == 0, "pipe");
  const pid_t child = ::fork();
  require(child >= 0, "fork");
  if (child == 0) {
    ::close(ends[0]);
    write_all(ends[1], body());
    ::_exit(0);
  }
  ::close(ends[1]);
  const UniqueFd from_child(ends[0]);
  std::string said = read_all(from_child.get());
  int status = 0;
  require(::waitpid(child, &status, 0) == child, "waitpid");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) said += " [died: wait status " + std::to_string(status) + "]";
  return said;
}

WaitingChild::WaitingChild(const std::function<std::string()>& body) {
  int answer[2];
  int hold[2];
  require(::pipe(answer) == 0 && ::pipe(hold) == 0, "pipe");
  pid_ = ::fork();
  require(pid_ >= 0, "fork");
  if (pid_ == 0) {
    ::close(answer[0]);
    ::close(hold[1]);
    write_all(answer[1], body());
    ::close(answer[1]);
    (void)read_all(hold[0]);  // until the parent closes its end
    ::_exit(0);
  }
  ::close(answer[1]);
  ::close(hold[0]);
  hold_.reset(hold[1]);
  const UniqueFd from_child(answer[0]);
  said_ = read_all(from_child.get());
}

WaitingChild::~WaitingChild() {
  hold_.reset();
  ::waitpid(pid_, nullptr, 0);
}

std::string enter_new_network_namespace() {
  if (::unshare(CLONE_NEWNET) != 0) return errno == EPERM ? not_allowed : std::strerror(errno);
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return std::strerror(errno);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return std::strerror(errno);
  return "";
}

}  // namespace tracer
