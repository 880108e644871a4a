#include "probe-matrix/realtime.h"

#include <array>

#include "core/base/btf_ids.h"

namespace tracer {

bool is_realtime(std::string_view version) {
  // The patches for kernels before 5.4 wrote it apart.
  return version.contains("PREEMPT_RT") || version.contains("PREEMPT RT");
}

bool is_fully_preemptible(std::string_view version, std::string_view modes) {
  if (is_realtime(version)) return true;
  // Chosen at boot: of those that can choose, the mode counts; where debugfs does not say it, the usual one.
  if (version.contains("PREEMPT_DYNAMIC")) return modes.contains("(full)");
  return version.contains("PREEMPT");
}

bool may_preempt_tracepoints(std::string_view version, std::string_view modes) {
  return is_fully_preemptible(version, modes) || modes.contains("(lazy)");
}

Result<bool> ring_lock_sleeps(Bytes types) {
  std::array wanted{BtfWanted{BtfKind::structure, "bpf_ringbuf"}, BtfWanted{BtfKind::type_definition, "spinlock_t"}};
  if (auto found = find_btf_ids(types, wanted); !found) return std::unexpected(found.error());
  const auto& [ring, plain] = wanted;
  if (ring.id == 0) return fail(Errc::not_found, "this kernel's type information has no bpf_ringbuf");
  const Result<std::uint32_t> lock = find_btf_member(types, ring.id, "spinlock");
  if (!lock) return std::unexpected(lock.error());
  if (*lock == 0) return fail(Errc::not_found, "this kernel's bpf_ringbuf has no member spinlock");
  return *lock == plain.id;
}

}  // namespace tracer
