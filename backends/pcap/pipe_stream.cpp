#include "backends/pcap/pipe_stream.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tracer {

Result<std::FILE*> PipeStream::open() {
  std::FILE* stream = ::fopencookie(this, "rb", {.read = &PipeStream::read, .write = {}, .seek = {}, .close = {}});
  if (stream == nullptr) return std::unexpected(os_failure(errno, "open a stream"));
  std::setvbuf(stream, nullptr, _IONBF, 0);
  UniqueFd waiter(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event readable{.events = EPOLLIN, .data = {}};
  if (waiter && ::epoll_ctl(waiter.get(), EPOLL_CTL_ADD, pipe_.get(), &readable) == 0) waiter_ = std::move(waiter);
  return stream;
}

bool PipeStream::ready() const {
  if (next_ < end_) return true;
  pollfd entry{pipe_.get(), POLLIN, 0};
  return ::poll(&entry, 1, 0) != 0;
}

ssize_t PipeStream::read(void* self, char* to, std::size_t size) {
  auto& stream = *static_cast<PipeStream*>(self);
  if (stream.next_ == stream.end_) {
    ssize_t got = ::read(stream.pipe_.get(), stream.buffer_.data(), stream.buffer_.size());
    if (got < 0 && errno == EAGAIN) {  // whoever gave it made it non-blocking
      pollfd entry{stream.pipe_.get(), POLLIN, 0};
      if (::poll(&entry, 1, -1) < 0) return -1;
      got = ::read(stream.pipe_.get(), stream.buffer_.data(), stream.buffer_.size());
    }
    if (got <= 0) return got;
    stream.next_ = 0;
    stream.end_ = static_cast<std::size_t>(got);
  }
  const std::size_t taken = std::min(size, stream.end_ - stream.next_);
  std::memcpy(to, stream.buffer_.data() + stream.next_, taken);
  stream.next_ += taken;
  return static_cast<ssize_t>(taken);
}

}  // namespace tracer
