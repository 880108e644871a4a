// Any bytes as a wire record: no crash, and nothing borrowed from outside the record.
#include <cstdint>
#include <cstdlib>

#include "backends/bpf/decode.h"

namespace {

void must_lie_inside(std::string_view part, std::string_view whole) {
  if (part.empty()) return;
  if (part.data() < whole.data() || part.data() + part.size() > whole.data() + whole.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const tracer::Bytes record(reinterpret_cast<const std::byte*>(data), size);
  const tracer::Decoded decoded = tracer::decode(record);
  const auto* made = std::get_if<tracer::DecodedEvent>(&decoded);
  if (made == nullptr) return 0;
  const std::string_view whole = tracer::as_text(record);
  if (const auto* body = std::get_if<tracer::FlowData>(&made->event.body)) {
    if (body->bytes.size() > body->moved) std::abort();
    must_lie_inside(tracer::as_text(body->bytes), whole);
  } else if (const auto* exec = std::get_if<tracer::ProcessStarted>(&made->event.body)) {
    must_lie_inside(exec->executable, whole);
    must_lie_inside(exec->comm, whole);
    must_lie_inside(exec->arguments, whole);
  } else if (const auto* opened = std::get_if<tracer::FileOpened>(&made->event.body)) {
    must_lie_inside(opened->path, whole);
    if (opened->error && *opened->error < 0) std::abort();
    if (opened->directory_fd && opened->path.starts_with('/')) std::abort();
  } else if (const auto* mapped = std::get_if<tracer::LibraryMapped>(&made->event.body)) {
    must_lie_inside(mapped->path, whole);
    if (mapped->path.empty()) std::abort();
  } else if (const auto* owner = std::get_if<tracer::FlowUpdated>(&made->event.body)) {
    must_lie_inside(owner->owner_comm, whole);
  }
  return 0;
}
