#include "backends/bpf/bpf_elf.h"

#include <gelf.h>
#include <libelf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "backends/bpf/packed_image.h"

namespace tracer {
namespace {

struct ElfCloser {
  void operator()(Elf* elf) const { elf_end(elf); }
};

struct RawSection {
  std::string name;
  GElf_Shdr header{};
  std::span<const unsigned char> bytes;
};

// The head of .BTF.ext as kernel and loaders define it; the last two fields came with CO-RE.
struct BtfExtHeader {
  std::uint16_t magic;
  std::uint8_t version, flags;
  std::uint32_t header_size;
  std::uint32_t function_info_at, function_info_size, line_info_at, line_info_size;
  std::uint32_t relocations_at, relocations_size;
};

std::vector<RawSection> raw_sections(Elf* elf) {
  std::vector<RawSection> sections(1);  // index 0 is nobody's
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return {};
  for (Elf_Scn* each = elf_nextscn(elf, nullptr); each != nullptr; each = elf_nextscn(elf, each)) {
    RawSection section;
    gelf_getshdr(each, &section.header);
    if (const char* name = elf_strptr(elf, names, section.header.sh_name)) section.name = name;
    if (const Elf_Data* data = elf_getdata(each, nullptr); data != nullptr && data->d_buf != nullptr)
      section.bytes = {static_cast<const unsigned char*>(data->d_buf), data->d_size};
    sections.push_back(std::move(section));
  }
  return sections;
}

template <typename T>
std::vector<T> entries(const RawSection& section) {
  std::vector<T> out(section.bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), section.bytes.data(), out.size() * sizeof(T));
  return out;
}

std::vector<BpfInstruction> decode_code(std::span<const unsigned char> bytes) {
  std::vector<BpfInstruction> code(bytes.size() / sizeof(bpf_insn));
  for (std::size_t i = 0; i < code.size(); ++i) {
    bpf_insn raw;
    std::memcpy(&raw, bytes.data() + i * sizeof(raw), sizeof(raw));
    code[i] = {raw.code, static_cast<std::uint8_t>(raw.src_reg), raw.off, raw.imm};
  }
  return code;
}

std::size_t core_relocation_bytes(const RawSection& section) {
  BtfExtHeader header{};
  std::memcpy(&header, section.bytes.data(), std::min(section.bytes.size(), sizeof(header)));
  return header.header_size >= sizeof(header) ? header.relocations_size : 0;
}

// A symbol of a function, with where it lies.
struct Placed {
  std::string name;
  std::size_t section = 0, begin = 0, size = 0;  // bytes
};

// Into which section and where in it, in bytes, a relocated call goes; the call's own number is added to it.
struct CallBase {
  std::size_t section = 0;
  std::size_t begin = 0;
};
using CallSite = std::pair<std::size_t, std::size_t>;  // section, byte

struct Symbols {
  std::vector<Placed> functions;
  std::map<CallSite, CallBase> call_bases;
};

Symbols read_symbols(Elf* elf, const std::vector<RawSection>& sections) {
  Symbols out;
  for (const RawSection& table : sections) {
    if (table.header.sh_type != SHT_SYMTAB) continue;
    const auto symbols = entries<Elf64_Sym>(table);
    for (const Elf64_Sym& symbol : symbols) {
      const char* name = elf_strptr(elf, table.header.sh_link, symbol.st_name);
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || name == nullptr || symbol.st_shndx >= sections.size()) continue;
      const std::size_t held = sections[symbol.st_shndx].bytes.size();
      if (symbol.st_value > held || symbol.st_size > held - symbol.st_value) continue;
      out.functions.push_back({name, symbol.st_shndx, symbol.st_value, symbol.st_size});
    }
    for (const RawSection& relocations : sections) {
      if (relocations.header.sh_type != SHT_REL) continue;
      for (const Elf64_Rel& each : entries<Elf64_Rel>(relocations))
        if (const std::size_t index = ELF64_R_SYM(each.r_info); index < symbols.size())
          out.call_bases[{relocations.header.sh_info, each.r_offset}] = {symbols[index].st_shndx,
                                                                         symbols[index].st_value};
    }
  }
  return out;
}

