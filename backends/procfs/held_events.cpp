#include "backends/procfs/held_events.h"

namespace tracer::procfs {
namespace {

ProcessStarted event_of(const FoundProcess& found, bool preexisting) {
  ProcessStarted started = started_event(found.process);
  started.preexisting = preexisting;
  started.running_since = found.running_since;
  return started;
}

FileOpened event_of(const FoundOpen& found, bool preexisting) {
  FileOpened opened;
  opened.path = found.file.path;
  opened.flags = found.file.flags;
  opened.error = 0;
  opened.path_inferred = found.path_inferred;
  opened.preexisting = preexisting;
  opened.not_at_path = found.file.not_at_path;
  return opened;
}

LibraryMapped event_of(const FoundMapping& found, bool preexisting) {
  LibraryMapped mapped;
  mapped.path = found.file.path;
  mapped.preexisting = preexisting;
  mapped.not_at_path = found.file.not_at_path;
  return mapped;
}

}  // namespace

std::size_t HeldEvents::hand_out(EventHandler& handler, std::size_t budget) {
  std::size_t handed = 0;
  for (; handed < budget && !held_.empty(); ++handed) {
    const Held one = std::move(held_.front());
    held_.pop_front();
    std::visit(
        [&](const auto& thing) { handler.on_event({one.at, {one.tgid, one.tgid}, event_of(thing, one.preexisting)}); },
        one.thing);
  }
  return handed;
}

}  // namespace tracer::procfs
