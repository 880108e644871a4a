#include "probe-matrix/prober.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "core/base/btf_ids.h"
#include "core/base/bytes.h"
#include "core/base/unique_fd.h"
#include "probe-matrix/bpf_probes.h"
#include "probe-matrix/probe_answers.h"

namespace tracer {
namespace {

Result<UniqueFd> open_socket(System& system, int domain, int type, int protocol, std::string_view what) {
  const long result =
      system.call(SYS_socket, {static_cast<std::uintptr_t>(domain), static_cast<std::uintptr_t>(type | SOCK_CLOEXEC),
                               static_cast<std::uintptr_t>(protocol)});
  if (result < 0) return std::unexpected(os_failure(static_cast<int>(-result), what));
  return UniqueFd(static_cast<int>(result));
}

Answer probe_btf(ProbeContext& context) {
  constexpr Capability asked = Capability::btf;
  const Result<HookTypes>& types = context.hook_types();
  if (types) return supported(asked);
  switch (types.error().code) {
    case Errc::not_found:
      return unsupported(asked, "this kernel carries no type information (CONFIG_DEBUG_INFO_BTF=n)");
    case Errc::malformed:
      return unsupported(asked, types.error().context);
    default:
      return not_concluded(context.system(), asked, std::string("reading ") + kernel_types_path, cap_bpf,
                           types.error());
  }
}

Answer probe_tracefs(ProbeContext& context) {
  constexpr Capability asked = Capability::tracefs;
  const Result<std::uint64_t> id = tracepoint_id(context.system(), "syscalls/sys_enter_read");
  if (id) return supported(asked);
  if (id.error().code == Errc::not_permitted)
    return not_permitted(context.system(), asked, "reading /sys/kernel/tracing", cap_perfmon);
  if (id.error().code != Errc::not_found) return unknown(asked, id.error().context);
  const auto exists = [&](const char* path) {
    const Result<std::string> content = context.system().read_file(path, 1);
    return content.has_value() || content.error().os_error == EISDIR;
  };
  if (exists("/sys/kernel/tracing/events") || exists("/sys/kernel/debug/tracing/events"))
    return unsupported(asked, "this kernel has no syscall tracepoints (CONFIG_FTRACE_SYSCALLS=n)");
  if (exists("/sys/kernel/tracing"))
    return unknown(asked, "tracefs is not mounted", "sudo mount -t tracefs tracefs /sys/kernel/tracing");
  return unsupported(asked, "this kernel has no tracefs (CONFIG_TRACING=n)");
}

// Asks for the listening TCP sockets and looks at the first message of the answer only.
Answer probe_sock_diag(ProbeContext& context) {
  constexpr Capability asked = Capability::sock_diag;
  System& system = context.system();
  const Result<UniqueFd> socket =
      open_socket(system, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG, "open a sock_diag socket");
  if (!socket) {
    if (socket.error().code == Errc::not_supported) return unsupported(asked, "this kernel has no sock_diag");
    return not_concluded(system, asked, "a sock_diag socket", cap_net_admin, socket.error());
  }
  struct Request {
    nlmsghdr header;
    inet_diag_req_v2 body;
  } request{};
  constexpr std::uint32_t listening = 1U << 10;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.sdiag_family = AF_INET;
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = listening;
  const auto fd = static_cast<std::uintptr_t>(socket->get());
  long result = system.call(SYS_sendto, {fd, reinterpret_cast<std::uintptr_t>(&request), sizeof request});
  alignas(nlmsghdr) std::array<char, 16 * 1024> reply{};
  if (result >= 0)
    result =
        system.call(SYS_recvfrom, {fd, reinterpret_cast<std::uintptr_t>(reply.data()), reply.size(), MSG_DONTWAIT});
  nlmsghdr header{};
  if (result >= static_cast<long>(sizeof header)) {
    std::memcpy(&header, reply.data(), sizeof header);
    if (header.nlmsg_type != NLMSG_ERROR) return supported(asked);
    std::int32_t code = 0;
    if (result >= static_cast<long>(sizeof header + sizeof code))
      std::memcpy(&code, reply.data() + sizeof header, sizeof code);
    result = code;
  }
  if (result == -ENOENT)
    return unsupported(asked, "this kernel cannot list TCP sockets: its module tcp_diag is not loaded",
                       "sudo modprobe tcp_diag");
  if (result >= 0) return unknown(asked, "sock_diag gave an answer that is not one");
  return not_concluded(system, asked, "listing TCP sockets", cap_net_admin,
                       os_failure(static_cast<int>(-result), "list TCP sockets"));
}

// Process 1 is always there and never ours. Its descriptors are shown to whoever may see everybody's.
Answer probe_proc_other_processes(ProbeContext& context) {
  constexpr Capability asked = Capability::proc_other_processes;
  const Result<std::string> target = context.system().read_link("/proc/1/fd/0");
  if (target) return supported(asked);
  if (target.error().code == Errc::not_permitted)
    return not_permitted(context.system(), asked, "looking into process 1", cap_sys_ptrace);
  const Result<std::string> process = context.system().read_file("/proc/1", 1);
  if (!process && process.error().code == Errc::not_found) {
    const Result<std::string> proc = context.system().read_file("/proc/self", 1);
    if (!proc && proc.error().code == Errc::not_found)
      return unsupported(asked, "/proc is not mounted", "sudo mount -t proc proc /proc");
    return unknown(asked, "not permitted: /proc hides other users' processes (mount option hidepid)", "sudo tracer");
  }
  // It may have closed its descriptor 0; being let through as far as that is the permission.
  if (target.error().code == Errc::not_found) return supported(asked);
  return unknown(asked, target.error().context);
}

Answer probe_packet_socket(ProbeContext& context) {
  constexpr Capability asked = Capability::packet_socket;
  // Protocol 0 receives nothing.
  Result<UniqueFd> socket = open_socket(context.system(), AF_PACKET, SOCK_RAW, 0, "open a packet socket");
  if (socket) {
    context.system().close_slowly(std::move(*socket));
    return supported(asked);
  }
  if (socket.error().code == Errc::not_supported)
    return unsupported(asked, "this kernel has no packet sockets (CONFIG_PACKET=n)");
  return not_concluded(context.system(), asked, "a packet socket", cap_net_raw, socket.error());
}

constexpr std::array probe_rows{
    Probe{Capability::bpf_syscall, "3.18", "99c55f7d47c0", probe_bpf_syscall},
    Probe{Capability::btf, "5.4", "341dfcf8d78e", probe_btf},
    Probe{Capability::bpf_ring_buffer, "5.8", "457f44363a88", probe_bpf_ring_buffer},
    Probe{Capability::bpf_mmapable_array, "5.5", "fc9702273e2e", probe_bpf_mmapable_array},
    Probe{Capability::bpf_probe_read_kernel, "5.5", "6ae08ae3dea2", probe_bpf_probe_read_kernel},
    Probe{Capability::fentry, "5.5", "fec56f5890d9", probe_fentry},
    Probe{Capability::kprobe, "4.17", "e12f03d7031a", probe_kprobe},
    Probe{Capability::tp_btf, "5.5", "f1b9509c2fb0", probe_tp_btf},
    Probe{Capability::raw_tp, "4.17", "c4f6699dfcb8", probe_raw_tp},
    Probe{Capability::tracefs, "4.1", "4282d60689d4", probe_tracefs},
    Probe{Capability::syscall_tp, "4.14", "cf5f5cea2706", probe_syscall_tp},
    Probe{Capability::perf_event_open, "4.4", "a43eec304259", probe_perf_event_open},
    Probe{Capability::sock_diag, "3.3", "", probe_sock_diag},
    Probe{Capability::proc_other_processes, "", "", probe_proc_other_processes},
    Probe{Capability::packet_socket, "", "", probe_packet_socket},
};

}  // namespace

const Result<HookTypes>& ProbeContext::hook_types() {
  if (hook_types_) return *hook_types_;
  std::array wanted{BtfWanted{BtfKind::type_definition, "btf_trace_sys_enter"},
                    BtfWanted{BtfKind::function, "bpf_fentry_test1"}};
  const Result<std::string> image = system_.read_file(kernel_types_path, kernel_types_bytes_max);
  if (!image) return hook_types_.emplace(std::unexpected(image.error()));
  if (Result<void> found = find_btf_ids(as_bytes(*image), wanted); !found)
    return hook_types_.emplace(std::unexpected(std::move(found).error()));
  return hook_types_.emplace(HookTypes{wanted[0].id, wanted[1].id});
}

std::span<const Probe> probes() { return probe_rows; }

CapabilityReport probe_all(System& system) {
  ProbeContext context(system);
  CapabilityReport report;
  report.answers.reserve(probe_rows.size());
  allow_locked_memory(system);
  for (const Probe& probe : probe_rows) report.answers.push_back(probe.run(context));
  return report;
}

}  // namespace tracer
