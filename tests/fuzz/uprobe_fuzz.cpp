// Any file as a library, and any line of /proc/PID/maps: no crash, no offset outside of the file.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "backends/ebpf/elf_functions.h"
#include "backends/ebpf/mapped_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr std::array<std::string_view, 3> names{"EVP_MD_fetch", "SSL_new", "f"};
  const tracer::Bytes bytes(reinterpret_cast<const std::byte*>(data), size);
  if (const auto found = tracer::find_elf_functions(bytes, names))
    if (found->offsets.size() > names.size() || found->build_id.size() > size) std::abort();
  if (const auto elf = tracer::ElfFile::read(tracer::part_of(bytes))) {
    static_cast<void>(elf->has_section(".go.buildinfo"));
    elf->for_each_function([&](std::string_view name, std::uint64_t) {
      if (name.empty() || name.size() > size) std::abort();
      return true;
    });
  }
  if (const auto mapping = tracer::parse_mapping(tracer::as_text(bytes)))
    if (!mapping->path.starts_with('/') || mapping->inode == 0) std::abort();
  return 0;
}
