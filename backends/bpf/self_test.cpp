#include "backends/bpf/self_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/base/unique_fd.h"

namespace tracer {
namespace {

sockaddr* generic(sockaddr_in* address) { return reinterpret_cast<sockaddr*>(address); }

}  // namespace

Result<std::uint16_t> loopback_exchange() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  const auto failed = [](const char* what) { return std::unexpected(os_failure(errno, what)); };

  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener || !client) return failed("self-test: socket");
  if (::bind(listener.get(), generic(&address), sizeof(address)) != 0) return failed("self-test: bind to loopback");
  if (::listen(listener.get(), 1) != 0) return failed("self-test: listen");
  if (::getsockname(listener.get(), generic(&address), &size) != 0) return failed("self-test: getsockname");
  // Over loopback the handshake is over when connect returns, blocking or not.
  if (::connect(client.get(), generic(&address), sizeof(address)) != 0 && errno != EINPROGRESS)
    return failed("self-test: connect over loopback");
  timeval patience{0, 200'000};
  ::setsockopt(listener.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  const UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!server) return failed("self-test: accept");
  ::setsockopt(server.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (::write(client.get(), self_test_text.data(), self_test_text.size()) !=
      static_cast<ssize_t>(self_test_text.size()))
    return failed("self-test: write");
  std::array<char, 64> received{};
  if (::read(server.get(), received.data(), received.size()) != static_cast<ssize_t>(self_test_text.size()))
    return failed("self-test: read");
  return ntohs(address.sin_port);
}

std::string failing_open(std::uint32_t nonce) {
  const std::string path = "/tracer-self-test-" + std::to_string(nonce);
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return path;
}

PidNamespace foreign_pid_namespace() {
  constexpr ino_t initial = 0xEFFFFFFC;  // PROC_PID_INIT_INO
  struct stat facts{};
  if (::stat("/proc/self/ns/pid", &facts) != 0 || facts.st_ino == initial) return {};
  return {facts.st_dev, facts.st_ino};
}

}  // namespace tracer
