// The probes that open sockets: netlink and packets.
#pragma once

#include "probe-matrix/prober.h"

namespace tracer {

[[nodiscard]] Answer probe_sock_diag(ProbeContext& context);
[[nodiscard]] Answer probe_sock_destroy_events(ProbeContext& context);
[[nodiscard]] Answer probe_proc_events(ProbeContext& context);
[[nodiscard]] Answer probe_packet_socket(ProbeContext& context);
[[nodiscard]] Answer probe_packet_ring_v3(ProbeContext& context);
[[nodiscard]] Answer probe_packet_ignore_outgoing(ProbeContext& context);

}  // namespace tracer
