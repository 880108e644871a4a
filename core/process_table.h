// (tgid, time) → who that process was. Fed by process events; asks the operating system lazily, once per process image.
//
// A process image begins at fork or exec. The facts of the image before stay known for events that are older than the
// change, and the dead are kept for a grace time, since their last events may still be on the way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/event.h"
#include "core/ownership.h"

namespace tracer {

struct ProcessLimits {
  std::size_t processes_max = 32'768;
  std::uint64_t keep_dead_ns = 5'000'000'000;
};

class ProcessTable {
 public:
  ProcessTable(Ownership& ownership, const ProcessLimits& limits) : ownership_(ownership), limits_(limits) {}

  void started(ProcessRef who, const ProcessStarted& event, EventTime at);
  void forked(ProcessRef parent, std::uint32_t child_tgid, EventTime at);
  // What is known of a process that was there before the first event.
  void know(ProcessFacts facts);
  // What the kernel said of a process while it moved bytes: newer than what was read before, and there even if the
  // process is gone before it can be asked about.
  void hint(std::uint32_t tgid, std::string_view comm, std::optional<std::uint32_t> uid, EventTime at);
  // Its number in the tracer's pid namespace; makes it possible to ask about it.
  void learn(std::uint32_t tgid, std::uint32_t local_pid);
  void exited(ProcessRef who, EventTime at);
  // Reads the facts while the process is likely to be there still. Cheap when they are known.
  void touch(std::uint32_t tgid, EventTime at) { (void)find(tgid, at); }
  // Its number in the tracer's pid namespace.
  [[nodiscard]] std::optional<std::uint32_t> local_pid(std::uint32_t tgid);
  // Asked of the operating system, each time; see Ownership.
  [[nodiscard]] std::optional<StartArguments> arguments(std::uint32_t tgid, std::string_view comm) {
    return ownership_.arguments(tgid, comm);
  }
  // When it became the program that it is now; 0: before anything was seen of it.
  [[nodiscard]] EventTime image_since(std::uint32_t tgid) const;
  // nullptr: nothing is known.
  [[nodiscard]] std::shared_ptr<const ProcessFacts> find(std::uint32_t tgid, EventTime at);
  // Forgets the dead whose grace time is over.
  void advance(EventTime now);

  [[nodiscard]] std::size_t size() const { return processes_.size(); }
  [[nodiscard]] std::uint64_t evicted() const { return evicted_; }

 private:
  struct Image {
    EventTime since;
    std::shared_ptr<const ProcessFacts> facts;  // nullptr: nothing known
    std::string comm, executable;               // as an event said
    std::optional<std::uint32_t> uid, local_pid;
    bool comm_is_current = false;  // `comm` was said by the kernel while the process moved bytes
    bool asked = false;            // the operating system has been asked
  };
  struct Process {
    Image now, before;
    bool has_before = false;
    bool dead = false;
    EventTime died;
  };
  Process& at_or_new(std::uint32_t tgid);
  void read(std::uint32_t tgid, Process& process);
  static void begin_image(Process& process, EventTime at);

  Ownership& ownership_;
  ProcessLimits limits_;
  std::unordered_map<std::uint32_t, Process> processes_;
  std::size_t dead_ = 0;
  EventTime next_sweep_;
  std::uint64_t evicted_ = 0;
};

}  // namespace tracer
