// Any text as a tracefs format file: no crash, every field named.
#include <cstdint>
#include <cstdlib>

#include "backends/tracepoint/event_format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto format = tracer::parse_event_format({reinterpret_cast<const char*>(data), size});
  if (!format) return 0;
  for (const auto& field : format->fields)
    if (field.name.empty() || format->find(field.name) == nullptr) std::abort();
  return 0;
}
