// A pipe as the stdio stream that libpcap reads captures from, which can say whether a read would wait.
//
// stdio reads ahead for as long as its buffer has room, and what it has it does not tell: a capture that grows slowly
// would be seen in lumps. Here the buffer is ours.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdio>
#include <memory>
#include <vector>

#include "core/base/result.h"
#include "core/base/unique_fd.h"

namespace tracer {

class PipeStream {
 public:
  PipeStream(UniqueFd pipe, std::size_t buffer_bytes) : pipe_(std::move(pipe)), buffer_(buffer_bytes) {}

  // The stream must be closed before this object goes. Its reads fail with EINTR when a signal comes while they wait.
  [[nodiscard]] Result<std::FILE*> open();
  // The next read returns at once: with bytes, the end, or an error.
  [[nodiscard]] bool ready() const;
  // Readable when the pipe is; -1: it cannot be waited for. Not the pipe itself: whoever waits may make a descriptor
  // non-blocking, and other processes share this one.
  [[nodiscard]] int fd() const { return waiter_.get(); }

 private:
  static ssize_t read(void* self, char* to, std::size_t size);

  UniqueFd pipe_, waiter_;
  std::vector<char> buffer_;
  std::size_t next_ = 0, end_ = 0;
};

}  // namespace tracer
