#include "cli/output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace tracer::cli {
namespace {

constexpr std::size_t chunk_bytes = 64u << 10;    // a pipe's default capacity
constexpr std::size_t terminal_room_bytes = 256;  // a terminal that polls writable takes at least this

int reopened(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

short poll_events(int fd, short wanted) {
  pollfd entry{fd, wanted, 0};
  return ::poll(&entry, 1, 0) < 0 ? short{0} : entry.revents;
}

}  // namespace

OutputQueue::OutputQueue(int fd, OutputLimits limits) : limits_(limits), fd_(fd) { choose_kind(fd); }

void OutputQueue::choose_kind(int fd) {
  struct stat facts{};
  if (::fstat(fd, &facts) != 0) {
    error_ = os_failure(errno, "standard output");
    state_ = OutputState::failed;
    return;
  }
  is_pipe_ = S_ISFIFO(facts.st_mode);
  if (S_ISSOCK(facts.st_mode)) {
    kind_ = Kind::socket;
  } else if (is_pipe_ || ::isatty(fd) == 1) {
    own_fd_.reset(reopened(fd));
    if (own_fd_) {
      fd_ = own_fd_.get();
      kind_ = is_pipe_ ? Kind::pipe : Kind::stream;
    } else if (is_pipe_ && errno == ENXIO) {  // the last reader is gone already
      state_ = OutputState::closed;
    } else {
      kind_ = Kind::careful;
    }
  }
}

Result<UniqueFd> OutputQueue::open_file(const std::string& path) {
  // O_NONBLOCK: opening a FIFO that nobody reads must not hang.
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
  if (fd) return fd;
  Error error = os_failure(errno, "cannot write to '" + path + "'");
  error.suggestion = error.os_error == ENXIO ? "cat '" + path + "'   (a reader, first)" : "tracer -o /tmp/trace.json";
  return std::unexpected(std::move(error));
}

bool OutputQueue::has_room(std::size_t bytes) const {
  if (state_ == OutputState::closed || state_ == OutputState::failed) return false;
  return bytes <= limits_.queued_bytes_max - std::min(queued_bytes_, limits_.queued_bytes_max);
}

bool OutputQueue::append(std::string_view record) {
  if (!has_room(record.size())) {
    ++counts_.dropped;
    counts_.dropped_bytes += record.size();
    return false;
  }
  if (chunks_.empty() || chunks_.back().size() + record.size() > chunk_bytes) {
    chunks_.push_back(std::move(spare_));
    spare_ = {};
    chunks_.back().clear();
    chunks_.back().reserve(chunk_bytes);
  }
  chunks_.back() += record;
  queued_bytes_ += record.size();
  ++counts_.accepted;
  return true;
}

// A pipe takes PIPE_BUF bytes in one piece or not at all, and an empty one takes a chunk. Cutting there, behind a line,
// means that a reader who is given up on was never handed half a record (unless the record alone is longer).
std::size_t OutputQueue::write_size(std::string_view pending) const {
  std::size_t room = pending.size();
  if (is_pipe_) {
    int unread = 1;
    if (kind_ == Kind::careful || ::ioctl(fd_, FIONREAD, &unread) != 0 || unread != 0) room = PIPE_BUF;
    room = std::min(room, chunk_bytes);
  } else if (kind_ == Kind::careful) {
    return std::min(room, terminal_room_bytes);
  }
  if (pending.size() <= room) return pending.size();
  const std::size_t last_line = pending.rfind('\n', room - 1);
  return last_line == std::string_view::npos ? room : last_line + 1;
}

long OutputQueue::write_some(std::string_view bytes) const {
  if (kind_ == Kind::socket) return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (kind_ == Kind::careful && (poll_events(fd_, POLLOUT) & (POLLOUT | POLLERR)) == 0) {
    errno = EAGAIN;
    return -1;
  }
  return ::write(fd_, bytes.data(), bytes.size());
}

void OutputQueue::consume(std::size_t bytes) {
  head_ += bytes;
  queued_bytes_ -= bytes;
  if (head_ < chunks_.front().size()) return;
  if (chunks_.front().capacity() <= 2 * chunk_bytes) spare_ = std::move(chunks_.front());
  chunks_.pop_front();
  head_ = 0;
}

OutputState OutputQueue::written(long result) {
  if (result > 0) {
    consume(static_cast<std::size_t>(result));
    return OutputState::ok;
  }
  if (result == 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return OutputState::behind;
  if (errno == EPIPE || errno == ECONNRESET) return OutputState::closed;
  error_ = os_failure(errno, "writing the output");
  return OutputState::failed;
}

OutputState OutputQueue::flush() {
  if (state_ == OutputState::closed || state_ == OutputState::failed) return state_;
  state_ = OutputState::ok;
  while (state_ == OutputState::ok && queued_bytes_ != 0) {
    const std::string_view pending = std::string_view(chunks_.front()).substr(head_);
    state_ = written(write_some(pending.substr(0, write_size(pending))));
  }
  return state_;
}

OutputState OutputQueue::check() {
  if (state_ == OutputState::closed || state_ == OutputState::failed || kind_ == Kind::plain) return state_;
  const short events = poll_events(fd_, 0);
  if ((events & (POLLERR | POLLHUP)) != 0) state_ = OutputState::closed;
  return state_;
}

void OutputQueue::abandon() {
  // A line that was begun is kept, so that what may still come does not follow half a record.
  std::string rest;
  if (head_ != 0 && !chunks_.empty() && chunks_.front()[head_ - 1] != '\n' && state_ != OutputState::failed) {
    rest = chunks_.front().substr(head_, chunks_.front().find('\n', head_) + 1 - head_);
    head_ += rest.size();
  }
  bool first = true;
  for (const std::string& chunk : chunks_) {
    const auto from = chunk.begin() + static_cast<std::ptrdiff_t>(first ? head_ : 0);
    counts_.unwritten += static_cast<std::uint64_t>(std::count(from, chunk.end(), '\n'));
    first = false;
  }
  chunks_.clear();
  head_ = 0;
  queued_bytes_ = rest.size();
  if (!rest.empty()) chunks_.push_back(std::move(rest));
}

}  // namespace tracer::cli
