#include "tests/workloads/io_uring.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "tests/workloads/transport.h"

namespace tracer::workload {
namespace {

constexpr std::uint32_t entries = 4;
constexpr std::uint32_t operations_max = 256;      // the kernel's limit for IORING_REGISTER_PROBE
constexpr std::uint32_t poll_thread_idle_ms = 20;  // short, so that it also falls asleep and must be woken

int setup(io_uring_params& params) { return static_cast<int>(::syscall(SYS_io_uring_setup, entries, &params)); }

int enter(int ring, std::uint32_t submitted, std::uint32_t completions_min, std::uint32_t flags) {
  return static_cast<int>(
      ::syscall(SYS_io_uring_enter, ring, submitted, completions_min, flags, nullptr, std::size_t{0}));
}

int register_with(int ring, std::uint32_t what, void* argument, std::uint32_t count) {
  return static_cast<int>(::syscall(SYS_io_uring_register, ring, what, argument, count));
}

io_uring_params params_for(std::uint32_t setup_flags) {
  io_uring_params params{};
  params.flags = setup_flags;
  params.sq_thread_idle = poll_thread_idle_ms;
  return params;
}

std::uint32_t load(std::uint32_t* shared) { return std::atomic_ref(*shared).load(std::memory_order_acquire); }
void store(std::uint32_t* shared, std::uint32_t value) {
  std::atomic_ref(*shared).store(value, std::memory_order_release);
}

}  // namespace

std::string io_uring_refusal(std::uint32_t setup_flags, std::span<const io_uring_op> operations) {
  auto params = params_for(setup_flags);
  const UniqueFd ring(setup(params));
  if (!ring) {
    if (errno == ENOSYS) return "this kernel has no io_uring";
    if (errno == EPERM)
      return "io_uring is forbidden here: sysctl kernel.io_uring_disabled, a seccomp filter, or no root";
    return std::string("io_uring_setup: ") + std::strerror(errno);
  }
  // A header, then an entry for each operation.
  alignas(io_uring_probe) std::array<char, sizeof(io_uring_probe) + operations_max * sizeof(io_uring_probe_op)> known{};
  if (register_with(ring.get(), IORING_REGISTER_PROBE, known.data(), operations_max) != 0) {
    return "this kernel's io_uring does not say what it can do";  // before 5.6: it cannot send and receive either
  }
  for (const auto code : operations) {
    io_uring_probe_op answer{};
    std::memcpy(&answer, known.data() + sizeof(io_uring_probe) + code * sizeof(answer), sizeof(answer));
    if ((answer.flags & IO_URING_OP_SUPPORTED) == 0) {
      return "this kernel's io_uring has no operation " + std::to_string(code);
    }
  }
  return {};
}

RingMapping::RingMapping(int ring, off_t what, std::size_t bytes)
    : memory_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, what)), bytes_(bytes) {
  require(memory_ != MAP_FAILED, "mmap of a ring");
}

RingMapping::~RingMapping() { ::munmap(memory_, bytes_); }

Ring::Ring(const RingOptions& options)
    : options_(options),
      params_(params_for(options.setup_flags)),
      fd_(setup(params_)),
      submission_(fd_.get(), IORING_OFF_SQ_RING, params_.sq_off.array + params_.sq_entries * sizeof(std::uint32_t)),
      completion_(fd_.get(), IORING_OFF_CQ_RING, params_.cq_off.cqes + params_.cq_entries * sizeof(io_uring_cqe)),
      operations_(fd_.get(), IORING_OFF_SQES, params_.sq_entries * sizeof(io_uring_sqe)) {}

int Ring::run(io_uring_sqe operation) {
  operation.flags |= options_.operation_flags;
  if ((operation.flags & IOSQE_FIXED_FILE) != 0) {
    register_file(operation.fd);
    operation.fd = 0;  // the index, not the descriptor
  }
  auto* tail = submission_.at<std::uint32_t>(params_.sq_off.tail);
  const auto at = *tail & *submission_.at<std::uint32_t>(params_.sq_off.ring_mask);
  operations_.at<io_uring_sqe>(0)[at] = operation;
  submission_.at<std::uint32_t>(params_.sq_off.array)[at] = at;
  store(tail, *tail + 1);
  submit();

  auto* head = completion_.at<std::uint32_t>(params_.cq_off.head);
  while (load(completion_.at<std::uint32_t>(params_.cq_off.tail)) == *head) {
    require(enter(fd_.get(), 0, 1, IORING_ENTER_GETEVENTS) >= 0 || errno == EINTR, "io_uring_enter to wait");
  }
  const auto mask = *completion_.at<std::uint32_t>(params_.cq_off.ring_mask);
  const int result = completion_.at<io_uring_cqe>(params_.cq_off.cqes)[*head & mask].res;
  store(head, *head + 1);
  return result;
}

void Ring::submit() {
  if ((options_.setup_flags & IORING_SETUP_SQPOLL) == 0) {
    require(enter(fd_.get(), 1, 0, 0) == 1, "io_uring_enter to submit");
    return;
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);  // the kernel's thread reads the tail after it sets the flag
  if ((load(submission_.at<std::uint32_t>(params_.sq_off.flags)) & IORING_SQ_NEED_WAKEUP) == 0) return;
  require(enter(fd_.get(), 1, 0, IORING_ENTER_SQ_WAKEUP) >= 0, "io_uring_enter to wake");
}

void Ring::register_file(int fd) {
  if (fd == registered_fd_) return;
  if (registered_fd_ >= 0) {
    require(register_with(fd_.get(), IORING_UNREGISTER_FILES, nullptr, 0) == 0, "IORING_UNREGISTER_FILES");
  }
  require(register_with(fd_.get(), IORING_REGISTER_FILES, &fd, 1) == 0, "IORING_REGISTER_FILES");
  registered_fd_ = fd;
}

io_uring_sqe operation(io_uring_op code, int fd, const void* address, std::size_t size) {
  io_uring_sqe made{};
  made.opcode = static_cast<std::uint8_t>(code);
  made.fd = fd;
  made.addr = reinterpret_cast<std::uintptr_t>(address);
  made.len = static_cast<std::uint32_t>(size);
  return made;
}

}  // namespace tracer::workload
