// Any text as /proc/PID/maps: no crash, and a file's path begins with a slash and is one line of it.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "backends/bpf/mapped_paths.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint64_t address = 0;
  if (size < sizeof(address)) return 0;
  std::memcpy(&address, data, sizeof(address));
  const std::string_view text(reinterpret_cast<const char*>(data) + sizeof(address), size - sizeof(address));
  const auto path = tracer::file_mapped_at(text, address);
  if (path && (!path->starts_with('/') || path->contains('\n') || !text.contains(*path))) std::abort();
  return 0;
}
