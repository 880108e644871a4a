// Which processes the user asked about: by number, by name, their children, or all. Grows and shrinks while the trace
// runs. For backends that pay per process; records are filtered by it as well. Implemented by cli.
#pragma once

#include <cstdint>

#include "core/ownership.h"

namespace tracer {

class ProcessSelection {
 public:
  virtual ~ProcessSelection() = default;
  // Nobody in particular was asked about.
  [[nodiscard]] virtual bool everybody() const = 0;
  [[nodiscard]] virtual bool selects(const ProcessFacts& process) const = 0;
  // A process that is about to exec, chosen before it was started (`profile -- CMD`): what it will load is not mapped
  // yet. 0: none. In the tracer's own pid namespace.
  [[nodiscard]] virtual std::uint32_t newcomer() const { return 0; }
  // No process that starts from now on can be selected: all were given by number, and children are not followed.
  [[nodiscard]] virtual bool settled() const { return false; }
  // Children of selected processes are selected too.
  [[nodiscard]] virtual bool follows_children() const { return false; }
};

}  // namespace tracer
