// When a run about certain processes is over: they have ended. Signals are passed on to the command that was started.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cli/child.h"
#include "cli/selection.h"
#include "cli/session.h"

namespace tracer::cli {

class RunEnd final : public RunGuide {
 public:
  struct Times {
    std::chrono::milliseconds look{100};    // between two looks at who still runs
    std::chrono::milliseconds settle{200};  // after the last end: what happened before it is still on its way
  };

  // `child`: null: none was started.
  RunEnd(Selection& selection, Child* child, Times times) : selection_(selection), child_(child), times_(times) {}

  [[nodiscard]] std::optional<std::string> over(std::chrono::steady_clock::time_point now) override;
  [[nodiscard]] std::string waits_for() const override;
  [[nodiscard]] bool defers(int signal) override;

 private:
  [[nodiscard]] bool all_ended();

  Selection& selection_;
  Child* child_;
  Times times_;
  std::chrono::steady_clock::time_point next_look_{};
  std::optional<std::chrono::steady_clock::time_point> ended_at_;
  int deferred_ = 0;  // the signal that was passed on
};

}  // namespace tracer::cli
