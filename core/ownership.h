// Who owns a socket, asked of the operating system. Implemented by backends/procfs; used by backends that see
// descriptors or packets but not processes. Every answer may be stale by the time it is used.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"

namespace tracer {

struct ProcessFacts {
  std::uint32_t tgid = 0;                  // in the initial pid namespace
  std::optional<std::uint32_t> local_pid;  // in the tracer's own pid namespace; absent: not visible there
  std::optional<std::uint32_t> uid;
  std::string comm;               // of the thread-group leader
  std::string executable;         // target of /proc/PID/exe; empty: not readable
  std::string container_id;       // empty: none found
  std::uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat; with the pid a unique identity
};

// What a program was given when it was started.
struct StartArguments {
  std::string text;  // each ends with a NUL; the last one may be cut off
  bool cut = false;  // there were more
  std::optional<std::uint32_t> gid;
};

enum class TcpState : std::uint8_t {
  established = 1,
  syn_sent,
  syn_recv,
  fin_wait1,
  fin_wait2,
  time_wait,
  close,
  close_wait,
  last_ack,
  listen,
  closing
};

struct SocketFacts {
  std::uint64_t inode = 0;
  std::optional<Endpoint> local, remote;
  TcpState state{};  // 0: not known
  std::uint64_t network_namespace = 0;
  std::uint64_t cookie = 0;  // 0: the kernel did not say
};

enum class FdKind : std::uint8_t {
  gone,     // no such descriptor (any more)
  not_tcp,  // a file, a pipe, another kind of socket
  tcp,
  unreadable,  // no permission to look, or it cannot be told now
};

struct FdAnswer {
  FdKind kind = FdKind::gone;
  SocketFacts socket;  // for FdKind::tcp; the addresses may be absent
};

class Ownership {
 public:
  virtual ~Ownership() = default;
  // nullopt: the process is gone or not visible.
  [[nodiscard]] virtual std::optional<ProcessFacts> process(std::uint32_t tgid) = 0;
  // The process's number in the tracer's own pid namespace, also of one that is gone; nullopt: not known.
  [[nodiscard]] virtual std::optional<std::uint32_t> local_pid(std::uint32_t) { return std::nullopt; }
  // Of the program that the process runs now; nullopt: it is gone, or is not (any more) the one that is called `comm`.
  [[nodiscard]] virtual std::optional<StartArguments> arguments(std::uint32_t, std::string_view /* comm */) {
    return std::nullopt;
  }
  // A pair that the kernel told; needed where the tracer is not in the initial pid namespace.
  virtual void learn(std::uint32_t, std::uint32_t /* local_pid */) {}
  [[nodiscard]] virtual std::vector<ProcessFacts> all_processes() = 0;
  [[nodiscard]] virtual FdAnswer descriptor(std::uint32_t tgid, int fd) = 0;
  // Inode of the process's network namespace; 0: the process is gone or not visible.
  [[nodiscard]] virtual std::uint64_t network_namespace(std::uint32_t tgid) = 0;
  // Descriptors that are TCP sockets, of every visible process: (tgid, fd, socket).
  struct OwnedSocket {
    std::uint32_t tgid = 0;
    int fd = -1;
    SocketFacts socket;
  };
  [[nodiscard]] virtual std::vector<OwnedSocket> all_tcp_descriptors() = 0;
};

// Which process holds the socket at one end of a connection that was seen as packets.
struct SocketOwner {
  enum class Answer : std::uint8_t {
    found,
    not_yet,     // the socket is there and no process holds it (not accepted yet): ask again
    not_here,    // this machine, or this network namespace, has no such socket (any more)
    unreadable,  // there is one, and who holds it cannot be read
  };
  Answer answer = Answer::not_here;
  std::uint32_t tgid = 0;
  std::string comm;
  std::optional<std::uint32_t> uid;
  // Deduced: not from this socket, but from the one that listens at its address, or from the last look at it.
  bool inferred = false;
};

// One end of a connection, and who holds it.
struct HeldEnd {
  Endpoint local, remote;
  SocketOwner owner;
};

// Asked by pcap, implemented by backends/procfs. One question is a netlink message each way, and a look at the
// descriptors of a few processes; answers are cached beyond the socket's end.
class SocketOwners {
 public:
  virtual ~SocketOwners() = default;
  [[nodiscard]] virtual SocketOwner owner(const Endpoint& local, const Endpoint& remote) = 0;
  // All connections that there are now, as far as their holders are found: a look at every process.
  [[nodiscard]] virtual std::vector<HeldEnd> all(std::size_t) { return {}; }
  // Readable when processes came or went; the asker waits on it too and then calls refresh(). -1: nothing to wait for.
  [[nodiscard]] virtual int fd() const { return -1; }
  virtual void refresh() {}
};

}  // namespace tracer
