#include "backends/ebpf/elf_functions.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "backends/ebpf/breakpoints.h"

extern "C" [[gnu::noinline, gnu::used]] int uprobe_test_landmark(int value) { return value + 1; }

namespace tracer {
namespace {

constexpr std::array<std::string_view, 2> names{"uprobe_test_landmark", "no_such_function"};

std::string own_file() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ElfFunctions, FindsWhereAFunctionLiesInItsFile) {
  const std::string file = own_file();
  const auto found = find_elf_functions(as_bytes(file), names);
  ASSERT_TRUE(found) << found.error().context;
  ASSERT_EQ(found->offsets.size(), 1U);
  const std::uint64_t offset = found->offsets.at("uprobe_test_landmark");
  EXPECT_EQ(offset, own_file_offset(reinterpret_cast<std::uintptr_t>(&uprobe_test_landmark)));
  EXPECT_EQ(std::memcmp(file.data() + offset, reinterpret_cast<const void*>(&uprobe_test_landmark), 8), 0);
  EXPECT_FALSE(found->build_id.empty());
}

TEST(ElfFunctions, AnAddressElsewhereIsNotInTheProgram) {
  int local = 0;
  EXPECT_EQ(own_file_offset(reinterpret_cast<std::uintptr_t>(&local)), 0U);
}

TEST(ElfFunctions, RefusesWhatItIsNotFor) {
  EXPECT_EQ(find_elf_functions({}, names).error().code, Errc::malformed);
  EXPECT_EQ(find_elf_functions(as_bytes("GROUP ( /lib/libcrypto.so.3 )"), names).error().code, Errc::malformed);
  std::string file = own_file();
  file[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(find_elf_functions(as_bytes(file), names).error().code, Errc::not_supported);
  file = own_file();
  file[offsetof(Elf64_Ehdr, e_machine)] = EM_S390;
  EXPECT_EQ(find_elf_functions(as_bytes(file), names).error().code, Errc::not_supported);
}

TEST(ElfFunctions, AFileCutAnywhereIsReadWithoutHarm) {
  const std::string file = own_file();
  for (std::size_t size = 0; size < file.size(); size += 1 + size / 16) {
    // A copy of its own size, so that a checker of memory sees every step too far.
    const std::vector<std::byte> part(as_bytes(file).begin(),
                                      as_bytes(file).begin() + static_cast<std::ptrdiff_t>(size));
    const auto found = find_elf_functions(part, names);
    EXPECT_TRUE(!found || found->offsets.empty() || found->offsets.contains("uprobe_test_landmark"));
  }
}

TEST(ElfFunctions, HeadersThatLieAreReadWithoutHarm) {
  const std::string good = own_file();
  for (std::size_t at = 16; at < sizeof(Elf64_Ehdr); ++at)
    for (const char value : {'\x00', '\x01', '\x7f', '\xff'}) {
      std::string bad = good;
      bad[at] = value;
      static_cast<void>(find_elf_functions(as_bytes(bad), names));
    }
  // Every section claims the whole address space.
  std::string bad = good;
  Elf64_Ehdr header;
  std::memcpy(&header, bad.data(), sizeof(header));
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const std::uint64_t huge = ~std::uint64_t{0} - 7;
    std::memcpy(bad.data() + header.e_shoff + i * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_size), &huge,
                sizeof(huge));
  }
  const auto found = find_elf_functions(as_bytes(bad), names);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->offsets.empty());
}

}  // namespace
}  // namespace tracer
