#include "probe-matrix/network_probes.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/if_packet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "core/base/unique_fd.h"
#include "probe-matrix/probe_answers.h"

namespace tracer {
namespace {

constexpr int packet_ignore_outgoing_option = 23;  // PACKET_IGNORE_OUTGOING, younger than some headers

std::uintptr_t word(const void* object) { return reinterpret_cast<std::uintptr_t>(object); }

Result<UniqueFd> open_socket(System& system, int domain, int type, int protocol, std::string_view what) {
  const long result =
      system.call(SYS_socket, {static_cast<std::uintptr_t>(domain), static_cast<std::uintptr_t>(type | SOCK_CLOEXEC),
                               static_cast<std::uintptr_t>(protocol)});
  if (result < 0) return std::unexpected(os_failure(static_cast<int>(-result), what));
  return UniqueFd(static_cast<int>(result));
}

// Joins multicast groups of a netlink protocol.
Result<UniqueFd> open_netlink(System& system, int type, int protocol, std::uint32_t groups, std::string_view what) {
  Result<UniqueFd> socket = open_socket(system, AF_NETLINK, type, protocol, what);
  if (!socket) return socket;
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  const long bound =
      system.call(SYS_bind, {static_cast<std::uintptr_t>(socket->get()), word(&address), sizeof address});
  if (bound < 0) return std::unexpected(os_failure(static_cast<int>(-bound), what));
  return socket;
}

struct ProcEventsRequest {
  nlmsghdr header{};
  std::array<char, sizeof(cn_msg) + sizeof(proc_cn_mcast_op)> body{};
};

long ask_for_proc_events(System& system, const UniqueFd& socket, proc_cn_mcast_op operation) {
  ProcEventsRequest request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = NLMSG_DONE;
  cn_msg message{};
  message.id = {CN_IDX_PROC, CN_VAL_PROC};
  message.len = sizeof operation;
  std::memcpy(request.body.data(), &message, sizeof message);
  std::memcpy(request.body.data() + sizeof message, &operation, sizeof operation);
  return system.call(SYS_sendto, {static_cast<std::uintptr_t>(socket.get()), word(&request), sizeof request});
}

enum class ProcNews : std::uint8_t { the_child, refused, nothing };

// Reads what has arrived, waiting a moment for the first.
ProcNews read_proc_events(System& system, const UniqueFd& socket, std::uint32_t child) {
  constexpr int messages_max = 256;
  constexpr long wait_ns = 50'000'000;
  const auto fd = static_cast<std::uintptr_t>(socket.get());
  pollfd waiting{socket.get(), POLLIN, 0};
  ProcNews news = ProcNews::nothing;
  for (int i = 0; i < messages_max; ++i) {
    timespec patience{0, wait_ns};
    if (system.call(SYS_ppoll, {word(&waiting), 1, word(&patience)}) <= 0) return news;
    alignas(nlmsghdr) std::array<char, 1024> message{};
    const long size = system.call(SYS_recvfrom, {fd, word(message.data()), message.size(), MSG_DONTWAIT});
    constexpr std::size_t event_at = sizeof(nlmsghdr) + sizeof(cn_msg);
    if (size < static_cast<long>(event_at + sizeof(proc_event))) return news;
    proc_event event{};
    std::memcpy(&event, message.data() + event_at, sizeof event);
    const auto what = static_cast<std::uint32_t>(event.what);
    if (what == 0 && event.event_data.ack.err != 0) return ProcNews::refused;  // PROC_EVENT_NONE answers a request
    constexpr std::uint32_t forked = 1, ended = 0x80000000;
    if (what == forked && static_cast<std::uint32_t>(event.event_data.fork.child_tgid) == child)
      return ProcNews::the_child;
    if (what == ended && static_cast<std::uint32_t>(event.event_data.exit.process_tgid) == child)
      return ProcNews::the_child;
  }
  return news;
}

}  // namespace

// Asks for the listening TCP sockets and looks at the first message of the answer only.
Answer probe_sock_diag(ProbeContext& context) {
  constexpr Capability asked = Capability::sock_diag;
  System& system = context.system();
  const Result<UniqueFd> socket =
      open_socket(system, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG, "open a sock_diag socket");
  if (!socket) {
    if (socket.error().code == Errc::not_supported) return unsupported(asked, "this kernel has no sock_diag");
    return not_concluded(context, asked, "a sock_diag socket", cap_net_admin, socket.error());
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
    if (header.nlmsg_type != NLMSG_ERROR && header.nlmsg_type != NLMSG_DONE) return supported(asked);
    std::int32_t code = 0;
    if (result >= static_cast<long>(sizeof header + sizeof code))
      std::memcpy(&code, reply.data() + sizeof header, sizeof code);
    // The end of an empty list, or, where only inet_diag is loaded, what went wrong.
    if (header.nlmsg_type == NLMSG_DONE && code >= 0) return supported(asked);
    result = code;
  }
  if (result == -ENOENT)
    return unsupported(asked, "this kernel cannot list TCP sockets: its module tcp_diag is not loaded",
                       context.host().kernel_from_outside
                           ? fix_kernel(context.host(), "with CONFIG_INET_DIAG=y")  // nor are its modules here
                           : fix_on_host(context.host(), "sudo modprobe tcp_diag"));
  if (result >= 0) return unknown(asked, "sock_diag gave an answer that is not one");
  return not_concluded(context, asked, "listing TCP sockets", cap_net_admin,
                       os_failure(static_cast<int>(-result), "list TCP sockets"));
}

// The kernel tells of a socket's end in four groups; TCP over IPv4 and IPv6 are 1 and 3.
Answer probe_sock_destroy_events(ProbeContext& context) {
  constexpr Capability asked = Capability::sock_destroy_events;
  constexpr std::uint32_t groups = 1U << (SKNLGRP_INET_TCP_DESTROY - 1) | 1U << (SKNLGRP_INET6_TCP_DESTROY - 1);
  const Result<UniqueFd> socket =
      open_netlink(context.system(), SOCK_RAW, NETLINK_SOCK_DIAG, groups, "listen for the ends of sockets");
  if (socket) return supported(asked);
  if (socket.error().code == Errc::not_supported) return unsupported(asked, "this kernel has no sock_diag");
  return not_concluded(context, asked, "hearing of the ends of sockets", cap_net_admin, socket.error());
}

// That the socket opens proves nothing: some kernels, and all outside of the initial namespaces, then tell nobody.
Answer probe_proc_events(ProbeContext& context) {
  constexpr Capability asked = Capability::proc_events;
  System& system = context.system();
  const Result<UniqueFd> socket =
      open_netlink(system, SOCK_DGRAM, NETLINK_CONNECTOR, CN_IDX_PROC, "listen to the process connector");
  if (!socket) {
    if (socket.error().code == Errc::not_supported || socket.error().os_error == ENOENT)
      return unsupported(asked, "this kernel has no process connector (CONFIG_PROC_EVENTS=n)");
    return not_concluded(context, asked, "the process connector", cap_net_admin, socket.error());
  }
  if (const long sent = ask_for_proc_events(system, *socket, PROC_CN_MCAST_LISTEN); sent < 0) {
    if (sent == -ECONNREFUSED) return unsupported(asked, "this kernel has no process connector (CONFIG_PROC_EVENTS=n)");
    return not_concluded(context, asked, "the process connector", cap_net_admin,
                         os_failure(static_cast<int>(-sent), "ask the process connector"));
  }
  const Result<std::uint32_t> child = system.run_child();
  const ProcNews news = child ? read_proc_events(system, *socket, *child) : ProcNews::nothing;
  // Kernels before 6.6 count listeners, and not by their sockets.
  (void)ask_for_proc_events(system, *socket, PROC_CN_MCAST_IGNORE);
  if (!child) return unknown(asked, child.error().context);
  if (news == ProcNews::the_child) return supported(asked);
  if (news == ProcNews::refused) return not_permitted(context, asked, "the process connector", cap_net_admin);
  return unsupported(asked,
                     "the process connector opens and tells nothing: an own child was not reported (outside of the "
                     "initial pid and user namespace it is silent, and so are some kernels)",
                     context.host().container.value_or(ContainerKind::none) == ContainerKind::none
                         ? ""
                         : fix_privilege(context.host(), cap_net_admin));
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
  return not_concluded(context, asked, "a packet socket", cap_net_raw, socket.error());
}

namespace {

// Protocol 0 receives nothing.
Answer probe_packet_option(ProbeContext& context, Capability asked, int option, int value, std::string_view what) {
  Result<UniqueFd> socket = open_socket(context.system(), AF_PACKET, SOCK_RAW, 0, "open a packet socket");
  if (!socket) {
    if (socket.error().code == Errc::not_supported)
      return unsupported(asked, "this kernel has no packet sockets (CONFIG_PACKET=n)");
    return not_concluded(context, asked, "a packet socket", cap_net_raw, socket.error());
  }
  const long set =
      context.system().call(SYS_setsockopt, {static_cast<std::uintptr_t>(socket->get()), SOL_PACKET,
                                             static_cast<std::uintptr_t>(option), word(&value), sizeof value});
  context.system().close_slowly(std::move(*socket));
  if (set >= 0) return supported(asked);
  if (set == -ENOPROTOOPT || set == -EINVAL) return unsupported(asked, "this kernel has no " + std::string(what));
  return not_concluded(context, asked, what, cap_net_raw, os_failure(static_cast<int>(-set), what));
}

}  // namespace

Answer probe_packet_ring_v3(ProbeContext& context) {
  return probe_packet_option(context, Capability::packet_ring_v3, PACKET_VERSION, TPACKET_V3, "TPACKET_V3 rings");
}

Answer probe_packet_ignore_outgoing(ProbeContext& context) {
  return probe_packet_option(context, Capability::packet_ignore_outgoing, packet_ignore_outgoing_option, 1,
                             "PACKET_IGNORE_OUTGOING; packets of the loopback interface come twice");
}

}  // namespace tracer
