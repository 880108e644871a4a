// Where finished records wait for their reader. Capture never waits for a reader: a record that finds the queue full is
// dropped as a whole, and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/unique_fd.h"

namespace tracer::cli {

struct OutputLimits {
  std::size_t queued_bytes_max = 8u << 20;
};

struct OutputCounts {
  std::uint64_t accepted = 0;  // records taken into the queue
  std::uint64_t dropped = 0;   // records that found no room
  std::uint64_t dropped_bytes = 0;
  std::uint64_t unwritten = 0;  // of the accepted ones, those given up by abandon()
};

enum class OutputState : std::uint8_t {
  ok,      // everything queued was written
  behind,  // the reader takes no more now
  closed,  // there is no reader any more
  failed,  // writing failed: error()
};

class OutputQueue {
 public:
  // Writes to a descriptor that stays the caller's. Its flags are not changed: they belong to everyone who shares it.
  OutputQueue(int fd, OutputLimits limits = {});

  // Creates or truncates `path`; a new file has mode 0600, because traces hold other people's traffic.
  [[nodiscard]] static Result<UniqueFd> open_file(const std::string& path);

  // Whether append() would take so much.
  [[nodiscard]] bool has_room(std::size_t bytes) const;
  // Takes one record: whole lines. False: there is no room (or no reader any more), so it was dropped.
  bool append(std::string_view record);

  // Writes what the reader takes without waiting.
  OutputState flush();
  // Whether there is still a reader, without writing anything: `tracer | head -1` must end on an idle machine too.
  OutputState check();
  // The queue is given up; whole records that are left in it count as unwritten. What completes a record that was
  // written in part stays.
  void abandon();

  // To wait on for writability while behind; -1: the descriptor cannot be waited for, it never makes one wait.
  [[nodiscard]] int wait_fd() const { return kind_ == Kind::plain ? -1 : fd_; }
  [[nodiscard]] OutputState state() const { return state_; }
  [[nodiscard]] const Error& error() const { return error_; }
  [[nodiscard]] std::size_t queued_bytes() const { return queued_bytes_; }
  [[nodiscard]] const OutputCounts& counts() const { return counts_; }

 private:
  enum class Kind : std::uint8_t {
    plain,    // regular files and devices like /dev/null: write(2) is the whole story
    pipe,     // own non-blocking description
    socket,   // MSG_DONTWAIT
    stream,   // terminals, own non-blocking description
    careful,  // could not be reopened: poll(2) first, then no more than surely fits
  };

  void choose_kind(int fd);
  [[nodiscard]] std::size_t write_size(std::string_view pending) const;
  [[nodiscard]] long write_some(std::string_view bytes) const;
  OutputState written(long result);
  void consume(std::size_t bytes);

  OutputLimits limits_;
  UniqueFd own_fd_;
  int fd_ = -1;
  Kind kind_ = Kind::plain;
  bool is_pipe_ = false;
  std::deque<std::string> chunks_;
  std::string spare_;     // one chunk kept, so that steady output does not allocate
  std::size_t head_ = 0;  // bytes of the first chunk that are written
  std::size_t queued_bytes_ = 0;
  OutputCounts counts_;
  OutputState state_ = OutputState::ok;
  Error error_;
};

}  // namespace tracer::cli
