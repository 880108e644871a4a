// The kernel's notice of every TCP socket that it destroys, with the last word on its counters. The socket's process is
// gone from it by then. Of the network namespace that the tracer was started in.
#pragma once

#include <cstdint>
#include <vector>

#include "backends/procfs/diag_message.h"
#include "core/base/result.h"
#include "core/base/unique_fd.h"

namespace tracer::procfs {

class DestroyWatch {
 public:
  [[nodiscard]] static Result<DestroyWatch> open();

  [[nodiscard]] int fd() const { return socket_.get(); }
  // Appends at most `count_max` sockets to `found`; true if there may be more. Never blocks.
  [[nodiscard]] Result<bool> read(std::vector<MeasuredSocket>& found, std::size_t count_max);
  // Times that the kernel found no room. How many notices each time cost is not known.
  [[nodiscard]] std::uint64_t overflows() const { return overflows_; }

 private:
  explicit DestroyWatch(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
  std::uint64_t overflows_ = 0;
};

}  // namespace tracer::procfs
