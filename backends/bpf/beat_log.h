// Which of the own signs of life came back. Pure; times are CLOCK_MONOTONIC.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "core/backend.h"

namespace tracer {

class BeatLog {
 public:
  // `parts`: a bit for each thing that must be seen before a beat counts as seen.
  explicit BeatLog(std::uint32_t parts = 1) : parts_(parts) {}

  void sent(std::uint64_t now_ns) {
    if (waiting_.size() == waiting_max) waiting_.pop_front();  // given up: never seen
    waiting_.push_back({now_ns, 0});
    ++beats_.sent;
  }
  // Something that happened at `at_ns` answers the youngest beat sent before; those before that one were missed. Copies
  // of a program answer several times: one beat is seen once.
  void answered(std::uint64_t at_ns, std::uint32_t part = 1) {
    while (waiting_.size() > 1 && waiting_[1].sent_ns <= at_ns) waiting_.pop_front();
    if (waiting_.empty() || waiting_.front().sent_ns > at_ns) return;
    waiting_.front().seen |= part;
    if ((waiting_.front().seen & parts_) != parts_) return;
    waiting_.pop_front();
    ++beats_.seen;
  }
  [[nodiscard]] Beats beats() const { return beats_; }

 private:
  static constexpr std::size_t waiting_max = 64;
  struct Waiting {
    std::uint64_t sent_ns = 0;
    std::uint32_t seen = 0;
  };
  std::uint32_t parts_;
  std::deque<Waiting> waiting_;
  Beats beats_;
};

}  // namespace tracer
