// Events of one connection between a client and a server on this machine, as a backend would tell them.
#pragma once

#include <string_view>

#include "tests/unit/pipeline/simulation.h"

namespace tracer::test {

inline constexpr FlowId client_flow{1}, server_flow{2};
inline constexpr std::uint32_t client = Simulation::client_tgid, server = Simulation::server_tgid;

[[nodiscard]] inline FlowOpened opened(FlowId flow, Role role, std::uint16_t client_port = 40'000) {
  FlowOpened it;
  it.flow = flow;
  it.local = role == Role::client ? loopback(client_port) : loopback(80);
  it.remote = role == Role::client ? loopback(80) : loopback(client_port);
  it.role = role;
  it.network_namespace = 1;
  it.tx_offset = it.rx_offset = 0;
  return it;
}

// Offsets by sequence number, as from a backend that samples them; the streams begin at `first_sequence`.
inline constexpr std::uint64_t first_sequence = 1ULL << 32;
[[nodiscard]] inline FlowOpened opened_by_sequence(FlowId flow, Role role) {
  FlowOpened it = opened(flow, role);
  it.offset_source = OffsetSource::sequence;
  it.tx_offset = it.rx_offset = first_sequence;
  return it;
}

[[nodiscard]] inline FlowData data(FlowId flow, Direction direction, std::uint64_t offset, std::string_view text) {
  FlowData it;
  it.flow = flow;
  it.direction = direction;
  it.offset = offset;
  it.bytes = as_bytes(text);
  it.moved = text.size();
  return it;
}

[[nodiscard]] inline FlowData sizes(FlowId flow, Direction direction, std::uint64_t offset, std::uint64_t moved) {
  FlowData it = data(flow, direction, offset, "");
  it.moved = moved;
  it.rest = GapCause::verdict_skip;
  return it;
}

[[nodiscard]] inline FlowClosed closed(FlowId flow) {
  FlowClosed it{};
  it.flow = flow;
  return it;
}

}  // namespace tracer::test
