#include "probe-matrix/prober.h"

#include <algorithm>
#include <array>

#include "core/base/btf_ids.h"
#include "core/base/bytes.h"
#include "probe-matrix/bpf_probes.h"
#include "probe-matrix/feature_probes.h"
#include "probe-matrix/file_probes.h"
#include "probe-matrix/kernel_probes.h"
#include "probe-matrix/network_probes.h"
#include "probe-matrix/place_probes.h"
#include "probe-matrix/privilege_probes.h"
#include "probe-matrix/report.h"

namespace tracer {
namespace {

using enum Capability;
using enum Family;

constexpr std::array probe_rows{
    Probe{bpf_syscall, bpf, "3.18", "99c55f7d47c0", probe_bpf_syscall},
    Probe{btf, kernel, "5.4", "341dfcf8d78e", probe_btf},
    Probe{bpf_ring_buffer, bpf, "5.8", "457f44363a88", probe_bpf_ring_buffer},
    Probe{bpf_mmapable_array, bpf, "5.5", "fc9702273e2e", probe_bpf_mmapable_array},
    Probe{bpf_probe_read_kernel, bpf, "5.5", "6ae08ae3dea2", probe_bpf_probe_read_kernel},
    Probe{fentry, attach, "5.5", "fec56f5890d9", probe_fentry},
    Probe{kprobe, attach, "4.17", "e12f03d7031a", probe_kprobe},
    Probe{tp_btf, attach, "5.5", "f1b9509c2fb0", probe_tp_btf},
    Probe{raw_tp, attach, "4.17", "c4f6699dfcb8", probe_raw_tp},
    Probe{tracefs, tracing, "4.1", "4282d60689d4", probe_tracefs},
    Probe{syscall_tp, attach, "4.14", "cf5f5cea2706", probe_syscall_tp},
    Probe{perf_event_open, tracing, "4.4", "a43eec304259", probe_perf_event_open},
    Probe{sock_diag, netlink, "3.3", "", probe_sock_diag},
    Probe{proc_other_processes, file, "", "", probe_proc_other_processes},
    Probe{packet_socket, packet, "", "", probe_packet_socket},
    Probe{tracefs_instance, tracing, "3.10", "", probe_tracefs_instance},
    Probe{proc_events, netlink, "2.6.15", "", probe_proc_events},
    Probe{proc_mounted, file, "", "", probe_proc_mounted},
    Probe{proc_net_tcp, file, "", "", probe_proc_net_tcp},
    Probe{kernel_symbols, kernel, "", "", probe_kernel_symbols},
    Probe{function_tracing, kernel, "", "", probe_function_tracing},
    Probe{bpf_jit, kernel, "", "", probe_bpf_jit},
    Probe{bpf_prog_socket_filter, bpf, "3.19", "ddd872bc3098", probe_prog_socket_filter},
    Probe{bpf_prog_kprobe, bpf, "4.1", "2541517c32be", probe_prog_kprobe},
    Probe{bpf_prog_tracepoint, bpf, "4.7", "98b5c2c65c29", probe_prog_tracepoint},
    Probe{bpf_prog_raw_tracepoint, bpf, "4.17", "c4f6699dfcb8", probe_prog_raw_tracepoint},
    Probe{bpf_prog_perf_event, bpf, "4.9", "0515e5999a46", probe_prog_perf_event},
    Probe{bpf_prog_tracing, bpf, "5.5", "f1b9509c2fb0", probe_prog_tracing},
    Probe{bpf_map_hash, bpf, "3.19", "0f8e4bd8a1fc", probe_map_hash},
    Probe{bpf_map_lru_hash, bpf, "4.10", "29ba732acbee", probe_map_lru_hash},
    Probe{bpf_map_percpu_array, bpf, "4.6", "a10423b87a7e", probe_map_percpu_array},
    Probe{bpf_map_perf_event_array, bpf, "4.3", "ea317b267e9d", probe_map_perf_event_array},
    Probe{bpf_probe_read_user, bpf, "5.5", "6ae08ae3dea2", probe_read_user},
    Probe{bpf_get_current_cgroup_id, bpf, "4.18", "bf6fa2c893c5", probe_current_cgroup_id},
    Probe{bpf_get_current_task_btf, bpf, "5.11", "3ca1032ab7ab", probe_current_task_btf},
    Probe{bpf_get_ns_current_pid_tgid, bpf, "5.7", "b4490c5c4e02", probe_ns_current_pid_tgid},
    Probe{bpf_loop, bpf, "5.17", "e6f2dd0f8067", probe_bpf_loop},
    Probe{bpf_global_data, bpf, "5.2", "d8eca5bbb2be", probe_global_data},
    Probe{bpf_bounded_loops, bpf, "5.3", "2589726d12a1", probe_bounded_loops},
    Probe{bpf_large_programs, bpf, "5.2", "c04c0d2b968a", probe_large_programs},
    Probe{bpf_statistics, bpf, "5.8", "d46edd671a14", probe_statistics},
    Probe{fexit, attach, "5.5", "fec56f5890d9", probe_fexit},
    Probe{uprobe, attach, "4.17", "33ea4b24277b", probe_uprobe},
    Probe{exec_tp, tracing, "3.4", "4ff16c25e2cc", probe_exec_tp},
    Probe{socket_state_tp, tracing, "4.16", "563e0bb0dc74", probe_socket_state_tp},
    Probe{packet_ring_v3, packet, "3.2", "f6fb8f100b80", probe_packet_ring_v3},
    Probe{packet_ignore_outgoing, packet, "4.20", "fa788d986a3a", probe_packet_ignore_outgoing},
    Probe{sock_destroy_events, netlink, "4.3", "eb4cb008529c", probe_sock_destroy_events},
    Probe{fanotify, file, "2.6.37", "", probe_fanotify},
    Probe{fanotify_exec, file, "5.0", "9b076f1c0f48", probe_fanotify_exec},
    Probe{proc_maps, file, "", "", probe_proc_maps},
    Probe{proc_complete, file, "", "", probe_proc_complete},
    Probe{Capability::cap_bpf, privilege, "5.8", "a17b53c4a4b5", probe_privilege_bit<Capability::cap_bpf, 39>},
    Probe{Capability::cap_perfmon, privilege, "5.8", "980737282232", probe_privilege_bit<Capability::cap_perfmon, 38>},
    Probe{Capability::cap_net_admin, privilege, "", "", probe_privilege_bit<Capability::cap_net_admin, 12>},
    Probe{Capability::cap_net_raw, privilege, "", "", probe_privilege_bit<Capability::cap_net_raw, 13>},
    Probe{Capability::cap_sys_admin, privilege, "", "", probe_privilege_bit<Capability::cap_sys_admin, 21>},
    Probe{Capability::cap_sys_ptrace, privilege, "", "", probe_privilege_bit<Capability::cap_sys_ptrace, 19>},
    Probe{Capability::cap_dac_read_search, privilege, "", "", probe_privilege_bit<Capability::cap_dac_read_search, 2>},
    Probe{cap_sys_resource, privilege, "", "", probe_privilege_bit<cap_sys_resource, 24>},
    Probe{Capability::cap_syslog, privilege, "2.6.37", "ce6ada35bdf7", probe_privilege_bit<Capability::cap_syslog, 34>},
    Probe{seccomp_free, policy, "", "", probe_seccomp_free},
    Probe{initial_user_namespace, policy, "", "", probe_initial_user_namespace},
    Probe{initial_pid_namespace, policy, "", "", probe_initial_pid_namespace},
    Probe{lockdown_off, policy, "5.4", "000d388ed3bb", probe_lockdown_off},
    Probe{security_modules, policy, "4.11", "d69dece5f5b6", probe_security_modules},
    Probe{perf_unrestricted, policy, "", "", probe_perf_unrestricted},
    Probe{bpf_unprivileged, policy, "4.4", "1be7f75d1668", probe_bpf_unprivileged},
    Probe{memlock_unlimited, policy, "", "", probe_memlock_unlimited},
    Probe{in_container, place, "", "", probe_in_container},
    Probe{in_virtual_machine, place, "", "", probe_in_virtual_machine},
    Probe{in_wsl, place, "", "", probe_in_wsl},
    Probe{in_gvisor, place, "", "", probe_in_gvisor},
};

template <typename Wanted>
CapabilityReport probe_those(System& system, Wanted wanted) {
  ProbeContext context(system);
  CapabilityReport report;
  report.answers.reserve(probe_rows.size());
  // Before its limit is raised, or the question answers itself.
  std::optional<Answer> memlock;
  if (wanted(memlock_unlimited)) memlock = probe_memlock_unlimited(context);
  allow_locked_memory(system);
  for (const Probe& probe : probe_rows) {
    if (!wanted(probe.capability)) continue;
    report.answers.push_back(probe.capability == memlock_unlimited ? *memlock : probe.run(context));
  }
  explain_without_bpf(report);
  return report;
}

}  // namespace

std::string_view to_string(Family family) {
  switch (family) {
    case kernel:
      return "kernel";
    case bpf:
      return "bpf";
    case attach:
      return "attach";
    case tracing:
      return "tracing";
    case packet:
      return "packet";
    case netlink:
      return "netlink";
    case Family::file:
      return "file";
    case privilege:
      return "privilege";
    case policy:
      return "policy";
    case place:
      return "place";
  }
  return "";
}

const Result<HookTypes>& ProbeContext::hook_types() {
  if (hook_types_) return *hook_types_;
  std::array wanted{BtfWanted{BtfKind::type_definition, "btf_trace_sys_enter"},
                    BtfWanted{BtfKind::function, "bpf_fentry_test1"}, BtfWanted{BtfKind::function, "bpf_rdonly_cast"},
                    BtfWanted{BtfKind::function, "bpf_preempt_disable"}};
  const Result<std::string> image = system_.read_file(kernel_types_path, kernel_types_bytes_max);
  if (!image) return hook_types_.emplace(std::unexpected(image.error()));
  if (Result<void> found = find_btf_ids(as_bytes(*image), wanted); !found)
    return hook_types_.emplace(std::unexpected(std::move(found).error()));
  return hook_types_.emplace(HookTypes{wanted[0].id, wanted[1].id, wanted[2].id, wanted[3].id});
}

const Host& ProbeContext::host() {
  if (!host_) host_ = read_host(system_);
  return *host_;
}

std::span<const Probe> probes() { return probe_rows; }

CapabilityReport probe_all(System& system) {
  return probe_those(system, [](Capability) { return true; });
}

CapabilityReport probe_needed(System& system, std::span<const Capability> needed) {
  return probe_those(system, [&](Capability asked) { return std::ranges::find(needed, asked) != needed.end(); });
}

}  // namespace tracer
