#include "backends/ebpf/elf_functions.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_set>
#include <utility>

namespace tracer {
namespace {

#if defined(__aarch64__)
constexpr std::uint16_t own_machine = EM_AARCH64;
#else
constexpr std::uint16_t own_machine = EM_X86_64;
#endif
constexpr std::size_t program_headers_max = 256, section_headers_max = 4096;
constexpr std::uint64_t notes_max = 1u << 16;

template <typename T>
T read_at(Bytes table, std::size_t index) {
  T value;
  std::memcpy(&value, table.data() + index * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
std::vector<T> read_table(const FilePart& part, std::uint64_t at, std::size_t count) {
  const auto bytes = part(at, count * sizeof(T));
  std::vector<T> out(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = read_at<T>(bytes, i);
  return out;
}

// The name at `at` of a string table; empty if it does not end within it.
std::string_view name_at(Bytes strings, std::uint32_t at) {
  if (at >= strings.size()) return {};
  const Bytes rest = strings.subspan(at);
  const void* end = std::memchr(rest.data(), 0, rest.size());
  if (end == nullptr) return {};
  return {reinterpret_cast<const char*>(rest.data()),
          static_cast<std::size_t>(static_cast<const std::byte*>(end) - rest.data())};
}

// Of one segment of notes; empty: none.
std::string build_id_in(Bytes notes) {
  constexpr std::uint64_t name_size = 4;  // "GNU" with its terminator
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    const auto note = read_at<Elf64_Nhdr>(notes, 0);
    const std::uint64_t contents_at = sizeof(note) + (std::uint64_t{note.n_namesz} + 3) / 4 * 4;
    const std::uint64_t size = contents_at + (std::uint64_t{note.n_descsz} + 3) / 4 * 4;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == name_size && note.n_descsz != 0 &&
        contents_at + note.n_descsz <= notes.size() &&
        std::memcmp(notes.data() + sizeof(note), ELF_NOTE_GNU, name_size) == 0)
      return std::string(as_text(notes.subspan(contents_at, note.n_descsz)));
    if (size > notes.size()) break;
    notes = notes.subspan(size);
  }
  return {};
}

}  // namespace

FilePart part_of(Bytes file) {
  return [file](std::uint64_t at, std::uint64_t size) -> std::vector<std::byte> {
    if (at > file.size() || size > file.size() - at) return {};
    const Bytes bytes = file.subspan(at, size);
    return {bytes.begin(), bytes.end()};
  };
}

FilePart part_of(int fd, std::size_t bytes_max) {
  return [fd, bytes_max](std::uint64_t at, std::uint64_t size) -> std::vector<std::byte> {
    const ::off_t end = ::lseek(fd, 0, SEEK_END);
    if (end < 0 || size > bytes_max || at > static_cast<std::uint64_t>(end) ||
        size > static_cast<std::uint64_t>(end) - at)
      return {};
    std::vector<std::byte> bytes(size);
    for (std::size_t done = 0; done < size;) {
      const ssize_t count = ::pread(fd, bytes.data() + done, size - done, static_cast<::off_t>(at + done));
      if (count <= 0) return {};
      done += static_cast<std::size_t>(count);
    }
    return bytes;
  };
}

Result<ElfFile> ElfFile::read(FilePart part) {
  const auto head = part(0, sizeof(Elf64_Ehdr));
  if (head.empty() || std::memcmp(head.data(), ELFMAG, SELFMAG) != 0) return fail(Errc::malformed, "not an ELF file");
  const auto header = read_at<Elf64_Ehdr>(head, 0);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != own_machine)
    return fail(Errc::not_supported, "for another architecture, or 32 bits");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > program_headers_max ||
      (header.e_shnum != 0 && header.e_shentsize != sizeof(Elf64_Shdr)) || header.e_shnum > section_headers_max)
    return fail(Errc::malformed, "an ELF file with unusual headers");
  ElfFile file(std::move(part));
  file.segments_ = read_table<Elf64_Phdr>(file.part_, header.e_phoff, header.e_phnum);
  file.sections_ = read_table<Elf64_Shdr>(file.part_, header.e_shoff, header.e_shnum);
  file.section_names_ = header.e_shstrndx;
  return file;
}

std::optional<std::uint64_t> ElfFile::file_offset(std::uint64_t address) const {
  for (const Elf64_Phdr& each : segments_) {
    if (each.p_type != PT_LOAD || (each.p_flags & PF_X) == 0) continue;
    if (address >= each.p_vaddr && address - each.p_vaddr < each.p_filesz)
      return address - each.p_vaddr + each.p_offset;
  }
  return std::nullopt;
}

std::string ElfFile::build_id() const {
  for (const Elf64_Phdr& each : segments_) {
    if (each.p_type != PT_NOTE || each.p_filesz > notes_max) continue;
    if (auto id = build_id_in(part_(each.p_offset, each.p_filesz)); !id.empty()) return id;
  }
  return {};
}

bool ElfFile::has_section(std::string_view name) const {
  if (section_names_ >= sections_.size()) return false;
  const Elf64_Shdr& table = sections_[section_names_];
  const auto names = part_(table.sh_offset, table.sh_size);
  return std::ranges::any_of(sections_, [&](const Elf64_Shdr& each) { return name_at(names, each.sh_name) == name; });
}

void ElfFile::for_each_function(const Visit& visit) const {
  for (const std::uint32_t kind : {std::uint32_t{SHT_DYNSYM}, std::uint32_t{SHT_SYMTAB}}) {
    // One table of a kind: more would only be a way to keep the reader busy.
    const auto table = std::ranges::find(sections_, kind, &Elf64_Shdr::sh_type);
    if (table == sections_.end() || table->sh_link >= sections_.size()) continue;
    const auto symbols = part_(table->sh_offset, table->sh_size);
    const Elf64_Shdr& linked = sections_[table->sh_link];
    const auto strings = part_(linked.sh_offset, linked.sh_size);
    for (std::size_t i = 0; i < symbols.size() / sizeof(Elf64_Sym); ++i) {
      const auto symbol = read_at<Elf64_Sym>(symbols, i);
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      const std::string_view name = name_at(strings, symbol.st_name);
      if (name.empty()) continue;
      if (const auto offset = file_offset(symbol.st_value); offset && !visit(name, *offset)) return;
    }
  }
}

ElfFunctions find_functions(const ElfFile& file, std::span<const std::string_view> names) {
  ElfFunctions found;
  found.build_id = file.build_id();
  const std::unordered_set<std::string_view> wanted(names.begin(), names.end());
  // Most symbols are none of these, and are told apart by this.
  std::array<bool, 256> begins{};
  for (const std::string_view name : names)
    if (!name.empty()) begins[static_cast<unsigned char>(name.front())] = true;
  file.for_each_function([&](std::string_view name, std::uint64_t offset) {
    if (!begins[static_cast<unsigned char>(name.front())]) return true;
    const auto asked = wanted.find(name);
    if (asked != wanted.end()) found.offsets.try_emplace(*asked, offset);
    return found.offsets.size() < wanted.size();
  });
  return found;
}

Result<ElfFunctions> find_elf_functions(Bytes file, std::span<const std::string_view> names) {
  auto read = ElfFile::read(part_of(file));
  if (!read) return std::unexpected(read.error());
  return find_functions(*read, names);
}

}  // namespace tracer
