// Finds out what this kernel allows to this process, by doing each thing once and undoing it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/result.h"
#include "core/capability.h"
#include "probe-matrix/host.h"
#include "probe-matrix/system.h"

namespace tracer {

// Type ids of the hooks that the probes aim at; 0 where this kernel has no such type.
struct HookTypes {
  std::uint32_t sys_enter_tracepoint = 0;
  std::uint32_t test_function = 0;
  std::uint32_t rdonly_cast = 0;      // what programs read kernel objects with where they may not read any memory
  std::uint32_t preempt_disable = 0;  // by what programs stay on their processor
};

// What one run of the prober shares among its rows.
class ProbeContext {
 public:
  explicit ProbeContext(System& system) : system_(system) {}
  [[nodiscard]] System& system() const { return system_; }
  // Both are read at the first call.
  [[nodiscard]] const Result<HookTypes>& hook_types();
  [[nodiscard]] const Host& host();
  std::optional<Answer> exec_event;  // of exec_tp, once it was asked
  // An event of the directory was opened for perf. Closing one takes the kernel a tenth of a second, during which no
  // other can be opened.
  bool perf_opens_events = false;

 private:
  System& system_;
  std::optional<Result<HookTypes>> hook_types_;
  std::optional<Host> host_;
};

// Groups the rows of `doctor`.
enum class Family : std::uint8_t { kernel, bpf, attach, tracing, packet, netlink, file, privilege, policy, place };
inline constexpr std::size_t family_count = 10;
[[nodiscard]] std::string_view to_string(Family family);

// One row: one question and how to ask it.
struct Probe {
  Capability capability{};
  Family family{};
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

// Asks only for these, in the order of Capability: a trace does not wait for answers that it does not need.
[[nodiscard]] CapabilityReport probe_needed(System& system, std::span<const Capability> needed);

}  // namespace tracer
