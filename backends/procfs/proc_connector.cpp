#include "backends/procfs/proc_connector.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "backends/procfs/diag_message.h"
#include "backends/procfs/netlink_receive.h"
#include "backends/procfs/ownership.h"

namespace tracer::procfs {
namespace {

constexpr int receive_buffer_bytes = 4 << 20;  // a message takes about 1 KiB of it
constexpr std::size_t datagram_bytes_max = 4096;

constexpr std::uint32_t event_at = sizeof(nlmsghdr) + sizeof(cn_msg);
constexpr std::uint32_t data_at = event_at + offsetof(proc_event, event_data);

constexpr sock_filter load(std::uint32_t offset) { return {BPF_LD | BPF_W | BPF_ABS, 0, 0, offset}; }
constexpr sock_filter if_equal(std::uint32_t value, std::uint8_t then_skip, std::uint8_t else_skip) {
  // Loads are in network order, the messages in that of this machine.
  return {BPF_JMP | BPF_JEQ | BPF_K, then_skip, else_skip, __builtin_bswap32(value)};
}

// Threads begin and end far more often than processes: what parse_process_message() would refuse is refused before it
// wakes anybody. Where this cannot be attached nothing but time is lost.
void leave_threads_out(int socket) {
  std::array program{
      load(event_at),
      if_equal(proc_event::PROC_EVENT_FORK, 4, 0),
      if_equal(proc_event::PROC_EVENT_EXEC, 7, 0),
      if_equal(proc_event::PROC_EVENT_COMM, 6, 0),
      if_equal(proc_event::PROC_EVENT_EXIT, 5, 0),
      sock_filter{BPF_RET | BPF_K, 0, 0, 0},
      load(data_at + 8),  // of a fork the child counts: its thread and its process
      sock_filter{BPF_MISC | BPF_TAX, 0, 0, 0},
      load(data_at + 12),
      sock_filter{BPF_JMP | BPF_JA, 0, 0, 3},
      load(data_at),
      sock_filter{BPF_MISC | BPF_TAX, 0, 0, 0},
      load(data_at + 4),
      sock_filter{BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0},
      sock_filter{BPF_RET | BPF_K, 0, 0, 0xffffffff},
      sock_filter{BPF_RET | BPF_K, 0, 0, 0},
  };
  const sock_fprog filter{.len = static_cast<unsigned short>(program.size()), .filter = program.data()};
  (void)::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

Error not_told() {
  return Error{Errc::not_supported,
               0,
               "proc connector: it accepts the subscription and tells nothing (another pid or "
               "user namespace than the initial one, or a kernel that does not deliver)",
               {}};
}

}  // namespace

Result<ProcConnector> ProcConnector::open(std::uint64_t self_test_ns_max) {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_CONNECTOR));
  if (!socket) return std::unexpected(os_failure(errno, "proc connector: socket"));
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes, sizeof receive_buffer_bytes) != 0)
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  leave_threads_out(socket.get());
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = CN_IDX_PROC;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Error error = os_failure(errno, "proc connector: bind");
    if (error.code == Errc::not_permitted) error.suggestion = "run as root, or with CAP_NET_ADMIN";
    return std::unexpected(std::move(error));
  }
  ProcConnector connector(std::move(socket));
  if (auto subscribed = connector.subscribe(); !subscribed) return std::unexpected(subscribed.error());
  if (auto tested = connector.self_test(self_test_ns_max); !tested) return std::unexpected(tested.error());
  return connector;
}

Result<void> ProcConnector::subscribe() const {
  // Never taken back: the kernel counts the listeners itself since 6.6, and an older one would stop telling everybody.
  constexpr std::uint32_t operation = PROC_CN_MCAST_LISTEN;
  nlmsghdr header{};
  cn_msg head{};
  std::array<std::byte, sizeof header + sizeof head + sizeof operation> request;
  header.nlmsg_len = request.size();
  header.nlmsg_type = NLMSG_DONE;
  head.id = {.idx = CN_IDX_PROC, .val = CN_VAL_PROC};
  head.len = sizeof operation;
  std::memcpy(request.data(), &header, sizeof header);
  std::memcpy(request.data() + sizeof header, &head, sizeof head);
  std::memcpy(request.data() + sizeof header + sizeof head, &operation, sizeof operation);
  if (::send(socket_.get(), request.data(), request.size(), 0) < 0) {
    const int os_error = errno;
    if (os_error == ECONNREFUSED) {
      return fail(Errc::not_supported, "proc connector: this kernel has none (CONFIG_PROC_EVENTS)");
    }
    return std::unexpected(os_failure(os_error, "proc connector: subscribe"));
  }
  return {};
}

Result<void> ProcConnector::self_test(std::uint64_t ns_max) {
  const pid_t child = ::fork();
  if (child < 0) return std::unexpected(os_failure(errno, "proc connector: fork a child to be told of"));
  if (child == 0) ::_exit(0);
  (void)::waitpid(child, nullptr, 0);
  const std::uint64_t deadline_ns = monotonic_now_ns() + ns_max;
  bool begun = false;
  std::vector<ProcessMessage> messages;
  for (;;) {
    messages.clear();
    const auto more = read(messages, 256);
    if (!more) return std::unexpected(more.error());
    for (const ProcessMessage& message : messages) {
      if (message.child_tgid == static_cast<std::uint32_t>(child)) begun = true;
      if (begun && message.kind == ProcessMessage::Kind::exited && message.tgid == static_cast<std::uint32_t>(child))
        return {};
    }
    const std::uint64_t now_ns = monotonic_now_ns();
    if (now_ns >= deadline_ns) return std::unexpected(not_told());
    if (*more) continue;
    pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    (void)::poll(&readable, 1, static_cast<int>((deadline_ns - now_ns) / 1'000'000) + 1);
  }
}

Result<bool> ProcConnector::read(std::vector<ProcessMessage>& found, std::size_t count_max) {
  std::array<std::byte, datagram_bytes_max> buffer;
  for (std::size_t begin = found.size(); found.size() - begin < count_max;) {
    const auto received = receive_from_kernel(socket_.get(), buffer, overflows_, "proc connector");
    if (!received) return std::unexpected(received.error());
    if (!*received) return false;
    Bytes datagram = **received;
    while (const auto message = take_netlink_message(datagram)) {
      if (const auto said = parse_process_message(message->body)) found.push_back(*said);
    }
  }
  return true;
}

Result<void> ProcConnector::provoke() {
  std::array<char, 16> name{};
  if (::prctl(PR_GET_NAME, name.data()) != 0 || ::prctl(PR_SET_NAME, name.data()) != 0)
    return std::unexpected(os_failure(errno, "proc connector: set the own name"));
  return {};
}

}  // namespace tracer::procfs
