#include "backends/bpf/verdict_map.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>

#include "backends/bpf/hash_map.h"

namespace tracer {
namespace {

constexpr std::size_t table_bytes = sizeof(wire_verdict) * WIRE_VERDICT_SLOTS;

std::uint32_t wire_mode_of(StreamVerdict::Mode mode) {
  switch (mode) {
    case StreamVerdict::Mode::normal:
      return WIRE_MODE_NORMAL;
    case StreamVerdict::Mode::whole:
      return WIRE_MODE_WHOLE;
    case StreamVerdict::Mode::sizes:
      return WIRE_MODE_SIZES;
    case StreamVerdict::Mode::quiet:
      return WIRE_MODE_QUIET;
  }
  return WIRE_MODE_DEFAULT;
}

template <typename T>
void store(T& field, T value) {
  std::atomic_ref(field).store(value, std::memory_order_relaxed);
}

}  // namespace

Result<std::unique_ptr<VerdictMap>> VerdictMap::open(int map_fd, bool mappable) {
  if (!mappable) return std::unique_ptr<VerdictMap>(new VerdictMap(map_fd, nullptr));
  void* memory = ::mmap(nullptr, table_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (memory == MAP_FAILED) return std::unexpected(os_failure(errno, "map the verdict table"));
  return std::unique_ptr<VerdictMap>(new VerdictMap(map_fd, static_cast<wire_verdict*>(memory)));
}

VerdictMap::~VerdictMap() {
  if (table_ != nullptr) ::munmap(table_, table_bytes);
}

void VerdictMap::set(FlowId flow, Direction direction, const StreamVerdict& verdict) {
  std::uint32_t slot = static_cast<std::uint32_t>(flow.value % WIRE_VERDICT_SLOTS);
  const std::size_t side = direction == Direction::rx ? WIRE_RX : WIRE_TX;
  if (table_ != nullptr) {
    wire_verdict& entry = table_[slot];
    if (entry.flow != flow.value) {
      store(entry.flow, __u64{0});  // a program that reads now finds no verdict, never half of two
      std::atomic_thread_fence(std::memory_order_release);
      for (std::size_t each : {std::size_t{0}, std::size_t{1}}) {
        store(entry.mode[each], __u32{WIRE_MODE_DEFAULT});
        store(entry.skip_until[each], __u64{0});
      }
      std::atomic_thread_fence(std::memory_order_release);
      store(entry.flow, __u64{flow.value});
    }
    store(entry.mode[side], wire_mode_of(verdict.mode));
    store(entry.skip_until[side], __u64{verdict.skip_until});
    return;
  }
  wire_verdict entry{};
  if (!hash_map_get(map_fd_, &slot, &entry) || entry.flow != flow.value) entry = {};
  entry.flow = flow.value;
  entry.mode[side] = wire_mode_of(verdict.mode);
  entry.skip_until[side] = verdict.skip_until;
  // A failure leaves the default: copies that nobody needed.
  hash_map_set(map_fd_, &slot, &entry, true);
}

}  // namespace tracer
