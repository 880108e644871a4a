// Messages of sock_diag and of the proc connector, on any bytes. Beyond "no crash": what is taken lies within the
// datagram, and what the counters become is never more than the kernel's own numbers.
#include <cstdint>
#include <cstdlib>

#include "backends/procfs/diag_message.h"
#include "backends/procfs/process_message.h"
#include "backends/procfs/tcp_payload.h"

namespace {

using namespace tracer;
using namespace tracer::procfs;

void require(bool condition) {
  if (!condition) std::abort();
}

void counters_stay_plausible(const MeasuredSocket& socket) {
  require(!socket.listed.facts.local || socket.listed.facts.local->port != 0);
  if (!socket.counters) return;
  for (const Role role : {Role::unknown, Role::client, Role::server}) {
    require(payload_of_open(socket, role).rx <= socket.counters->bytes_received);
    for (const bool fin : {false, true}) {
      const Remains remains{.fin_received = fin, .half_closed = !fin, .left_behind = socket.listed.facts.state};
      require(payload_of_destroyed(socket, role, remains).rx <= socket.counters->bytes_received);
      require(payload_of_destroyed(socket, role, {}).rx <= socket.counters->bytes_received);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes all(reinterpret_cast<const std::byte*>(data), size);
  if (const auto socket = parse_diag_message(all)) counters_stay_plausible(*socket);
  if (const auto message = parse_process_message(all)) {
    require(message->tgid != 0);
    const ExitReason reason = exit_reason_of(message->wait_status);
    require(!reason.exit_code || !reason.signal);
  }
  Bytes rest = all;
  std::size_t before = rest.size();
  while (const auto message = take_netlink_message(rest)) {
    require(rest.size() < before && message->body.size() < before);
    before = rest.size();
    if (const auto socket = parse_diag_message(message->body)) counters_stay_plausible(*socket);
    (void)parse_process_message(message->body);
  }
  return 0;
}
