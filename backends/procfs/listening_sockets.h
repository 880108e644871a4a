// The listening sockets of the tracer's network namespace, asked for at most every now and then. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "backends/procfs/sock_diag.h"

namespace tracer::procfs {

class ListeningSockets {
 public:
  ListeningSockets(SockDiag& sock_diag, std::size_t sockets_max, std::function<std::uint64_t()> now_ns)
      : sock_diag_(sock_diag), sockets_max_(sockets_max), now_ns_(std::move(now_ns)) {}

  // Those that a connection to `local` may have come through: of that very address, else of any address. Several where
  // they share it (SO_REUSEPORT).
  [[nodiscard]] std::vector<SocketFacts> at(const Endpoint& local);

 private:
  void refresh();

  SockDiag& sock_diag_;
  std::size_t sockets_max_;
  std::function<std::uint64_t()> now_ns_;
  std::vector<ListedSocket> sockets_;
  std::uint64_t next_refresh_ns_ = 0;
};

// Whether a socket that listens at `listening` takes connections to `local`.
[[nodiscard]] bool listens_for(const Endpoint& listening, const Endpoint& local);

}  // namespace tracer::procfs