// A kernel function (kfunc), which the loader looks up in the kernel's type information.
bool calls_kernel(const Symbols& symbols, const Placed& function, std::size_t index) {
  const auto at = symbols.call_bases.find({function.section, function.begin + index * sizeof(bpf_insn)});
  return at != symbols.call_bases.end() && at->second.section == SHN_UNDEF;
}

// The function that the call at `index` of `function` goes to.
const Placed* callee_of(const Symbols& symbols, const Placed& function, const BpfInstruction& call, std::size_t index) {
  const std::size_t site = function.begin + index * sizeof(bpf_insn);
  CallBase base{function.section, site};  // not relocated: the number counts from the next instruction
  if (const auto at = symbols.call_bases.find({function.section, site}); at != symbols.call_bases.end())
    base = at->second;
  const std::int64_t target = static_cast<std::int64_t>(base.begin / sizeof(bpf_insn)) + call.immediate + 1;
  for (const Placed& each : symbols.functions)
    if (each.section == base.section && static_cast<std::int64_t>(each.begin / sizeof(bpf_insn)) == target)
      return &each;
  return nullptr;
}

}  // namespace

std::optional<std::uint32_t> BpfInstruction::helper() const {
  if (opcode != (BPF_JMP | BPF_CALL) || source != 0) return std::nullopt;
  return static_cast<std::uint32_t>(immediate);
}

bool BpfInstruction::calls_function() const { return opcode == (BPF_JMP | BPF_CALL) && source == BPF_PSEUDO_CALL; }

bool BpfInstruction::is_jump32() const { return BPF_CLASS(opcode) == BPF_JMP32; }

std::optional<int> BpfInstruction::jump() const {
  const auto kind = BPF_CLASS(opcode);
  if (kind != BPF_JMP && kind != BPF_JMP32) return std::nullopt;
  const auto operation = BPF_OP(opcode);
  if (operation == BPF_CALL || operation == BPF_EXIT) return std::nullopt;
  return offset;
}

Result<BpfElf> read_bpf_elf(std::span<const unsigned char> image) {
  elf_version(EV_CURRENT);
  // A copy in any case: libelf reads only, but its interface says otherwise.
  auto copy = unpack_image(image);
  if (!copy) return std::unexpected(copy.error());
  const std::unique_ptr<Elf, ElfCloser> elf(elf_memory(reinterpret_cast<char*>(copy->data()), copy->size()));
  GElf_Ehdr header{};
  if (!elf || gelf_getehdr(elf.get(), &header) == nullptr || header.e_machine != EM_BPF)
    return fail(Errc::malformed, "not a BPF object file");
  const std::vector<RawSection> sections = raw_sections(elf.get());
  BpfElf out;
  for (const RawSection& section : sections) {
    if (section.name.empty()) continue;
    out.sections.push_back({section.name, section.header.sh_size});  // .bss has a size and no bytes
    if (section.name == ".BTF.ext") out.core_relocation_bytes = core_relocation_bytes(section);
  }
  const Symbols symbols = read_symbols(elf.get(), sections);
  for (const Placed& placed : symbols.functions) {
    const RawSection& section = sections[placed.section];
    BpfFunction function{placed.name, section.name, decode_code(section.bytes.subspan(placed.begin, placed.size)), {}};
    for (std::size_t i = 0; i < function.code.size(); ++i) {
      if (!function.code[i].calls_function() || calls_kernel(symbols, placed, i)) continue;
      const Placed* callee = callee_of(symbols, placed, function.code[i], i);
      if (callee == nullptr) return fail(Errc::malformed, placed.name + " calls what is no function of the object");
      function.calls.push_back(callee->name);
    }
    out.functions.push_back(std::move(function));
  }
  return out;
}

}  // namespace tracer
