#include "probe-matrix/bpf_probes.h"

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <utility>

#include "core/base/btf_ids.h"
#include "core/base/unique_fd.h"
#include "probe-matrix/bpf_calls.h"
#include "probe-matrix/kernel_probes.h"
#include "probe-matrix/privilege_probes.h"
#include "probe-matrix/probe_answers.h"
#include "probe-matrix/realtime.h"
#include "probe-matrix/report.h"

namespace tracer {
namespace {

// A multiple of every page size that Linux knows, as ring buffers want it.
constexpr std::uint32_t ring_bytes = 64 * 1024;

// Calls bpf_probe_read_kernel's kind of helper: r1 = where to, r2 = size, r3 = where from.
constexpr std::array<bpf_insn, 7> program_that_reads_with(std::int32_t helper) {
  return {copy_register(BPF_REG_1, BPF_REG_10),
          add_to_register(BPF_REG_1, -8),
          set_register(BPF_REG_2, 8),
          set_register(BPF_REG_3, 0),
          call_helper(helper),
          set_register(BPF_REG_0, 0),
          end_program};
}

std::string kernel_version(System& system) {
  utsname names{};
  (void)system.call(SYS_uname, {address_of(&names)});
  return names.version;
}

constexpr std::string_view skipped_meanwhile =
    "this kernel preempts such programs, and skips them for other tasks meanwhile";

// Empty where debugfs does not say it.
std::string preemption_modes(System& system) {
  constexpr std::size_t modes_bytes = 64;
  return system.read_file("/sys/kernel/debug/sched/preempt", modes_bytes).value_or(std::string());
}

// The kernel has ring buffers. To create one says nothing of the moment when two processors write into it.
Answer answer_of_ring_lock(System& system) {
  constexpr Capability asked = Capability::bpf_ring_buffer;
  if (!is_realtime(kernel_version(system))) return supported(asked);
  const Result<std::string> types = system.read_file(kernel_types_path, kernel_types_bytes_max);
  const Result<bool> sleeps = types ? ring_lock_sleeps(as_bytes(*types)) : std::unexpected(types.error());
  if (sleeps && !*sleeps) return supported(asked);
  constexpr std::string_view reason = "on this realtime kernel a program that writes into a BPF ring buffer ";
  return unsupported(asked, std::string(reason) +
                                (sleeps ? "would sleep" : "might sleep (its type information does not say)") +
                                ", which stops the machine; the perf buffer serves");
}

}  // namespace

Answer perf_refused(ProbeContext& context, Capability capability, std::string_view what, const Error& error) {
  Answer answer = not_concluded(context, capability, what, cap_perfmon, error);
  if (error.code != Errc::not_permitted) return answer;
  constexpr std::size_t number_bytes = 16;
  const Host& host = context.host();
  const bool admin = ((host.effective.value_or(0) >> cap_sys_admin.bit) & 1) != 0;
  const Result<std::string> text = context.system().read_file("/proc/sys/kernel/perf_event_paranoid", number_bytes);
  int level = 0;
  if (admin || !text || std::from_chars(text->data(), text->data() + text->size(), level).ec != std::errc{})
    return answer;  // whoever has CAP_SYS_ADMIN is not concerned
  const std::string sysctl = "kernel.perf_event_paranoid is " + std::to_string(level);
  // Debian and Ubuntu add levels 3 and 4, which refuse even CAP_PERFMON.
  if (level < 3) {
    answer.reason += "; " + sysctl;
    return answer;
  }
  return unknown(capability,
                 std::string(not_permitted_prefix) + std::string(what) + " needs CAP_SYS_ADMIN where " + sysctl,
                 holds(host, cap_perfmon) ? fix_on_host(host, "sudo sysctl kernel.perf_event_paranoid=2")
                                          : fix_privilege(host, cap_sys_admin));
}

Result<std::uint64_t> tracepoint_id(System& system, std::string_view event) {
  constexpr std::size_t number_bytes = 32;
  Error error;
  for (const char* root : {"/sys/kernel/tracing/events/", "/sys/kernel/debug/tracing/events/"}) {
    const Result<std::string> text = system.read_file(root + std::string(event) + "/id", number_bytes);
    if (text) {
      std::uint64_t id = 0;
      const auto [end, number_error] = std::from_chars(text->data(), text->data() + text->size(), id);
      if (number_error == std::errc{} && id != 0) return id;
      return fail(Errc::malformed, root + std::string(event) + "/id holds no number");
    }
    // The first one counts, but "may not look" says more than "is not there".
    if (error.context.empty() || text.error().code == Errc::not_permitted) error = text.error();
  }
  return std::unexpected(std::move(error));
}

void allow_locked_memory(System& system) {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  constexpr std::uintptr_t this_process = 0;
  (void)system.call(SYS_prlimit64, {this_process, RLIMIT_MEMLOCK, address_of(&unlimited)});
}

Answer probe_bpf_syscall(ProbeContext& context) {
  constexpr Capability asked = Capability::bpf_syscall;
  const Result<UniqueFd> map = create_map(context.system(), {.type = BPF_MAP_TYPE_ARRAY});
  if (map) return supported(asked);
  if (map.error().os_error == ENOSYS)
    return unsupported(
        asked, std::string("this kernel has no bpf(2) (CONFIG_BPF_SYSCALL=n, or a sandbox such as gVisor") +
                   (context.host().seccomp || !context.host().effective ? ", or this process's seccomp filter says so)"
                                                                        : ")"));
  Answer answer = not_concluded(context, asked, "bpf(2)", cap_bpf, map.error());
  // Kernels before 5.11 count maps against the locked-memory limit and answer EPERM.
  const Answer memory = probe_memlock_unlimited(context);
  if (map.error().os_error == EPERM && holds(context.host(), cap_bpf) && !context.host().user_namespace &&
      memory.verdict == Verdict::unsupported) {
    answer.reason += "; or " + memory.reason;
    if (answer.fix.empty()) answer.fix = memory.fix;
  }
  return answer;
}

Answer probe_bpf_ring_buffer(ProbeContext& context) {
  constexpr Capability asked = Capability::bpf_ring_buffer;
  const Result<UniqueFd> map = create_map(context.system(), {.type = BPF_MAP_TYPE_RINGBUF, .entries = ring_bytes});
  if (map) return answer_of_ring_lock(context.system());
  if (is_absence(map.error())) return unsupported(asked, "this kernel has no BPF ring buffer; the perf buffer serves");
  return not_concluded(context, asked, "a BPF ring buffer", cap_bpf, map.error());
}

Answer probe_bpf_mmapable_array(ProbeContext& context) {
  constexpr Capability asked = Capability::bpf_mmapable_array;
  const Result<UniqueFd> map = create_map(context.system(), {.type = BPF_MAP_TYPE_ARRAY, .flags = BPF_F_MMAPABLE});
  if (map) return supported(asked);
  if (is_absence(map.error())) return unsupported(asked, "this kernel cannot map a BPF array into memory");
  return not_concluded(context, asked, "a BPF array that can be mapped", cap_bpf, map.error());
}

Answer probe_bpf_probe_read_kernel(ProbeContext& context) {
  constexpr Capability asked = Capability::bpf_probe_read_kernel;
  constexpr ProgramKind raw{.type = BPF_PROG_TYPE_RAW_TRACEPOINT};
  constexpr auto program = program_that_reads_with(BPF_FUNC_probe_read_kernel);
  const Result<UniqueFd> loaded =
      load_program(context.system(), raw, program, "load a program that reads kernel memory");
  if (loaded) return supported(asked);
  if (!is_absence(loaded.error()))
    return not_concluded(context, asked, "a program that reads kernel memory", cap_bpf, loaded.error());
  // Refused as unknown. Its elder sibling bpf_probe_read is in every kernel with raw tracepoints, unless lockdown hides
  // both.
  constexpr auto elder = program_that_reads_with(BPF_FUNC_probe_read);
  if (load_program(context.system(), raw, elder, "load a program that reads memory"))
    return unsupported(asked, "this kernel has only bpf_probe_read, not bpf_probe_read_kernel");
  if (!load_program(context.system(), raw, do_nothing, "load a raw tracepoint program"))
    return unsupported(asked, "this kernel has no raw tracepoint programs");
  const std::string mode = lockdown_mode(context.system());
  return unsupported(
      asked,
      "kernel lockdown hides kernel memory from programs" +
          (mode.empty() ? std::string(" (mode confidentiality, as far as can be told)") : " (mode " + mode + ")"),
      std::string(fix_lockdown));
}

Answer probe_raw_tp(ProbeContext& context) {
  constexpr Capability asked = Capability::raw_tp;
  constexpr std::string_view what = "a raw tracepoint program";
  const Result<UniqueFd> program = load_program(context.system(), {.type = BPF_PROG_TYPE_RAW_TRACEPOINT}, do_nothing,
                                                "load a raw tracepoint program");
  if (!program) {
    if (is_absence(program.error())) return unsupported(asked, "this kernel has no raw tracepoint programs");
    return not_concluded(context, asked, what, cap_bpf, program.error());
  }
  const Result<UniqueFd> link =
      open_raw_tracepoint(context.system(), *program, "sys_enter", "attach to raw tracepoint sys_enter");
  if (link) return supported(asked);
  if (link.error().os_error == ENOENT) return unsupported(asked, "this kernel has no tracepoint sys_enter");
  return not_concluded(context, asked, "attaching to a raw tracepoint", cap_bpf, link.error());
}

// Typed tracepoints and functions differ only in what the program names as its target.
static Answer probe_typed(ProbeContext& context, Capability asked, std::uint32_t attach_type,
                          std::uint32_t HookTypes::* target, std::string_view target_name, std::string_view what) {
  const Result<HookTypes>& types = context.hook_types();
  if (!types) {
    if (types.error().code == Errc::not_found) {
      Answer without = probe_btf(context);
      return {asked, without.verdict, "needs btf: " + without.reason, std::move(without.fix)};
    }
    return unknown(asked, "needs btf: " + types.error().context);
  }
  const std::uint32_t id = (*types).*target;
  if (id == 0) return unsupported(asked, "this kernel's type information has no " + std::string(target_name));
  const Result<UniqueFd> program =
      load_program(context.system(), {BPF_PROG_TYPE_TRACING, attach_type, id}, do_nothing, "load " + std::string(what));
  if (!program) {
    if (is_absence(program.error())) return unsupported(asked, "this kernel cannot load " + std::string(what));
    return not_concluded(context, asked, what, cap_bpf, program.error());
  }
  const Result<UniqueFd> link = open_raw_tracepoint(context.system(), *program, nullptr, "attach " + std::string(what));
  if (link) return supported(asked);
  constexpr int not_supported_in_kernel = 524;  // ENOTSUPP, which user space has no name for
  if (link.error().os_error == not_supported_in_kernel)
    return unsupported(asked, "this kernel cannot attach " + std::string(what) + " on this architecture");
  if (link.error().os_error == EBUSY)
    return unknown(asked, "attaching " + std::string(what) + " fails with EBUSY: function tracing may be switched off",
                   "sudo sysctl kernel.ftrace_enabled=1");
  return not_concluded(context, asked, "attaching " + std::string(what), cap_bpf, link.error());
}

Answer probe_tp_btf(ProbeContext& context) {
  return probe_typed(context, Capability::tp_btf, BPF_TRACE_RAW_TP, &HookTypes::sys_enter_tracepoint,
                     "btf_trace_sys_enter", "a typed tracepoint program");
}

// Whether programs of the same kind, which hang on typed tracepoints, are let through.
static bool typed_tracepoints_load(ProbeContext& context) {
  const Result<HookTypes>& types = context.hook_types();
  if (!types || types->sys_enter_tracepoint == 0) return false;
  const ProgramKind kind{BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, types->sys_enter_tracepoint};
  return load_program(context.system(), kind, do_nothing, "load a typed tracepoint program").has_value();
}

// kernel.ftrace_enabled: then functions still take programs, which are never run.
static bool function_tracing_is_off(ProbeContext& context) {
  const Result<std::string> value = read_word(context.system(), "/proc/sys/kernel/ftrace_enabled");
  return value && *value == "0";
}
constexpr std::string_view switched_off = "function tracing is switched off (kernel.ftrace_enabled is 0): ";
constexpr std::string_view switch_on = "sudo sysctl kernel.ftrace_enabled=1";

static Answer probe_function(ProbeContext& context, Capability asked, std::uint32_t attach_type,
                             std::string_view what) {
  // Not tried: what is attached meanwhile spoils the kernel's books, and nothing attaches any more once it is on.
  if (const Result<HookTypes>& types = context.hook_types(); types && function_tracing_is_off(context))
    return unsupported(asked, std::string(switched_off) + "such a program would never run",
                       fix_on_host(context.host(), switch_on));
  Answer answer = probe_typed(context, asked, attach_type, &HookTypes::test_function, "bpf_fentry_test1", what);
  if (is_not_permitted(answer) && holds(context.host(), cap_perfmon) &&
      lockdown_mode(context.system()) != "confidentiality" && typed_tracepoints_load(context)) {
    answer.reason = std::string(not_permitted_prefix) + "this kernel's vendor, or a security module, forbids " +
                    std::string(what) + ": it is refused (EPERM) with all privileges, while a typed tracepoint " +
                    "program loads";
    answer.fix = fix_kernel(context.host(), "that allows fentry programs");
  }
  return answer;
}

Answer probe_fentry(ProbeContext& context) {
  constexpr Capability asked = Capability::fentry;
  Answer answer = probe_function(context, asked, BPF_TRACE_FENTRY, "a function entry program");
  const Result<HookTypes>& types = context.hook_types();
  if (answer.verdict != Verdict::supported || !types) return answer;
  if (types->preempt_disable == 0 &&
      is_fully_preemptible(kernel_version(context.system()), preemption_modes(context.system())))
    return unsupported(asked, std::string(skipped_meanwhile));
  if (types->rdonly_cast != 0) return answer;
  const Answer reads = probe_bpf_probe_read_kernel(context);
  if (reads.verdict == Verdict::supported) return answer;
  return unsupported(
      asked, "without kernel reads it would see only the first segment of a writev or sendmsg here: " + reads.reason,
      reads.fix);
}

Answer probe_fexit(ProbeContext& context) {
  return probe_function(context, Capability::fexit, BPF_TRACE_FEXIT, "a function exit program");
}

// Whether a probe of a function that this thread calls counts the call.
static bool own_read_is_counted(System& system, std::uint32_t kprobe_type) {
  perf_event_attr attributes{};
  attributes.type = kprobe_type;
  constexpr char function[] = "vfs_read";
  attributes.kprobe_func = address_of(function);
  Result<UniqueFd> event = open_perf_event(system, attributes, "probe vfs_read", WatchedTask::this_thread);
  if (!event) return false;
  (void)system.read_file("/proc/self/stat", 1);
  std::uint64_t count = 0;
  const long got = system.call(SYS_read, {static_cast<std::uintptr_t>(event->get()), address_of(&count), sizeof count});
  system.close_slowly(std::move(*event));
  return got == static_cast<long>(sizeof count) && count != 0;
}

Answer probe_kprobe(ProbeContext& context) {
  constexpr Capability asked = Capability::kprobe;
  constexpr std::size_t number_bytes = 16;
  const Result<std::string> type =
      context.system().read_file("/sys/bus/event_source/devices/kprobe/type", number_bytes);
  if (!type) {
    if (type.error().code == Errc::not_found)
      return is_there(context.system(), "/sys/bus/event_source/devices")
                 ? unsupported(asked, "this kernel is built without kernel probes (CONFIG_KPROBE_EVENTS=n)",
                               fix_kernel(context.host(), "with CONFIG_KPROBES=y and CONFIG_KPROBE_EVENTS=y"))
                 : no_event_sources(context, asked);
    return not_concluded(context, asked, "reading the kprobe event type", cap_perfmon, type.error());
  }
  perf_event_attr attributes{};
  const auto [end, error] = std::from_chars(type->data(), type->data() + type->size(), attributes.type);
  if (error != std::errc{}) return unknown(asked, "the kprobe event type is not a number");
  constexpr char function[] = "tcp_sendmsg";
  attributes.kprobe_func = address_of(function);
  Result<UniqueFd> event = open_perf_event(context.system(), attributes, "probe tcp_sendmsg");
  if (event) {
    context.system().close_slowly(std::move(*event));
    // Where probes are breakpoints they do not need it.
    if (function_tracing_is_off(context) && !own_read_is_counted(context.system(), attributes.type))
      return unsupported(asked, std::string(switched_off) + "a probed function is not noticed",
                         fix_on_host(context.host(), switch_on));
    return supported(asked);
  }
  if (event.error().os_error == ENOENT) return unsupported(asked, "this kernel has no function tcp_sendmsg to probe");
  return perf_refused(context, asked, "a kernel function probe", event.error());
}

Answer probe_perf_event_open(ProbeContext& context) {
  constexpr Capability asked = Capability::perf_event_open;
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_BPF_OUTPUT;
  attributes.sample_type = PERF_SAMPLE_RAW;
  const Result<UniqueFd> event = open_perf_event(context.system(), attributes, "perf_event_open(2)");
  if (event) return supported(asked);
  if (event.error().os_error == ENOSYS) return unsupported(asked, "this kernel has no perf_event_open(2)");
  if (event.error().os_error == EINVAL || event.error().os_error == ENOENT)
    return unsupported(asked, "this kernel has no BPF output events");
  return perf_refused(context, asked, "perf_event_open(2)", event.error());
}

Answer probe_syscall_tp(ProbeContext& context) {
  constexpr Capability asked = Capability::syscall_tp;
  const Result<std::uint64_t> id = tracepoint_id(context.system(), "syscalls/sys_enter_read");
  if (!id) {
    if (id.error().code == Errc::not_permitted)
      return not_permitted(context, asked, "reading the event directory", cap_dac_read_search);
    Answer without = probe_tracefs(context);
    return {asked, without.verdict, "needs tracefs: " + without.reason, std::move(without.fix)};
  }
  if (may_preempt_tracepoints(kernel_version(context.system()), preemption_modes(context.system())))
    return unsupported(asked, std::string(skipped_meanwhile));
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = *id;
  attributes.sample_period = 1;
  attributes.wakeup_events = 1;
  Result<UniqueFd> event = open_perf_event(context.system(), attributes, "open syscalls:sys_enter_read");
  if (!event) return perf_refused(context, asked, "a syscall tracepoint", event.error());
  context.perf_opens_events = true;
  const Result<UniqueFd> program =
      load_program(context.system(), {.type = BPF_PROG_TYPE_TRACEPOINT}, do_nothing, "load a tracepoint program");
  if (!program) {
    context.system().close_slowly(std::move(*event));
    if (is_absence(program.error())) return unsupported(asked, "this kernel has no tracepoint programs");
    return not_concluded(context, asked, "a tracepoint program", cap_bpf, program.error());
  }
  const long attached = context.system().call(
      SYS_ioctl,
      {static_cast<std::uintptr_t>(event->get()), PERF_EVENT_IOC_SET_BPF, static_cast<std::uintptr_t>(program->get())});
  context.system().close_slowly(std::move(*event));
  if (attached >= 0) return supported(asked);
  const Error error = os_failure(static_cast<int>(-attached), "attach to syscalls:sys_enter_read");
  if (error.os_error == EINVAL) return unsupported(asked, "this kernel does not run programs on syscall tracepoints");
  return perf_refused(context, asked, "attaching to a syscall tracepoint", error);
}

}  // namespace tracer
