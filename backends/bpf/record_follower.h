// What user space adds to the records of programs that cannot say everything themselves: it sees the notes that are
// meant for it and says what follows from them as events.
#pragma once

#include <cstdint>

#include "backends/bpf/wire.h"
#include "core/event.h"

namespace tracer {

class RecordFollower {
 public:
  virtual ~RecordFollower() = default;
  // Once, after the programs are attached: what was there before.
  virtual void adopt_existing(EventTime now, EventHandler& out) = 0;
  virtual void on_descriptor(const wire_fd& note, EventHandler& out) = 0;
  virtual void on_state(const wire_open& note, EventHandler& out) = 0;
  virtual void on_fork(std::uint32_t parent, std::uint32_t child) = 0;
  virtual void on_exit(std::uint32_t tgid) = 0;
  // Before each reading of records: what could not be said yet.
  virtual void ask_again(EventTime now, EventHandler& out) = 0;
  // Flows that are not told because nobody could say which they are.
  [[nodiscard]] virtual std::uint64_t untracked() const = 0;
  // Every few seconds: forgets what nobody told the end of.
  virtual void sweep() = 0;
};

}  // namespace tracer
