#include "backends/procfs/sock_diag.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>

namespace tracer::procfs {
namespace {

constexpr std::size_t receive_buffer_bytes =
    std::size_t{64} * 1024;  // the kernel fills at most 32 KiB of it per message
constexpr timeval receive_timeout{.tv_sec = 2,
                                  .tv_usec = 0};  // the kernel answers in the call itself; never hang on it
constexpr std::uint32_t all_states = ~0U;
constexpr std::uint32_t bit_of(TcpState state) { return 1U << static_cast<unsigned>(state); }
constexpr std::uint32_t only_listening = bit_of(TcpState::listen);
constexpr std::uint32_t listening_or_connected =
    only_listening | bit_of(TcpState::established) | bit_of(TcpState::syn_sent) | bit_of(TcpState::fin_wait1) |
    bit_of(TcpState::fin_wait2) | bit_of(TcpState::close_wait) | bit_of(TcpState::last_ack) | bit_of(TcpState::closing);
constexpr std::uint8_t with_tcp_info = 1U << (INET_DIAG_INFO - 1);

struct SocketDeleter {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};
struct MessageDeleter {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using SocketHandle = std::unique_ptr<nl_sock, SocketDeleter>;
using MessageHandle = std::unique_ptr<nl_msg, MessageDeleter>;

// libnl has its own error numbers and folds several errnos into one; these are the ones that a socket call can give.
int errno_of(int netlink_error) {
  switch (std::abs(netlink_error)) {
    case NLE_PERM:
      return EPERM;
    case NLE_NOACCESS:
      return EACCES;
    case NLE_NOMEM:
      return ENOMEM;
    case NLE_AGAIN:
      return ETIMEDOUT;
    case NLE_AF_NOSUPPORT:
      return EAFNOSUPPORT;
    case NLE_PROTO_MISMATCH:
      return EPROTONOSUPPORT;
    case NLE_OPNOTSUPP:
      return EOPNOTSUPP;
    default:
      return EIO;
  }
}

Error netlink_failure(int netlink_error, const char* what) {
  const int os_error = errno_of(netlink_error);
  return Error{errc_of(os_error), os_error, std::string(what) + ": " + nl_geterror(netlink_error), {}};
}

// What the kernel's own error reply means for a dump, where ENOENT stands for a module that is not there.
Error dump_failure(int os_error) {
  Error error = os_failure(os_error, "list TCP sockets over sock_diag");
  if (os_error == ENOENT) {
    error.code = Errc::not_supported;
    error.context = "list TCP sockets over sock_diag: the kernel's tcp_diag and inet_diag are not loaded";
    error.suggestion = "modprobe tcp_diag";
  } else if (error.code == Errc::not_permitted) {
    error.suggestion = "allow AF_NETLINK sockets (seccomp profile, RestrictAddressFamilies=)";
  }
  return error;
}

bool is_ipv4(const Endpoint& endpoint) {
  constexpr std::uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(std::begin(prefix), std::end(prefix), endpoint.address.begin());
}

// What the replies to one request left behind. libnl calls back through these pointers.
struct Replies {
  // False: there is no room for it.
  const std::function<bool(const MeasuredSocket&)>& take;
  std::size_t over_limit = 0;
  bool consistent = true;
  int os_error = 0;  // of the kernel's error reply
  bool done = false;
};

int on_message(nl_msg* message, void* context) {
  auto& replies = *static_cast<Replies*>(context);
  const nlmsghdr* header = nlmsg_hdr(message);
  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return NL_SKIP;
  const auto* body = static_cast<const std::byte*>(nlmsg_data(header));
  const auto socket = parse_diag_message({body, static_cast<std::size_t>(nlmsg_datalen(header))});
  if (socket && !replies.take(*socket)) ++replies.over_limit;
  return NL_OK;
}

int on_interrupted_dump(nl_msg*, void* context) {
  static_cast<Replies*>(context)->consistent = false;
  return NL_OK;  // the message itself is delivered after this
}

// The end of a list also says what ended it early: ENOENT, where inet_diag is loaded and tcp_diag is not.
int on_finish(nl_msg* message, void* context) {
  auto& replies = *static_cast<Replies*>(context);
  const nlmsghdr* header = nlmsg_hdr(message);
  std::int32_t code = 0;
  if (nlmsg_datalen(header) >= static_cast<int>(sizeof code)) std::memcpy(&code, nlmsg_data(header), sizeof code);
  if (code < 0) replies.os_error = -code;
  replies.done = true;
  return NL_STOP;
}

int on_acknowledge(nl_msg*, void* context) {
  static_cast<Replies*>(context)->done = true;
  return NL_STOP;
}

int on_error(sockaddr_nl*, nlmsgerr* error, void* context) {
  auto& replies = *static_cast<Replies*>(context);
  replies.os_error = -error->error;
  replies.done = true;
  return NL_STOP;
}

Result<SocketHandle> connect_socket() {
  SocketHandle socket(nl_socket_alloc());
  if (!socket) return std::unexpected(os_failure(ENOMEM, "allocate a netlink socket"));
  if (const int error = nl_connect(socket.get(), NETLINK_SOCK_DIAG); error < 0) {
    return std::unexpected(netlink_failure(error, "open a NETLINK_SOCK_DIAG socket"));
  }
  // A fixed buffer, or libnl asks for the size of each message first.
  nl_socket_set_msg_buf_size(socket.get(), receive_buffer_bytes);
  ::setsockopt(nl_socket_get_fd(socket.get()), SOL_SOCKET, SO_RCVTIMEO, &receive_timeout, sizeof receive_timeout);
  return socket;
}

}  // namespace

struct SockDiag::Netlink {
  SocketHandle socket;

