#include "tests/unit/procfs/event_log.h"

#include <poll.h>

#include <set>

#include "backends/procfs/ownership.h"

namespace tracer {

bool drain_until(Backend& backend, EventLog& log, const std::function<bool()>& done) {
  const std::uint64_t deadline_ns = procfs::monotonic_now_ns() + 5'000'000'000;
  while (procfs::monotonic_now_ns() < deadline_ns) {
    const auto drained = backend.drain(log, 64);
    if (!drained) return false;
    if (*drained == Drained::more) continue;
    if (done()) return true;
    pollfd readable{.fd = backend.fd(), .events = POLLIN, .revents = 0};
    (void)::poll(&readable, 1, 20);
  }
  return false;
}

ToldFlow told_of(const EventLog& log, const Endpoint& local, const Endpoint& remote) {
  ToldFlow told;
  std::set<std::uint64_t> flows;
  for (const EventLog::Entry& entry : log.entries) {
    if (const auto* opened = std::get_if<FlowOpened>(&entry.event.body)) {
      if (opened->local != local || opened->remote != remote) continue;
      flows.insert(opened->flow.value);
      ++told.opened;
      told.role = opened->role;
      told.preexisting = opened->preexisting;
    } else if (const auto* updated = std::get_if<FlowUpdated>(&entry.event.body)) {
      if (!flows.contains(updated->flow.value)) continue;
      if (updated->role != Role::unknown) told.role = updated->role;
      if (!updated->owner) continue;
      told.owner = updated->owner->tgid;
      told.comm = entry.text;
      told.inferred = updated->owner_inferred;
    } else if (const auto* data = std::get_if<FlowData>(&entry.event.body)) {
      if (!flows.contains(data->flow.value)) continue;
      std::uint64_t& sum = data->direction == Direction::tx ? told.tx : told.rx;
      told.contiguous = told.contiguous && data->offset == sum && data->rest == GapCause::no_payload;
      sum += data->moved;
      told.payload += data->bytes.size();
    } else if (const auto* closed = std::get_if<FlowClosed>(&entry.event.body)) {
      if (!flows.contains(closed->flow.value)) continue;
      ++told.closed;
      told.kernel_tx = closed->kernel_tx_bytes;
      told.kernel_rx = closed->kernel_rx_bytes;
    }
  }
  return told;
}

}  // namespace tracer
