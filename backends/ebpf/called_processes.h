// Which of the processes that call are the user's business. Decisions are kept here and in the kernel, where those of
// strangers save the counting and those of selected ones pass to their children.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backends/ebpf/uprobe_wire.h"
#include "core/ownership.h"
#include "core/process_selection.h"

namespace tracer {

// A process as its first call told it.
struct Caller {
  std::uint32_t tgid = 0;
  std::uint32_t local_tgid = 0;  // 0: not known, or the same
  std::optional<std::uint32_t> uid{};
  std::string_view comm{};        // of the thread
  std::uint32_t verdict = 0;      // in the kernel; 0: not known
  std::string_view executable{};  // that it has just begun to run, with `comm`; empty: not known
};

// The kernel's map of decisions, by tgid, and what stands there.
struct ProcessVerdicts {
  int map_fd = -1;  // -1: none
  std::uint32_t wanted = UPROBE_VERDICT_WANTED, left_out = UPROBE_VERDICT_LEFT_OUT;
};

class CalledProcesses {
 public:
  // `selection` null: all. Pointers must outlive it.
  CalledProcesses(const ProcessSelection* selection, Ownership* ownership, std::string proc_root,
                  ProcessVerdicts verdicts)
      : selection_(selection), ownership_(ownership), proc_root_(std::move(proc_root)), verdicts_(verdicts) {}

  [[nodiscard]] bool everybody() const { return selection_ == nullptr || selection_->everybody(); }
  // Processes that start from now on may be selected.
  [[nodiscard]] bool can_grow() const { return everybody() || !selection_->settled() || selection_->newcomer() != 0; }
  // Decides once, until forget().
  [[nodiscard]] bool wants(const Caller& caller);
  void forget(std::uint32_t tgid) { decided_.erase(tgid); }
  // Asks again about those that were left out: what is selected may have grown. Tells the kernel of all that are
  // selected now, and answers with their numbers in /proc. Only where not everybody is.
  [[nodiscard]] std::vector<std::uint32_t> find_selected();
  // As /proc numbers it.
  [[nodiscard]] std::uint32_t number_in_proc(std::uint32_t tgid) const;
  [[nodiscard]] bool is_gone(std::uint32_t tgid) const;

  // The path of the process's library of a family, once asked for; null: not asked yet.
  [[nodiscard]] const std::string* library(std::uint32_t tgid, std::string_view family) const;
  void remember_library(std::uint32_t tgid, std::string_view family, std::string path);

 private:
  struct Process {
    bool wanted = false;
    std::uint32_t local_tgid = 0;
    std::vector<std::pair<std::string_view, std::string>> libraries{};  // by family
  };
  [[nodiscard]] bool decide(const Caller& caller);
  void tell_kernel(std::uint32_t tgid, bool wanted) const;

  const ProcessSelection* selection_;
  Ownership* ownership_;
  std::string proc_root_;
  ProcessVerdicts verdicts_;
  std::unordered_map<std::uint32_t, Process> decided_;
};

}  // namespace tracer
