// One direction of one connection, as seen by up to two observers: the sender's TX calls and the receiver's RX calls.
// Whatever their order, overlap or holes, it delivers every offset exactly once and in order, as bytes or as a gap.
//
// Of bytes told twice the first win. A hole in one observer is filled by the other at the same offset. A hole becomes a
// gap when nobody can fill it any more:
//   - an observer that brings bytes says that they were not wanted (verdict_skip), or
//   - each observer has declared a gap there, has ended, is not there, or was told to bring no bytes, or
//   - an observer that has passed it without a word does not bring it within `hold_ns` of event time (one on the wire
//   is
//     waited for until it says so itself: a segment may be sent again seconds later), or
//   - too much is held behind it.
// An observer that has not come that far yet is waited for without a deadline: a slow reader is not a loss.
// In-order bytes are delivered straight from the borrowed memory, without a copy or an allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/analyzer.h"
#include "core/event.h"
#include "core/stream_observer.h"

namespace tracer {

// Which end of the connection tells of this stream.
enum class Observer : std::uint8_t { sender, receiver };
[[nodiscard]] constexpr Observer other(Observer observer) {
  return observer == Observer::sender ? Observer::receiver : Observer::sender;
}

class StreamOutput {
 public:
  virtual void on_stream_bytes(Side side, std::uint64_t offset, Bytes bytes, EventTime at) = 0;
  virtual void on_stream_gap(Side side, std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at) = 0;
  virtual void on_stream_end(Side side, StreamEnd end, EventTime at) = 0;

 protected:
  ~StreamOutput() = default;
};

// Stream offsets of sequence-numbered flows start here, so that joining an observer that extended its numbers
// differently never goes below zero. A multiple of 2^32: the low half stays the number on the wire.
inline constexpr std::uint64_t sequence_base = 1ULL << 40U;

class StreamAssembler {
 public:
  StreamAssembler(StreamEnvironment& environment, StreamOutput& output, Side side);
  ~StreamAssembler();
  StreamAssembler(const StreamAssembler&) = delete;
  StreamAssembler& operator=(const StreamAssembler&) = delete;

  // An observer appears. `shift` maps its offsets to the stream's; see align().
  void add_observer(Observer which, std::uint64_t shift, bool preexisting);
  // Where the stream starts is about to be said: until start(), or for `hold_ns`, bytes are held.
  void expect_start() { start_expected_ = !started_; }
  // The next byte it will tell about has this (own) offset: a jump from there is a hole, not the past.
  void start(Observer which, std::uint64_t own_offset);
  // Moves an observer here from a stream of its own, with its ledger and marks, when two flows turn out to be one
  // connection. What it brought there is gone; from here on it takes part.
  void adopt_observer(Observer which, StreamObserver&& observer, std::uint64_t delta);
  // Takes what is held behind holes in the assembler where an observer was before.
  void take_held(StreamAssembler& there, std::uint64_t delta);
  // The shift that brings `own_offset` nearest to where the stream is: sequence numbers are 32 bits on the wire, and
  // each observer extends them on its own.
  [[nodiscard]] std::uint64_t align(std::uint64_t own_offset) const;

  void add(Observer which, const FlowData& data, EventTime at);
  // The observer says that the stream ends at this (own) offset; it may still have to tell of bytes before.
  void end_at(Observer which, std::uint64_t own_end, EventTime at);
  // The observer's flow is closed. `own_end`: one past the last byte it moved, where the kernel says so.
  void end(Observer which, std::optional<std::uint64_t> own_end, EventTime at);
  // Gives up holes that waited too long.
  void on_time(EventTime now);
  // Nothing more will be seen: holes become gaps and the stream ends, unless it has ended already.
  void cut(EventTime at, StreamEnd how);

  // Bytes before `until` (stream offset) are not wanted: calls inside that range leave no time mark.
  void skip(std::uint64_t until);

  [[nodiscard]] StreamObserver& observer(Observer which) { return observers_[static_cast<std::size_t>(which)]; }
  [[nodiscard]] const StreamObserver& observer(Observer which) const {
    return observers_[static_cast<std::size_t>(which)];
  }
  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] std::uint64_t position() const { return next_; }
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }  // bytes and gaps so far
  [[nodiscard]] std::size_t held() const { return held_bytes_; }
  [[nodiscard]] bool waiting() const { return waiting_; }

 private:
  struct Held {
    std::uint64_t begin = 0;
    std::vector<std::byte> bytes;
    EventTime at;
    [[nodiscard]] std::uint64_t end() const { return begin + bytes.size(); }
  };
  // Of a piece beside its bytes: itself, and what an allocation takes.
  static constexpr std::size_t piece_overhead = sizeof(Held) + 16;
  enum class Judgement : std::uint8_t { awaited, may_expire, definite };
  struct Hole {
    Judgement judgement = Judgement::definite;
    std::uint64_t end = 0;
    GapCause cause = GapCause::none;
  };

  void place(std::uint64_t begin, Bytes bytes, EventTime at);
  void hold(std::uint64_t begin, Bytes bytes, EventTime at);
  void deliver(Bytes bytes, EventTime at);
  void deliver_gap(const Hole& hole, EventTime at);
  void deliver_held();
  [[nodiscard]] std::uint64_t hole_end() const;
  [[nodiscard]] Hole judge(std::uint64_t end) const;
  void settle(EventTime at);
  void force(EventTime at);
  void end_if_over(EventTime at);
  [[nodiscard]] bool over_limit() const;

  StreamEnvironment& environment_;
  StreamOutput& output_;
  Side side_;
  bool started_ = false, ended_ = false, waiting_ = false, start_expected_ = false;
  std::uint64_t next_ = 0;  // everything before it was delivered
  std::uint64_t delivered_ = 0;
  std::uint64_t skip_from_ = 0, skip_until_ = 0;
  EventTime waiting_since_, first_at_, last_at_;
  std::array<StreamObserver, 2> observers_;
  std::vector<Held> held_;  // sorted by begin, disjoint, all after next_
  std::size_t held_bytes_ = 0;
};

}  // namespace tracer
