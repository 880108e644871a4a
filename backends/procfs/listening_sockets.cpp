#include "backends/procfs/listening_sockets.h"

#include <algorithm>
#include <array>

namespace tracer::procfs {
namespace {

constexpr std::uint64_t refresh_interval_ns_min = 50'000'000;
constexpr std::uint64_t refresh_cost_factor = 10;

bool is_any_address(const Endpoint& endpoint) {
  constexpr std::array<std::uint8_t, 16> any_ipv6{};
  constexpr std::array<std::uint8_t, 16> any_ipv4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
  return endpoint.address == any_ipv6 || endpoint.address == any_ipv4;
}

}  // namespace

bool listens_for(const Endpoint& listening, const Endpoint& local) {
  return listening.port == local.port && (listening.address == local.address || is_any_address(listening));
}

void ListeningSockets::refresh() {
  const std::uint64_t began_ns = now_ns_();
  if (began_ns < next_refresh_ns_) return;
  if (auto fresh = all_.listeners()) sockets_ = *std::move(fresh);
  const std::uint64_t done_ns = now_ns_();
  next_refresh_ns_ = done_ns + std::max(refresh_interval_ns_min, (done_ns - began_ns) * refresh_cost_factor);
}

std::vector<SocketFacts> ListeningSockets::at(const Endpoint& local) {
  refresh();
  std::vector<SocketFacts> exact, any;
  for (const SocketFacts& socket : sockets_) {
    if (!socket.local || !listens_for(*socket.local, local)) continue;
    (socket.local == local ? exact : any).push_back(socket);
  }
  return exact.empty() ? any : exact;
}

}  // namespace tracer::procfs