  // Sends one request and collects what comes back. After a failure half-way the socket holds stale replies, so it is
  // thrown away and made again by the next request.
  Result<void> ask(const inet_diag_req_v2& request, int flags, Replies& replies) {
    if (!socket) {
      auto made = connect_socket();
      if (!made) return std::unexpected(made.error());
      socket = *std::move(made);
    }
    const MessageHandle message(nlmsg_alloc_simple(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | flags));
    if (!message) return std::unexpected(os_failure(ENOMEM, "allocate a netlink message"));
    inet_diag_req_v2 body = request;  // libnl takes no const pointer
    int error = nlmsg_append(message.get(), &body, sizeof body, NLMSG_ALIGNTO);
    if (error < 0) return std::unexpected(netlink_failure(error, "build a sock_diag request"));

    nl_socket_modify_cb(socket.get(), NL_CB_VALID, NL_CB_CUSTOM, on_message, &replies);
    nl_socket_modify_cb(socket.get(), NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted_dump, &replies);
    nl_socket_modify_cb(socket.get(), NL_CB_FINISH, NL_CB_CUSTOM, on_finish, &replies);
    nl_socket_modify_cb(socket.get(), NL_CB_ACK, NL_CB_CUSTOM, on_acknowledge, &replies);
    nl_socket_modify_err_cb(socket.get(), NL_CB_CUSTOM, on_error, &replies);

    error = nl_send_auto(socket.get(), message.get());
    while (error >= 0 && !replies.done) error = nl_recvmsgs_default(socket.get());
    if (replies.done) return {};
    socket.reset();
    return std::unexpected(netlink_failure(error, "ask sock_diag"));
  }
};

SockDiag::SockDiag(std::unique_ptr<Netlink> netlink) : netlink_(std::move(netlink)) {}
SockDiag::SockDiag(SockDiag&&) noexcept = default;
SockDiag& SockDiag::operator=(SockDiag&&) noexcept = default;
SockDiag::~SockDiag() = default;

Result<SockDiag> SockDiag::open() {
  auto socket = connect_socket();
  if (!socket) return std::unexpected(socket.error());
  return SockDiag(std::make_unique<Netlink>(*std::move(socket)));
}

struct SockDiag::Wanted {
  std::uint32_t states = all_states;
  bool counters = false;
  std::function<bool(const MeasuredSocket&)> take;  // false: there is no room for it
};

Result<SockDiag::Dump> SockDiag::dump_families(const Wanted& wanted) {
  Dump result;
  for (const std::uint8_t family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
    inet_diag_req_v2 request{};
    request.sdiag_family = family;
    request.sdiag_protocol = IPPROTO_TCP;
    request.idiag_states = wanted.states;
    if (wanted.counters) request.idiag_ext = with_tcp_info;
    Replies replies{.take = wanted.take};
    if (auto asked = netlink_->ask(request, NLM_F_DUMP, replies); !asked) return std::unexpected(asked.error());
    if (replies.os_error != 0) {
      // A kernel without IPv6 has no such sockets: nothing is missing.
      if (family == AF_INET6 && replies.os_error == ENOENT) continue;
      return std::unexpected(dump_failure(replies.os_error));
    }
    result.over_limit += replies.over_limit;
    result.consistent = result.consistent && replies.consistent;
  }
  return result;
}

namespace {

// Keeps what `keep` says yes to, up to a number of sockets.
template <typename Socket, typename Keep>
auto into(std::vector<Socket>& found, std::size_t count_max, Keep keep) {
  return [&found, count_max, keep](const MeasuredSocket& socket) {
    if (!keep(socket)) return true;
    if (found.size() >= count_max) return false;
    if constexpr (std::is_same_v<Socket, MeasuredSocket>) {
      found.push_back(socket);
    } else {
      found.push_back(socket.listed);
    }
    return true;
  };
}
bool any(const MeasuredSocket&) { return true; }
bool held(const MeasuredSocket& socket) { return socket.listed.facts.inode != 0; }

}  // namespace

Result<SockDiag::Dump> SockDiag::dump(std::vector<ListedSocket>& found, std::size_t count_max) {
  return dump_families({.take = into(found, count_max, held)});
}

Result<SockDiag::Dump> SockDiag::listeners(std::vector<ListedSocket>& found, std::size_t count_max) {
  return dump_families({.states = only_listening, .take = into(found, count_max, any)});
}

Result<SockDiag::Dump> SockDiag::measure(std::vector<MeasuredSocket>& found, std::size_t count_max) {
  return dump_families({.states = listening_or_connected, .counters = true, .take = into(found, count_max, any)});
}

Result<ListedSocket> SockDiag::lookup(const Endpoint& local, const Endpoint& remote) {
  auto socket = measure_one(local, remote);
  if (!socket) return std::unexpected(std::move(socket.error()));
  return socket->listed;
}

Result<MeasuredSocket> SockDiag::measure_one(const Endpoint& local, const Endpoint& remote) {
  const bool ipv4 = is_ipv4(local) && is_ipv4(remote);
  inet_diag_req_v2 request{};
  request.sdiag_family = ipv4 ? AF_INET : AF_INET6;
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_ext = with_tcp_info;
  request.idiag_states = all_states;
  request.id.idiag_sport = htons(local.port);
  request.id.idiag_dport = htons(remote.port);
  request.id.idiag_cookie[0] = request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  const std::size_t skipped = ipv4 ? 12 : 0;
  std::memcpy(request.id.idiag_src, local.address.data() + skipped, local.address.size() - skipped);
  std::memcpy(request.id.idiag_dst, remote.address.data() + skipped, remote.address.size() - skipped);

  std::vector<MeasuredSocket> found;
  const std::function<bool(const MeasuredSocket&)> take = into(found, 1, any);
  Replies replies{.take = take};
  if (auto asked = netlink_->ask(request, NLM_F_ACK, replies); !asked) return std::unexpected(asked.error());
  if (replies.os_error != 0 && replies.os_error != ENOENT) {
    return std::unexpected(os_failure(replies.os_error, "look a TCP socket up over sock_diag"));
  }
  // Without such a connection the kernel answers with a socket that listens for it. ENOENT means no socket, or no
  // tcp_diag: a dump tells which.
  if (found.empty() || found.front().listed.facts.local != local || found.front().listed.facts.remote != remote) {
    return fail(Errc::not_found, "no TCP socket has these two ends");
  }
  return found.front();
}

}  // namespace tracer::procfs
