#include "tests/live/broken/bpf_image.h"

#include <elf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cstring>

#include "backends/bpf/packed_image.h"

extern "C" {
extern unsigned char placed_image_start[], placed_image_end[];
}

namespace tracer {
namespace {

template <typename T>
T read_at(std::size_t at) {
  T value;
  std::memcpy(&value, placed_image_start + at, sizeof(value));
  return value;
}

Elf64_Shdr section(std::size_t index) {
  const auto file = read_at<Elf64_Ehdr>(0);
  return read_at<Elf64_Shdr>(file.e_shoff + index * sizeof(Elf64_Shdr));
}

// Where in the file the symbol of a function is described; 0: nowhere.
std::size_t symbol_of(std::string_view program) {
  for (std::size_t i = 0; i < read_at<Elf64_Ehdr>(0).e_shnum; ++i) {
    const Elf64_Shdr table = section(i);
    if (table.sh_type != SHT_SYMTAB) continue;
    const std::size_t names = section(table.sh_link).sh_offset;
    for (std::size_t at = table.sh_offset; at < table.sh_offset + table.sh_size; at += sizeof(Elf64_Sym)) {
      const auto symbol = read_at<Elf64_Sym>(at);
      const auto* name = reinterpret_cast<const char*>(placed_image_start + names + symbol.st_name);
      if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && program == name) return at;
    }
  }
  return 0;
}

}  // namespace

bool place_image(std::span<const unsigned char> packed, Spoil how, std::string_view program) {
  const auto unpacked = unpack_image(packed);
  if (!unpacked) return false;
  const std::span<const unsigned char> image = *unpacked;
  if (image.size() > static_cast<std::size_t>(placed_image_end - placed_image_start)) return false;
  std::ranges::fill(placed_image_start, placed_image_end, static_cast<unsigned char>(0));
  std::ranges::copy(image, placed_image_start);
  if (how == Spoil::nothing) return true;
  const std::size_t at = symbol_of(program);
  if (at == 0) return false;
  auto symbol = read_at<Elf64_Sym>(at);
  if (how == Spoil::gone) {
    symbol.st_info = static_cast<unsigned char>(ELF64_ST_INFO(ELF64_ST_BIND(symbol.st_info), STT_NOTYPE));
    std::memcpy(placed_image_start + at, &symbol, sizeof(symbol));
    return true;
  }
  const std::size_t end = section(symbol.st_shndx).sh_offset + symbol.st_value + symbol.st_size;
  bpf_insn last = read_at<bpf_insn>(end - sizeof(bpf_insn));
  if (last.code != (BPF_JMP | BPF_EXIT) && last.code != (BPF_JMP | BPF_JA)) return false;
  last = bpf_insn{};
  last.code = BPF_ALU64 | BPF_MOV | BPF_K;  // r0 = 0
  std::memcpy(placed_image_start + end - sizeof(last), &last, sizeof(last));
  return true;
}

}  // namespace tracer
