// The listening sockets of the tracer's network namespace, asked for at most every now and then. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "backends/procfs/own_sockets.h"

namespace tracer::procfs {

class ListeningSockets {
 public:
  ListeningSockets(OwnSockets& all, std::function<std::uint64_t()> now_ns) : all_(all), now_ns_(std::move(now_ns)) {}

  // Those that a connection to `local` may have come through: of that very address, else of any address. Several where
  // they share it (SO_REUSEPORT).
  [[nodiscard]] std::vector<SocketFacts> at(const Endpoint& local);

 private:
  void refresh();

  OwnSockets& all_;
  std::function<std::uint64_t()> now_ns_;
  std::vector<SocketFacts> sockets_;
  std::uint64_t next_refresh_ns_ = 0;
};

// Whether a socket that listens at `listening` takes connections to `local`.
[[nodiscard]] bool listens_for(const Endpoint& listening, const Endpoint& local);

}  // namespace tracer::procfs
