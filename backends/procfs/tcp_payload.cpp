#include "backends/procfs/tcp_payload.h"

#include <algorithm>

namespace tracer::procfs {
namespace {

bool fin_sent(TcpState state) {
  return state == TcpState::fin_wait1 || state == TcpState::fin_wait2 || state == TcpState::closing ||
         state == TcpState::last_ack || state == TcpState::time_wait;
}

std::uint64_t minus(std::uint64_t from, std::uint64_t what) { return from - std::min(from, what); }

Role role_by_syn(std::uint64_t syn) {
  if (syn > 1) return Role::unknown;
  return syn == 1 ? Role::client : Role::server;
}

// Payload written, where the kernel counts it apart.
std::optional<std::uint64_t> written(const TcpCounters& counters, bool fin_not_sent_yet) {
  if (!counters.bytes_sent) return std::nullopt;
  return minus(*counters.bytes_sent, counters.bytes_sent_again) +
         minus(counters.bytes_not_sent, fin_not_sent_yet ? 1 : 0);
}

}  // namespace

bool fin_received(TcpState state) {
  return state == TcpState::close_wait || state == TcpState::last_ack || state == TcpState::closing ||
         state == TcpState::time_wait;
}

Payload payload_of_open(const MeasuredSocket& socket, Role role) {
  Payload payload;
  payload.role = role;
  const TcpState state = socket.listed.facts.state;
  if (!socket.counters || state == TcpState::syn_sent || state == TcpState::syn_recv) return payload;
  const TcpCounters& counters = *socket.counters;
  payload.rx = minus(counters.bytes_received, fin_received(state) ? 1 : 0);

  const std::uint64_t fin = fin_sent(state) ? 1 : 0;
  const std::uint64_t in_sequence = counters.bytes_acked + socket.unacked;
  if (const auto tx = written(counters, fin != 0 && state != TcpState::fin_wait2)) {
    payload.tx = *tx;
    if (role == Role::unknown && in_sequence >= *tx + fin) payload.role = role_by_syn(in_sequence - *tx - fin);
    return payload;
  }
  payload.tx = minus(in_sequence, fin + (role == Role::client ? 1 : 0));
  payload.tx_exact = role != Role::unknown;
  return payload;
}

Payload payload_of_destroyed(const MeasuredSocket& socket, Role role, const Remains& remains) {
  Payload payload;
  payload.role = role;
  if (!socket.counters) return payload;
  const TcpCounters& counters = *socket.counters;
  const std::uint64_t in_sequence = counters.bytes_acked + socket.unacked;

  // Of SYN and FIN the counters tell only how many of them there were.
  std::optional<bool> fin_acked;
  if (remains.left_behind) fin_acked = true;  // nothing else leads to TIME_WAIT
  if (const auto tx = written(counters, false)) {
    payload.tx = *tx;
    const std::uint64_t controls = minus(in_sequence, *tx);
    if (role == Role::unknown && fin_acked) payload.role = role_by_syn(minus(controls, 1));
    if (role == Role::unknown && controls != 1) payload.role = controls == 0 ? Role::server : Role::client;
    if (payload.role != Role::unknown && !fin_acked)
      fin_acked = socket.unacked == 0 && controls == (payload.role == Role::client ? 2u : 1u);
  } else {
    const std::uint64_t syn = role == Role::client ? 1 : 0;
    payload.tx = minus(in_sequence, syn + (fin_acked.value_or(false) ? 1 : 0));
    payload.tx_exact = role != Role::unknown && fin_acked.has_value();
  }

  // What was received and not read reaches to the FIN, if there was one. A process that has read the FIN too leaves
  // nothing, like a socket that ended before the FIN came.
  bool fin = false;
  if (counters.bytes_received == 0) {
    fin = false;
  } else if (remains.fin_received) {
    fin = true;
  } else if (remains.left_behind) {
    fin = socket.unread > 0 || remains.half_closed;
    payload.rx_exact = socket.unread > 0 || (*remains.left_behind == TcpState::fin_wait2 && !remains.half_closed);
  } else if (fin_acked.value_or(false)) {
    fin = true;  // this end closed second
  } else {
    payload.rx_exact = false;  // it was reset
  }
  payload.rx = counters.bytes_received - (fin ? 1 : 0);
  return payload;
}

}  // namespace tracer::procfs
