// The command that `profile -- COMMAND` watches: started stopped before its exec, so that nothing of it is missed.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/unique_fd.h"

namespace tracer::cli {

class Child {
 public:
  // Its standard output is a copy of `output_fd`; standard input and error are the tracer's.
  [[nodiscard]] static Result<Child> start(std::vector<std::string> words, int output_fd);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  // One that was never released never runs its program. One that runs goes on.
  ~Child();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Lets it run its program, and answers when it does; or why it cannot.
  [[nodiscard]] Result<void> release();
  // Its wait status once it has ended.
  [[nodiscard]] std::optional<int> status();
  // Nothing happens to one that has ended.
  void signal(int number);

 private:
  Child() = default;
  pid_t pid_ = 0;
  std::string name_;
  UniqueFd go_, failure_;
  bool released_ = false;
  std::optional<int> status_;
};

}  // namespace tracer::cli
