// TCP sockets of the network namespace that the tracer was started in, asked of the kernel over NETLINK_SOCK_DIAG.
// Needs no privilege. The only file of this folder that knows netlink; its users see plain values.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backends/procfs/diag_message.h"
#include "backends/procfs/proc_net_tcp.h"
#include "core/base/result.h"
#include "core/event.h"

namespace tracer::procfs {

class SockDiag {
 public:
  // not_supported: this kernel has no sock_diag at all; whether TCP is in it is known by the first dump only.
  [[nodiscard]] static Result<SockDiag> open();

  SockDiag(SockDiag&&) noexcept;
  SockDiag& operator=(SockDiag&&) noexcept;
  SockDiag(const SockDiag&) = delete;
  SockDiag& operator=(const SockDiag&) = delete;
  ~SockDiag();

  struct Dump {
    std::size_t over_limit = 0;  // sockets that were left out
    bool consistent = true;      // false: sockets changed meanwhile and some may be missing
  };
  // Appends the sockets of both families that a process may hold (inode not 0) to `found`, up to `count_max` in it.
  [[nodiscard]] Result<Dump> dump(std::vector<ListedSocket>& found, std::size_t count_max);
  // Appends only those that listen.
  [[nodiscard]] Result<Dump> listeners(std::vector<ListedSocket>& found, std::size_t count_max);
  // Appends those that listen and every connection with its counters, whether a process holds it or not; without
  // TIME_WAIT and those whose handshake is not over at the listening end.
  [[nodiscard]] Result<Dump> measure(std::vector<MeasuredSocket>& found, std::size_t count_max);

  // The socket with exactly these two ends, TIME_WAIT included. One message each way, whatever the number of sockets.
  // not_found: there is none.
  [[nodiscard]] Result<ListedSocket> lookup(const Endpoint& local, const Endpoint& remote);
  // The same with its counters.
  [[nodiscard]] Result<MeasuredSocket> measure_one(const Endpoint& local, const Endpoint& remote);

 private:
  struct Netlink;
  struct Wanted;
  [[nodiscard]] Result<Dump> dump_families(const Wanted& wanted);
  explicit SockDiag(std::unique_ptr<Netlink> netlink);
  std::unique_ptr<Netlink> netlink_;
};

}  // namespace tracer::procfs
