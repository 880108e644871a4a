// bpf(2) and perf_event_open(2) through System: what the probes make of maps, programs and events.
#pragma once

#include <linux/bpf.h>
#include <linux/perf_event.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/result.h"
#include "core/base/unique_fd.h"
#include "probe-matrix/system.h"

namespace tracer {

[[nodiscard]] inline std::uintptr_t address_of(const void* object) { return reinterpret_cast<std::uintptr_t>(object); }

// Turns what System::call said into an owner or an Error.
[[nodiscard]] Result<UniqueFd> own(long result, std::string_view what);

struct MapShape {
  std::uint32_t type = 0;
  std::uint32_t entries = 1;
  std::uint32_t flags = 0;
  std::uint32_t key_bytes = sizeof(std::uint32_t);
  std::uint32_t value_bytes = sizeof(std::uint64_t);
};
[[nodiscard]] Result<UniqueFd> create_map(System& system, const MapShape& shape);

struct ProgramKind {
  std::uint32_t type = 0;
  std::uint32_t attach_type = 0;
  std::uint32_t target_type_id = 0;
};
[[nodiscard]] Result<UniqueFd> load_program(System& system, ProgramKind kind, std::span<const bpf_insn> program,
                                            std::string_view what);

// No name: the target is part of the program.
[[nodiscard]] Result<UniqueFd> open_raw_tracepoint(System& system, const UniqueFd& program, const char* name,
                                                   std::string_view what);

enum class WatchedTask : std::uint8_t { any_on_first_cpu, this_thread };
[[nodiscard]] Result<UniqueFd> open_perf_event(System& system, perf_event_attr& attributes, std::string_view what,
                                               WatchedTask task = WatchedTask::any_on_first_cpu);

// bpf(2) with any command that answers with a descriptor.
[[nodiscard]] Result<UniqueFd> bpf_call(System& system, int command, bpf_attr& attributes, std::string_view what);

constexpr bpf_insn set_register(std::uint8_t destination, std::int32_t value) {
  return {BPF_ALU64 | BPF_MOV | BPF_K, static_cast<std::uint8_t>(destination & 0xf), 0, 0, value};
}
constexpr bpf_insn copy_register(std::uint8_t destination, std::uint8_t source) {
  return {BPF_ALU64 | BPF_MOV | BPF_X, static_cast<std::uint8_t>(destination & 0xf),
          static_cast<std::uint8_t>(source & 0xf), 0, 0};
}
constexpr bpf_insn add_to_register(std::uint8_t destination, std::int32_t value) {
  return {BPF_ALU64 | BPF_ADD | BPF_K, static_cast<std::uint8_t>(destination & 0xf), 0, 0, value};
}
constexpr bpf_insn call_helper(std::int32_t helper) { return {BPF_JMP | BPF_CALL, 0, 0, 0, helper}; }
inline constexpr bpf_insn end_program{BPF_JMP | BPF_EXIT, 0, 0, 0, 0};
inline constexpr std::array do_nothing{set_register(BPF_REG_0, 0), end_program};

// An error that proves that the kernel does not know the thing.
[[nodiscard]] bool is_absence(const Error& error);

}  // namespace tracer
