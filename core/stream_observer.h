// What one observer (one end's calls in one direction) has said about one stream: how far it has come, which ranges it
// passed without bringing bytes, its ledger and its time marks. Offsets are the stream's, not the observer's own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/event.h"
#include "core/records/connection_summary.h"
#include "core/time_marks.h"

namespace tracer {

struct StreamLimits {
  std::uint64_t hold_ns = 50'000'000;           // how long a hole waits for a late event of an observer that passed it
  std::size_t bytes_held_max = 256 * 1024;      // behind holes, per stream
  std::size_t wire_bytes_held_max = 4U << 20U;  // on the wire: what a window holds while one segment is sent again
  std::size_t total_bytes_held_max = 64U << 20U;  // behind holes, all streams
  std::size_t pieces_held_max = 8192;             // behind holes, per stream, however short each is
  std::size_t ranges_max = 64;                    // passed without bytes and not yet settled, per observer
  std::size_t time_marks_max = 64;                // per observer
};

struct StreamCounters {
  std::uint64_t duplicate_bytes = 0;  // told by a second observer, or twice by one
  std::uint64_t held_limit_hits = 0;  // holes given up because a limit was reached
  std::uint64_t time_marks_dropped = 0;
  std::array<std::uint64_t, gap_cause_count> gap_bytes{};  // in delivered gaps, by cause
};

// What all streams of a run share. Owned by the pipeline; outlives every stream.
struct StreamEnvironment {
  StreamLimits limits;
  StreamCounters counters;
  std::size_t bytes_held = 0;    // with what it takes to hold them
  std::uint64_t loss_epoch = 0;  // grows with each report of lost events: tells a lost range from a raced one
};

class StreamObserver {
 public:
  // [begin, end) was passed without bytes. `declared`: the observer said so and why; otherwise its offsets jumped, and
  // a late event may still fill it.
  struct Range {
    std::uint64_t begin = 0, end = 0;
    GapCause cause = GapCause::none;
    bool declared = false;
    std::uint64_t loss_epoch = 0;  // before the jump
  };

  bool present = false;
  bool ended = false;
  bool brings_bytes = true;                    // false: it was told to send sizes only, or nothing
  bool preexisting = false;                    // its first bytes were moved before the tracer watched
  bool patient = false;                        // on the wire: a jump stays open until it declares a gap or ends
  std::uint64_t shift = 0;                     // stream offset = own offset + shift (wrapping)
  std::optional<std::uint64_t> announced_end;  // it said where the stream ends (FIN)
  std::uint64_t skip_until = 0;  // bytes before this were declared unneeded to it: a jump there is no surprise
  TimeMarks marks;

  // The first byte it will tell about is `offset`. Later calls may only make it earlier.
  void start(std::uint64_t offset, const StreamEnvironment& environment);
  // One call moved [begin, end); bytes before `kept_end` came along. `floor`: everything before it is settled.
  void note(std::uint64_t begin, std::uint64_t kept_end, std::uint64_t end, GapCause rest, std::uint64_t floor,
            const StreamEnvironment& environment);
  // It ended at `end`; what is between is a jump that nothing can fill any more.
  void note_end(std::uint64_t end, std::uint64_t floor, const StreamEnvironment& environment);
  // Everything before `floor` is settled.
  void settle(std::uint64_t floor, const StreamEnvironment& environment);

  // The range at or after `offset`; nullptr: it has brought everything it passed.
  [[nodiscard]] const Range* range_from(std::uint64_t offset) const;
  [[nodiscard]] GapCause cause_of(const Range& range, const StreamEnvironment& environment) const;
  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] std::uint64_t first() const { return first_; }
  [[nodiscard]] std::uint64_t passed() const { return passed_; }
  [[nodiscard]] bool brought_bytes() const { return ledger_.kept > 0; }
  // It brought bytes, and of all it passed without them it is known why: nothing suggests that it moves bytes in calls
  // that nobody sees. A jump counts when the event that may fill it is not waited for any more.
  [[nodiscard]] bool sees_all() const {
    return brought_bytes() && ledger_.gaps[static_cast<std::size_t>(GapCause::concurrent)] == 0;
  }
  // It has nothing more to tell.
  [[nodiscard]] bool finished() const { return ended || (announced_end && passed_ >= *announced_end); }
  [[nodiscard]] bool has_passed(std::uint64_t offset) const { return started_ && passed_ > offset; }
  // It may yet tell of this offset: it has not come there, or it jumped over it.
  [[nodiscard]] bool may_tell_of(std::uint64_t offset) const;
  [[nodiscard]] std::size_t ranges() const { return ranges_.size(); }
  // moved = kept + sum of gaps, with what is not settled yet.
  [[nodiscard]] StreamLedger ledger(const StreamEnvironment& environment) const;

  // Joins another numbering: all offsets move by `delta` (wrapping). What it passed is not kept anywhere any more:
  // ranges are replaced by one declared range up to `passed`, from `floor`.
  void adopt(std::uint64_t delta, std::uint64_t floor, const StreamEnvironment& environment);

 private:
  void count(const Range& range, GapCause cause);
  std::uint64_t take_back(std::uint64_t begin, std::uint64_t end, const Range* instead);
  void retire(Range range, const StreamEnvironment& environment);
  void pass_without_bytes(Range range, std::uint64_t floor, const StreamEnvironment& environment);
  void jump_to(std::uint64_t offset, std::uint64_t floor, const StreamEnvironment& environment);

  bool started_ = false;
  std::uint64_t first_ = 0, passed_ = 0;
  std::uint64_t last_loss_epoch_ = 0;
  std::uint64_t skip_end_untold_ = 0;  // a skipped range ended here and the call that reached it, always told, is late
  std::vector<Range> ranges_;          // sorted, disjoint
  std::vector<Range> retired_;         // jumps that the ledger has counted as gaps; a late event may still correct that
  StreamLedger ledger_;                // without undeclared ranges that are still in ranges_
};

}  // namespace tracer
