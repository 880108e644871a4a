// The kernel's proc connector: a socket on which it tells of every process that begins or ends.
#pragma once

#include <cstdint>
#include <vector>

#include "backends/procfs/process_message.h"
#include "core/base/result.h"
#include "core/base/unique_fd.h"

namespace tracer::procfs {

class ProcConnector {
 public:
  // Subscribes, and answers once an own child was heard to begin and end: outside the initial namespaces, and on some
  // kernels everywhere, the subscription is accepted and nothing is ever told.
  [[nodiscard]] static Result<ProcConnector> open(std::uint64_t self_test_ns_max);

  [[nodiscard]] int fd() const { return socket_.get(); }
  // Appends at most `count_max` messages to `found`; true if there may be more. Never blocks.
  [[nodiscard]] Result<bool> read(std::vector<ProcessMessage>& found, std::size_t count_max);
  // Makes the kernel tell something harmless of the caller: a ProcessMessage::Kind::renamed of its own process. Only
  // for the main thread.
  [[nodiscard]] static Result<void> provoke();
  // Times that the kernel found no room. How many messages each time cost is not known.
  [[nodiscard]] std::uint64_t overflows() const { return overflows_; }

 private:
  explicit ProcConnector(UniqueFd socket) : socket_(std::move(socket)) {}
  [[nodiscard]] Result<void> subscribe() const;
  [[nodiscard]] Result<void> self_test(std::uint64_t ns_max);

  UniqueFd socket_;
  std::uint64_t overflows_ = 0;
};

}  // namespace tracer::procfs
