// Finds out what this kernel allows to this process, by doing each thing once and undoing it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/result.h"
#include "core/capability.h"
#include "probe-matrix/system.h"

namespace tracer {

// Type ids of the hooks that the probes aim at; 0 where this kernel has no such type.
struct HookTypes {
  std::uint32_t sys_enter_tracepoint = 0;
  std::uint32_t test_function = 0;
};

// What one run of the prober shares among its rows.
class ProbeContext {
 public:
  explicit ProbeContext(System& system) : system_(system) {}
  [[nodiscard]] System& system() const { return system_; }
  // Read and walked at the first call.
  [[nodiscard]] const Result<HookTypes>& hook_types();

 private:
  System& system_;
  std::optional<Result<HookTypes>> hook_types_;
};

// One row: one question and how to ask it.
struct Probe {
  Capability capability{};
  // Where upstream Linux has it from: for people who cross-check an answer. Never decided on, distributions backport.
  std::string_view upstream_version;
  std::string_view upstream_commit;
  Answer (*run)(ProbeContext& context) = nullptr;
};

// One row per Capability, in its order.
[[nodiscard]] std::span<const Probe> probes();

// Asks everything. Leaves nothing behind once `system` is gone: what one question opened is closed before the next, or
// by System::close_slowly.
[[nodiscard]] CapabilityReport probe_all(System& system);

}  // namespace tracer
