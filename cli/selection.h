// Which processes the run is about: --pid, --name, the command after `--`, and with --follow-children what those start.
//
// A number names one process for the whole run: a later one with the same number is another. A name fits every process
// that has it, also those that start later. Fed with events, in their order; asks the operating system about who was
// there before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/event.h"
#include "core/ownership.h"
#include "core/process_selection.h"

namespace tracer::cli {

// Who wants to hear, while they live, of processes that descend from selected ones. Numbered as in the tracer's own pid
// namespace.
struct Relatives {
  std::function<void(std::uint32_t parent, std::uint32_t child)> forked{};
  std::function<void(std::uint32_t pid)> started{};  // a program
};

struct SelectionOptions {
  std::vector<std::uint32_t> pids{};  // in the tracer's own pid namespace
  std::vector<std::string> names{};   // lower case
  bool follow_children = false;
  std::uint32_t newcomer = 0;  // one of `pids` that has not started its program yet
  Relatives relatives{};
  std::size_t followed_max = 65'536;
  std::size_t strangers_max = 4'096;  // processes known to descend from nobody that was selected
};

// A process's parent, both numbered as in the tracer's own pid namespace; nullopt: the process is gone.
using ParentOf = std::function<std::optional<std::uint32_t>(std::uint32_t pid)>;

// `name` is lower case already.
[[nodiscard]] bool is_named(const ProcessFacts& process, std::string_view name);

class Selection final : public ProcessSelection {
 public:
  // `ownership` must outlive it. Looks at the processes that there are.
  Selection(SelectionOptions options, Ownership& ownership, ParentOf parent_of);

  [[nodiscard]] bool everybody() const override { return options_.pids.empty() && options_.names.empty(); }
  [[nodiscard]] bool selects(const ProcessFacts& process) const override;
  [[nodiscard]] std::uint32_t newcomer() const override { return options_.newcomer; }
  [[nodiscard]] bool follows_children() const override { return options_.follow_children; }
  [[nodiscard]] bool settled() const override { return !options_.pids.empty() && !options_.follow_children; }

  // Why it selects: by its number, or because somebody selected started it.
  [[nodiscard]] bool fits_number(const ProcessFacts& process) const;
  [[nodiscard]] bool is_follower(const ProcessFacts& process) const;

  void on_event(const Event& event);

  // Some process was selected, now or before.
  [[nodiscard]] bool matched() const { return matched_; }
  // Everybody who was named by number has ended, and whom they started. Asks the operating system: not to be called
  // all the time. Never true of names, which later processes may have.
  [[nodiscard]] bool over();

 private:
  // One process, as far as it can be told from others with its number. Ticks 0: not known.
  struct Known {
    std::uint64_t start_ticks = 0;
    bool ended = false;
    bool reused = false;  // its number is somebody else's now
  };
  struct Numbered {
    std::uint32_t tgid = 0;  // 0: not known
    Known known{};
  };

  static bool is_same(Known& known, const ProcessFacts& process);
  [[nodiscard]] bool is_root(const ProcessFacts& process) const;
  void follow(std::uint32_t tgid, std::uint64_t start_ticks) const;
  void forget_ended() const;
  [[nodiscard]] bool is_followed(std::uint32_t pid) const;
  [[nodiscard]] bool descends(const ProcessFacts& process) const;
  void number_taken(std::uint32_t tgid);
  void on_fork(std::uint32_t parent, std::uint32_t child);
  void on_start(std::uint32_t tgid, const ProcessStarted& started);
  [[nodiscard]] bool has_ended(std::uint32_t tgid, Known& known);

  SelectionOptions options_;
  Ownership& ownership_;
  ParentOf parent_of_;
  // What is learned while asking is no change of what is selected.
  mutable std::unordered_map<std::uint32_t, Numbered> numbered_;            // by the number that the user gave
  mutable std::unordered_map<std::uint32_t, Known> followed_;               // by tgid: roots and those they started
  mutable std::unordered_map<std::uint32_t, std::uint32_t> followed_pids_;  // their own numbers here → tgid
  mutable std::unordered_map<std::uint32_t, std::uint64_t> strangers_;      // tgid → start ticks
  mutable bool matched_ = false;
};

}  // namespace tracer::cli
