// Where functions lie in an ELF file of this machine's kind, as breakpoints need it: by offset in the file. Reads
// .dynsym and .symtab; versions of symbols do not count. Made for files that anybody may have written.
#pragma once

#include <elf.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace tracer {

// Bytes [at, at + size) of a file; empty if it does not hold them all, or they are too many.
using FilePart = std::function<std::vector<std::byte>(std::uint64_t at, std::uint64_t size)>;
[[nodiscard]] FilePart part_of(Bytes file);  // must outlive it
// At most `bytes_max` at a time: only what is asked for is read, of files of any size.
[[nodiscard]] FilePart part_of(int fd, std::size_t bytes_max);

class ElfFile {
 public:
  // not_supported: another architecture, or 32 bits; malformed: none, or an unusual one.
  [[nodiscard]] static Result<ElfFile> read(FilePart part);

  [[nodiscard]] std::string build_id() const;  // bytes as they are; empty: none
  [[nodiscard]] bool has_section(std::string_view name) const;
  // Functions that the file itself holds, by name and offset, until `visit` answers false.
  using Visit = std::function<bool(std::string_view name, std::uint64_t offset)>;
  void for_each_function(const Visit& visit) const;

 private:
  explicit ElfFile(FilePart part) : part_(std::move(part)) {}
  [[nodiscard]] std::optional<std::uint64_t> file_offset(std::uint64_t address) const;

  FilePart part_;
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Shdr> sections_;
  std::uint16_t section_names_ = 0;
};

struct ElfFunctions {
  std::unordered_map<std::string_view, std::uint64_t> offsets;  // by the names that were asked for; absent: not there
  std::string build_id;
};

// `names` must outlive the answer.
[[nodiscard]] ElfFunctions find_functions(const ElfFile& file, std::span<const std::string_view> names);
[[nodiscard]] Result<ElfFunctions> find_elf_functions(Bytes file, std::span<const std::string_view> names);

}  // namespace tracer
