#include "cli/doctor_traffic.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

namespace tracer::cli {
namespace {

// Whoever looks only now and then must get a chance to see the connection and the program.
constexpr long pause_ns = 150'000'000;
// After the last request: a slow machine lists its sockets less often than that.
constexpr int last_pauses = 4;

// What runs in the children allocates nothing: other threads of the parent may have held the allocator's lock.
void pause_a_moment() {
  const timespec moment{0, pause_ns};
  ::nanosleep(&moment, nullptr);
}

void give_up_after_a_while() {
  constexpr unsigned seconds = 10;
  ::signal(SIGALRM, SIG_DFL);
  ::alarm(seconds);
}

[[noreturn]] void serve(int listener) {
  give_up_after_a_while();
  constexpr char response[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";
  const int connection = ::accept(listener, nullptr, nullptr);
  std::array<char, 1024> request{};
  std::size_t held = 0;
  while (connection >= 0) {
    const ssize_t got = ::read(connection, request.data() + held, request.size() - held);
    if (got <= 0) break;
    held += static_cast<std::size_t>(got);
    if (held < 4 || std::memcmp(request.data() + held - 4, "\r\n\r\n", 4) != 0) continue;
    held = 0;
    if (::write(connection, response, sizeof response - 1) < 0) break;
  }
  ::_exit(0);
}

[[noreturn]] void ask(const sockaddr_in& server, std::string_view request, const char* opened) {
  give_up_after_a_while();
  // Stays open: some can only look afterwards which file it was.
  const int file = ::open(opened, O_RDONLY | O_CLOEXEC);
  // As a library is; stays mapped for the same reason.
  constexpr std::size_t mapped_bytes = 4096;
  if (file >= 0) ::mmap(nullptr, mapped_bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(connection, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) ::_exit(1);
  std::array<char, 1024> response{};
  for (unsigned i = 0; i < trial_requests; ++i) {
    if (::write(connection, request.data(), request.size()) < 0) ::_exit(1);
    if (::read(connection, response.data(), response.size()) <= 0) ::_exit(1);
    pause_a_moment();
  }
  for (int i = 0; i < last_pauses; ++i) pause_a_moment();
  ::close(connection);
  ::_exit(0);
}

[[noreturn]] void execute(int output, char* const* words) {
  give_up_after_a_while();
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::execv(words[0], words);
  ::_exit(127);
}

std::unexpected<Error> failed(std::string_view what) { return std::unexpected(os_failure(errno, what)); }

}  // namespace

std::string trial_file() {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  const std::string own(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return ::access(own.c_str(), R_OK) == 0 ? own : "/etc/hostname";
}

Result<TrialTraffic> TrialTraffic::start(const std::string& path, std::vector<std::string> program) {
  TrialTraffic traffic;
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (!listener || ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return failed("listen on the loopback interface");
  traffic.port_ = ntohs(address.sin_port);
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(traffic.port_) +
                              "\r\nUser-Agent: tracer-doctor\r\n\r\n";

  // A full pipe holds the program up at its first output.
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failed("make a pipe");
  traffic.program_output_ = UniqueFd(ends[0]);
  const UniqueFd input(ends[1]);
  ::fcntl(input.get(), F_SETFL, O_NONBLOCK);
  constexpr std::array<char, 4096> filler{};
  while (::write(input.get(), filler.data(), filler.size()) > 0) {
  }
  while (::write(input.get(), filler.data(), 1) > 0) {
  }
  ::fcntl(input.get(), F_SETFL, 0);
  std::vector<char*> words;
  for (std::string& word : program) words.push_back(word.data());
  words.push_back(nullptr);

  const std::string file = trial_file();

  for (int i = 0; i < 3; ++i) {
    const pid_t child = ::fork();
    if (child < 0) return failed("start a process");
    if (child != 0) {
      traffic.children_.push_back(child);
    } else if (i == 0) {
      serve(listener.get());
    } else if (i == 1) {
      ask(address, request, file.c_str());
    } else {
      execute(input.get(), words.data());
    }
  }
  return traffic;
}

TrialTraffic::~TrialTraffic() {
  let_go();
  if (children_.size() == 3) {
    // The server ends with its client, and the program by itself; neither is waited for if the client hangs.
    for (const pid_t child : children_)
      if (child > 0) ::kill(child, SIGKILL);
  }
  for (const pid_t child : children_) {
    while (child > 0 && ::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

bool TrialTraffic::client_failed() {
  int status = 0;
  if (!client_status_ && ::waitpid(children_[1], &status, WNOHANG) == children_[1]) {
    client_status_ = status;
    children_[1] = 0;
  }
  return client_status_.value_or(0) != 0;
}

// Its end is awaited as soon as it came: /proc lists a process until then.
void TrialTraffic::let_go() {
  program_output_.reset();
  if (children_.size() == 3 && children_[2] > 0 && ::waitpid(children_[2], nullptr, WNOHANG) == children_[2])
    children_[2] = 0;
}

}  // namespace tracer::cli
