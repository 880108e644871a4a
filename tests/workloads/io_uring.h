// io_uring without a library: one operation at a time, by raw system calls, so that the program stays one static file.
#pragma once

#include <linux/io_uring.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/base/unique_fd.h"

namespace tracer::workload {

struct RingOptions {
  std::uint32_t setup_flags = 0;     // IORING_SETUP_*
  std::uint8_t operation_flags = 0;  // IOSQE_*: for every operation
};

// Why a ring with these flags, or one of these operations, cannot be had here; empty: it can.
[[nodiscard]] std::string io_uring_refusal(std::uint32_t setup_flags, std::span<const io_uring_op> operations);

// Memory shared with the kernel.
class RingMapping {
 public:
  RingMapping(int ring, off_t what, std::size_t bytes);
  ~RingMapping();
  RingMapping(const RingMapping&) = delete;
  RingMapping& operator=(const RingMapping&) = delete;

  template <typename T>
  [[nodiscard]] T* at(std::uint32_t offset) const {
    return reinterpret_cast<T*>(static_cast<char*>(memory_) + offset);
  }

 private:
  void* memory_;
  std::size_t bytes_;
};

// Belongs to the process that made it. Gives up on anything but the failure of an operation itself.
class Ring {
 public:
  explicit Ring(const RingOptions& options = {});

  // Submits one operation, waits until it is complete and returns its result: negative for an errno.
  [[nodiscard]] int run(io_uring_sqe operation);

 private:
  void submit();
  void register_file(int fd);

  RingOptions options_;
  io_uring_params params_{};
  UniqueFd fd_;
  RingMapping submission_, completion_, operations_;
  int registered_fd_ = -1;
};

[[nodiscard]] io_uring_sqe operation(io_uring_op code, int fd, const void* address, std::size_t size);

}  // namespace tracer::workload
