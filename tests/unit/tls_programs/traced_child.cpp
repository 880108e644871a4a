#include "tests/unit/tls_programs/traced_child.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

namespace tracer {

Connection connect_to_self() {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  Connection made;
  made.client.reset(::socket(AF_INET, SOCK_STREAM, 0));
  if (::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), generic, &size) != 0 || ::connect(made.client.get(), generic, size) != 0)
    ::_exit(3);
  made.server.reset(::accept(listener.get(), nullptr, nullptr));
  if (!made.server || ::getsockname(made.client.get(), generic, &size) != 0) ::_exit(4);
  made.client_port = ntohs(address.sin_port);
  return made;
}

void send_some(const UniqueFd& end, std::size_t bytes) {
  const std::vector<char> some(bytes, '~');
  if (::send(end.get(), some.data(), bytes, MSG_NOSIGNAL) != static_cast<ssize_t>(bytes)) ::_exit(5);
}

void receive_some(const UniqueFd& end, std::size_t bytes) {
  std::vector<char> some(bytes);
  if (::recv(end.get(), some.data(), bytes, MSG_WAITALL) != static_cast<ssize_t>(bytes)) ::_exit(6);
}

void TracedChild::Parent::wait() const {
  char word = 0;
  if (::read(word_fd_, &word, 1) != 1) ::_exit(7);
}

void TracedChild::Parent::tell(std::uint32_t number) const {
  if (::write(number_fd_, &number, sizeof(number)) != sizeof(number)) ::_exit(8);
}

TracedChild::TracedChild(const std::function<void(const Parent&)>& work) {
  int words[2], numbers[2];
  if (::pipe2(words, O_CLOEXEC) != 0 || ::pipe2(numbers, O_CLOEXEC) != 0) std::abort();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(words[1]);
    ::close(numbers[0]);
    work(Parent(words[0], numbers[1]));
    ::_exit(0);
  }
  ::close(words[0]);
  ::close(numbers[1]);
  word_.reset(words[1]);
  number_.reset(numbers[0]);
}

TracedChild::~TracedChild() {
  word_.reset();
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

void TracedChild::let_go() {
  if (::write(word_.get(), "g", 1) != 1) std::abort();
}

std::uint32_t TracedChild::hear() const {
  std::uint32_t number = 0;
  return ::read(number_.get(), &number, sizeof(number)) == sizeof(number) ? number : 0;
}

bool TracedChild::ends_well() {
  int status = 0;
  if (pid_ <= 0 || ::waitpid(pid_, &status, 0) != pid_) return false;
  pid_ = -1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace tracer
