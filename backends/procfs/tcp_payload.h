// From the kernel's counters to bytes of payload. Pure.
//
// SYN and FIN take a sequence number each, and the kernel counts them where they are acknowledged or received:
//   bytes_acked + unacked = written + SYN, if this end connected + FIN, if this end sent one
//   bytes_received        = received + FIN, if the other end's came
// bytes_sent (4.19) counts payload alone, so that it tells both what was written and, by the difference, who connected.
#pragma once

#include <cstdint>
#include <optional>

#include "backends/procfs/diag_message.h"

namespace tracer::procfs {

struct Payload {
  std::uint64_t tx = 0;  // written by the process
  std::uint64_t rx = 0;  // received by the kernel, read or not
  // The counters do not say whether a FIN is among them: the number may be one too high (rx), or one too low or high
  // (tx, before 4.19).
  bool tx_exact = true, rx_exact = true;
  Role role = Role::unknown;  // as far as the counters tell
};

// Of a socket in a list. `role` as far as it is known.
[[nodiscard]] Payload payload_of_open(const MeasuredSocket& socket, Role role);

struct Remains {
  bool fin_received = false;            // seen while the socket was listed
  bool half_closed = false;             // it was listed with a process and in FIN_WAIT2
  std::optional<TcpState> left_behind;  // state of the small socket that stands for it in TIME_WAIT
};
// Of a socket that was destroyed: the state is always `close` by then.
[[nodiscard]] Payload payload_of_destroyed(const MeasuredSocket& socket, Role role, const Remains& remains);

// The other end has sent its FIN, as the state says.
[[nodiscard]] bool fin_received(TcpState state);

}  // namespace tracer::procfs
