#include "cli/child.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace tracer::cli {
namespace {

struct Pipe {
  UniqueFd out, in;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::unexpected(os_failure(errno, "make a pipe"));
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// In the child. What it inherits from the tracer's start is what the command would have had without the tracer.
[[noreturn]] void become(char* const* words, int output_fd, int go, int failure) {
  char ready = 0;
  ssize_t got = 0;
  do {
    got = ::read(go, &ready, 1);
  } while (got < 0 && errno == EINTR);
  if (got != 1) ::_exit(127);  // the tracer gave up
  ::signal(SIGPIPE, SIG_DFL);
  ::dup2(output_fd, STDOUT_FILENO);
  ::execvp(words[0], words);
  const int reason = errno;
  [[maybe_unused]] const ssize_t told = ::write(failure, &reason, sizeof reason);
  ::_exit(127);
}

}  // namespace

Result<Child> Child::start(std::vector<std::string> words, int output_fd) {
  auto go = make_pipe();
  if (!go) return std::unexpected(go.error());
  auto failure = make_pipe();
  if (!failure) return std::unexpected(failure.error());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  Child child;
  child.name_ = words.front();
  child.pid_ = ::fork();
  if (child.pid_ < 0) return std::unexpected(os_failure(errno, "start a process"));
  if (child.pid_ == 0) {
    // Else its own end would keep it waiting for a tracer that is gone.
    ::close(go->in.get());
    become(pointers.data(), output_fd, go->out.get(), failure->in.get());
  }
  ::signal(SIGPIPE, SIG_IGN);  // it may be gone when it is released
  child.go_ = std::move(go->in);
  child.failure_ = std::move(failure->out);
  return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      name_(std::move(other.name_)),
      go_(std::move(other.go_)),
      failure_(std::move(other.failure_)),
      released_(other.released_),
      status_(other.status_) {}

Child::~Child() {
  if (pid_ == 0 || released_) return;
  go_.reset();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<void> Child::release() {
  constexpr char ready = 1;
  const ssize_t written = ::write(go_.get(), &ready, 1);
  go_.reset();
  released_ = true;
  int reason = written == 1 ? 0 : EPIPE;
  ssize_t got = 0;
  do {  // its end is closed by the exec
    got = ::read(failure_.get(), &reason, sizeof reason);
  } while (got < 0 && errno == EINTR);
  failure_.reset();
  if (reason == 0) return {};
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(pid_, &status, 0);
  } while (ended < 0 && errno == EINTR);
  if (ended == pid_) status_ = status;
  Error error = os_failure(reason, "cannot run '" + name_ + "'");
  error.suggestion = "tracer profile -- /bin/ls";
  return std::unexpected(std::move(error));
}

std::optional<int> Child::status() {
  int status = 0;
  if (!status_ && pid_ != 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return status_;
}

void Child::signal(int number) {
  if (!status() && pid_ != 0) ::kill(pid_, number);
}

}  // namespace tracer::cli
