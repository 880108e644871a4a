#include "probe-matrix/bpf_calls.h"

#include <sys/syscall.h>

#include <cerrno>

namespace tracer {
namespace {

constexpr char licence[] = "Dual MIT/GPL";

}  // namespace

Result<UniqueFd> own(long result, std::string_view what) {
  if (result < 0) return std::unexpected(os_failure(static_cast<int>(-result), what));
  return UniqueFd(static_cast<int>(result));
}

Result<UniqueFd> bpf_call(System& system, int command, bpf_attr& attributes, std::string_view what) {
  return own(system.call(SYS_bpf, {static_cast<std::uintptr_t>(command), address_of(&attributes), sizeof attributes}),
             what);
}

Result<UniqueFd> create_map(System& system, const MapShape& shape) {
  bpf_attr attributes{};
  attributes.map_type = shape.type;
  if (shape.type != BPF_MAP_TYPE_RINGBUF) {
    attributes.key_size = shape.key_bytes;
    attributes.value_size = shape.value_bytes;
  }
  attributes.max_entries = shape.entries;
  attributes.map_flags = shape.flags;
  return bpf_call(system, BPF_MAP_CREATE, attributes, "bpf(BPF_MAP_CREATE)");
}

Result<UniqueFd> load_program(System& system, ProgramKind kind, std::span<const bpf_insn> program,
                              std::string_view what) {
  bpf_attr attributes{};
  attributes.prog_type = kind.type;
  attributes.expected_attach_type = kind.attach_type;
  attributes.attach_btf_id = kind.target_type_id;
  attributes.insns = address_of(program.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(program.size());
  attributes.license = address_of(licence);
  return bpf_call(system, BPF_PROG_LOAD, attributes, what);
}

Result<UniqueFd> open_raw_tracepoint(System& system, const UniqueFd& program, const char* name, std::string_view what) {
  bpf_attr attributes{};
  attributes.raw_tracepoint.name = address_of(name);
  attributes.raw_tracepoint.prog_fd = static_cast<std::uint32_t>(program.get());
  return bpf_call(system, BPF_RAW_TRACEPOINT_OPEN, attributes, what);
}

Result<UniqueFd> open_perf_event(System& system, perf_event_attr& attributes, std::string_view what, WatchedTask task) {
  attributes.size = sizeof attributes;
  constexpr auto any = static_cast<std::uintptr_t>(-1);
  constexpr auto no_group = static_cast<std::uintptr_t>(-1);
  constexpr std::uintptr_t first_cpu = 0, this_thread = 0;
  const bool own_thread = task == WatchedTask::this_thread;
  return own(system.call(SYS_perf_event_open, {address_of(&attributes), own_thread ? this_thread : any,
                                               own_thread ? any : first_cpu, no_group, PERF_FLAG_FD_CLOEXEC}),
             what);
}

bool is_absence(const Error& error) {
  return error.os_error == EINVAL || error.os_error == ENOSYS || error.os_error == E2BIG;
}

}  // namespace tracer
