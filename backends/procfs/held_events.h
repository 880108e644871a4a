// Events of what was found by looking, which wait to be handed out and own their text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <variant>

#include "backends/procfs/open_files.h"
#include "backends/procfs/process_facts.h"
#include "core/event.h"

namespace tracer::procfs {

struct FoundProcess {
  StartedProcess process;
  std::optional<std::int64_t> running_since;  // wall time in ns
};
struct FoundOpen {
  SeenFile file;
  bool path_inferred = false;
};
struct FoundMapping {
  SeenFile file;
};
using FoundThing = std::variant<FoundProcess, FoundOpen, FoundMapping>;

class HeldEvents {
 public:
  // `preexisting`: it was there when looking began; else it came between two looks.
  void push(EventTime at, std::uint32_t tgid, bool preexisting, FoundThing thing) {
    held_.push_back({at, tgid, preexisting, std::move(thing)});
  }
  // At most `budget`; how many were handed out.
  std::size_t hand_out(EventHandler& handler, std::size_t budget);
  [[nodiscard]] bool empty() const { return held_.empty(); }
  [[nodiscard]] std::size_t size() const { return held_.size(); }

 private:
  struct Held {
    EventTime at;
    std::uint32_t tgid;
    bool preexisting;
    FoundThing thing;
  };
  std::deque<Held> held_;
};

}  // namespace tracer::procfs
