#include "probe-matrix/feature_probes.h"

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "probe-matrix/bpf_calls.h"
#include "probe-matrix/kernel_probes.h"
#include "probe-matrix/probe_answers.h"

namespace tracer {
namespace {

constexpr ProgramKind raw_tracepoint{.type = BPF_PROG_TYPE_RAW_TRACEPOINT};

Answer probe_program_type(ProbeContext& context, Capability asked, ProgramKind kind, std::string_view name) {
  const std::string what = "a " + std::string(name) + " program";
  const Result<UniqueFd> program = load_program(context.system(), kind, do_nothing, "load " + what);
  if (program) return supported(asked);
  if (is_absence(program.error()))
    return unsupported(asked, "this kernel does not know " + std::string(name) + " programs");
  return not_concluded(context, asked, what, cap_bpf, program.error());
}

Answer probe_map_type(ProbeContext& context, Capability asked, const MapShape& shape, std::string_view name) {
  const Result<UniqueFd> map = create_map(context.system(), shape);
  if (map) return supported(asked);
  if (is_absence(map.error())) return unsupported(asked, "this kernel has no BPF map of type " + std::string(name));
  return not_concluded(context, asked, "a BPF map of type " + std::string(name), cap_bpf, map.error());
}

// A program that needs nothing else which this kernel might lack; what it is refused for is what it is for.
Answer probe_program(ProbeContext& context, Capability asked, std::span<const bpf_insn> program,
                     std::string_view what) {
  const Result<UniqueFd> loaded =
      load_program(context.system(), raw_tracepoint, program, "load a program with " + std::string(what));
  if (loaded) return supported(asked);
  if (!is_absence(loaded.error()) && loaded.error().os_error != EACCES)
    return not_concluded(context, asked, "a program with " + std::string(what), cap_bpf, loaded.error());
  const Result<UniqueFd> plain =
      load_program(context.system(), raw_tracepoint, do_nothing, "load a raw tracepoint program");
  if (plain) return unsupported(asked, "this kernel's verifier refuses " + std::string(what));
  if (is_absence(plain.error()))
    return unknown(asked, "needs raw tracepoint programs, which this kernel does not know");
  return not_concluded(context, asked, "a raw tracepoint program", cap_bpf, plain.error());
}

Answer probe_helper_without_arguments(ProbeContext& context, Capability asked, std::int32_t helper) {
  const std::array program{call_helper(helper), set_register(BPF_REG_0, 0), end_program};
  return probe_program(context, asked, program, to_string(asked));
}

}  // namespace

Answer probe_prog_socket_filter(ProbeContext& context) {
  return probe_program_type(context, Capability::bpf_prog_socket_filter, {.type = BPF_PROG_TYPE_SOCKET_FILTER},
                            "socket filter");
}

// Loads also where there are no kprobes: uprobes have the same type.
Answer probe_prog_kprobe(ProbeContext& context) {
  return probe_program_type(context, Capability::bpf_prog_kprobe, {.type = BPF_PROG_TYPE_KPROBE}, "kprobe");
}

Answer probe_prog_tracepoint(ProbeContext& context) {
  return probe_program_type(context, Capability::bpf_prog_tracepoint, {.type = BPF_PROG_TYPE_TRACEPOINT}, "tracepoint");
}

Answer probe_prog_raw_tracepoint(ProbeContext& context) {
  return probe_program_type(context, Capability::bpf_prog_raw_tracepoint, raw_tracepoint, "raw tracepoint");
}

Answer probe_prog_perf_event(ProbeContext& context) {
  return probe_program_type(context, Capability::bpf_prog_perf_event, {.type = BPF_PROG_TYPE_PERF_EVENT}, "perf event");
}

Answer probe_prog_tracing(ProbeContext& context) {
  constexpr Capability asked = Capability::bpf_prog_tracing;
  const Result<HookTypes>& types = context.hook_types();
  if (!types) {
    Answer without = probe_btf(context);
    return {asked, without.verdict, "needs btf: " + without.reason, std::move(without.fix)};
  }
  if (types->sys_enter_tracepoint == 0)
    return unknown(asked, "this kernel's type information has no btf_trace_sys_enter to aim at");
  return probe_program_type(context, asked, {BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, types->sys_enter_tracepoint},
                            "tracing");
}

Answer probe_map_hash(ProbeContext& context) {
  return probe_map_type(context, Capability::bpf_map_hash, {.type = BPF_MAP_TYPE_HASH}, "hash");
}

Answer probe_map_lru_hash(ProbeContext& context) {
  return probe_map_type(context, Capability::bpf_map_lru_hash, {.type = BPF_MAP_TYPE_LRU_HASH}, "lru_hash");
}

Answer probe_map_percpu_array(ProbeContext& context) {
  return probe_map_type(context, Capability::bpf_map_percpu_array, {.type = BPF_MAP_TYPE_PERCPU_ARRAY}, "percpu_array");
}

Answer probe_map_perf_event_array(ProbeContext& context) {
  return probe_map_type(context, Capability::bpf_map_perf_event_array,
                        {.type = BPF_MAP_TYPE_PERF_EVENT_ARRAY, .value_bytes = sizeof(std::uint32_t)},
                        "perf_event_array");
}

Answer probe_read_user(ProbeContext& context) {
  constexpr std::array program{copy_register(BPF_REG_1, BPF_REG_10),
                               add_to_register(BPF_REG_1, -8),
                               set_register(BPF_REG_2, 8),
                               set_register(BPF_REG_3, 0),
                               call_helper(BPF_FUNC_probe_read_user),
                               set_register(BPF_REG_0, 0),
                               end_program};
  return probe_program(context, Capability::bpf_probe_read_user, program, "bpf_probe_read_user");
}

Answer probe_current_cgroup_id(ProbeContext& context) {
  return probe_helper_without_arguments(context, Capability::bpf_get_current_cgroup_id, BPF_FUNC_get_current_cgroup_id);
}

Answer probe_current_task_btf(ProbeContext& context) {
  return probe_helper_without_arguments(context, Capability::bpf_get_current_task_btf, BPF_FUNC_get_current_task_btf);
}

Answer probe_ns_current_pid_tgid(ProbeContext& context) {
  constexpr std::array program{set_register(BPF_REG_1, 0),           set_register(BPF_REG_2, 0),
                               copy_register(BPF_REG_3, BPF_REG_10), add_to_register(BPF_REG_3, -8),
                               set_register(BPF_REG_4, 8),           call_helper(BPF_FUNC_get_ns_current_pid_tgid),
                               set_register(BPF_REG_0, 0),           end_program};
  return probe_program(context, Capability::bpf_get_ns_current_pid_tgid, program, "bpf_get_ns_current_pid_tgid");
}

// Where the helper is known its wrong arguments are refused with EACCES, where it is not the call is with EINVAL.
Answer probe_bpf_loop(ProbeContext& context) {
  constexpr Capability asked = Capability::bpf_loop;
  constexpr std::array program{set_register(BPF_REG_1, 1),
                               set_register(BPF_REG_2, 0),
                               set_register(BPF_REG_3, 0),
                               set_register(BPF_REG_4, 0),
                               call_helper(BPF_FUNC_loop),
                               set_register(BPF_REG_0, 0),
                               end_program};
  const Result<UniqueFd> plain =
      load_program(context.system(), raw_tracepoint, do_nothing, "load a raw tracepoint program");
  if (!plain) return probe_program(context, asked, program, "bpf_loop");
  const Result<UniqueFd> loaded =
      load_program(context.system(), raw_tracepoint, program, "load a program with bpf_loop");
  if (loaded || loaded.error().os_error == EACCES) return supported(asked);
  if (is_absence(loaded.error())) return unsupported(asked, "this kernel has no bpf_loop");
  return not_concluded(context, asked, "a program with bpf_loop", cap_bpf, loaded.error());
}

Answer probe_global_data(ProbeContext& context) {
  constexpr Capability asked = Capability::bpf_global_data;
  const Result<UniqueFd> map = create_map(context.system(), {.type = BPF_MAP_TYPE_ARRAY});
  if (!map) return not_concluded(context, asked, "a BPF map", cap_bpf, map.error());
  const std::array program{
      bpf_insn{BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0, map->get()},
      bpf_insn{0, 0, 0, 0, 0},
      set_register(BPF_REG_0, 0),
      end_program,
  };
  return probe_program(context, asked, program, "global data");
}

Answer probe_bounded_loops(ProbeContext& context) {
  constexpr std::array program{set_register(BPF_REG_0, 4), add_to_register(BPF_REG_0, -1),
                               bpf_insn{BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, -2, 0}, end_program};
  return probe_program(context, Capability::bpf_bounded_loops, program, "a bounded loop");
}

Answer probe_large_programs(ProbeContext& context) {
  constexpr std::size_t old_limit = 4096;
  std::vector<bpf_insn> program(old_limit + 4, set_register(BPF_REG_0, 0));
  program.push_back(end_program);
  return probe_program(context, Capability::bpf_large_programs, program, "more than 4096 instructions");
}

Answer probe_statistics(ProbeContext& context) {
  constexpr Capability asked = Capability::bpf_statistics;
  bpf_attr attributes{};
  attributes.enable_stats.type = BPF_STATS_RUN_TIME;
  const Result<UniqueFd> on =
      bpf_call(context.system(), BPF_ENABLE_STATS, attributes, "switch on the run time statistics of programs");
  if (on) return supported(asked);
  if (is_absence(on.error())) return unsupported(asked, "this kernel cannot be asked to time programs");
  return not_concluded(context, asked, "timing programs", cap_sys_admin, on.error());
}

}  // namespace tracer
