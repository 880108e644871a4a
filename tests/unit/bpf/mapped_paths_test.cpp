#include "backends/bpf/mapped_paths.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vector>

namespace tracer {
namespace {

constexpr std::string_view maps =
    "00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/dbus-daemon\n"
    "00e03000-00e24000 rw-p 00000000 00:00 0           [heap]\n"
    "35b1800000-35b1820000 r-xp 00000000 08:02 135522  /usr/lib64/ld 2.15.so\n"
    "35b1a21000-35b1a22000 rw-p 00000000 00:00 0\n"
    "7f0000000000-7f0000001000 r-xp 00000000 08:02 9   /tmp/libssl.so.3 (deleted)\n"
    "7f0000002000-7f0000003000 r-xs 00000000 00:01 9   /memfd:jit (deleted)\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]";

TEST(FileMappedAt, IsTheOneOfTheLineThatHoldsTheAddress) {
  EXPECT_EQ(file_mapped_at(maps, 0x400000), "/usr/bin/dbus-daemon");
  EXPECT_EQ(file_mapped_at(maps, 0x451fff), "/usr/bin/dbus-daemon");
  EXPECT_EQ(file_mapped_at(maps, 0x35b1810000), "/usr/lib64/ld 2.15.so");
}

TEST(FileMappedAt, WhatIsNoFileOrHasNoCertainNameIsNone) {
  for (const std::uint64_t address :
       {0x452000ull, 0xe03000ull, 0x35b1a21000ull, 0x7f0000000000ull, 0x7f0000002000ull, 0xffffffffff600000ull, 0ull})
    EXPECT_EQ(file_mapped_at(maps, address), std::nullopt) << address;
}

TEST(FileMappedAt, SurvivesWhatIsNoSuchList) {
  for (const std::string_view text :
       {"", "\n\n", "-", "- /x", "1-2", "0-ffffffffffffffffff r /x", "zz-zzz r /x", "0- /x"})
    EXPECT_EQ(file_mapped_at(text, 1), std::nullopt) << text;
  EXPECT_EQ(file_mapped_at("0-2 /x", 1), "/x");
}

TEST(MappedPaths, AsksSoManyTimesASecondAndCounts) {
  std::vector<std::uint64_t> asked;
  MappedPathsOptions options;
  options.per_second_max = 2;
  MappedPaths paths(
      [&](std::uint32_t tgid, std::uint64_t address) -> std::optional<std::string> {
        asked.push_back(address);
        return tgid == 1 ? std::optional<std::string>("/x") : std::nullopt;
      },
      options);
  constexpr std::uint64_t second = 1'000'000'000;
  EXPECT_EQ(paths.find(1, 10, second), "/x");
  EXPECT_EQ(paths.find(2, 11, second + 1), std::nullopt);
  EXPECT_EQ(paths.find(1, 12, 2 * second - 1), std::nullopt);
  EXPECT_EQ(paths.find(1, 13, 2 * second), "/x");
  EXPECT_EQ(asked, (std::vector<std::uint64_t>{10, 11, 13}));
  EXPECT_EQ(paths.counters().asked, 3u);
  EXPECT_EQ(paths.counters().unknown, 1u);
  EXPECT_EQ(paths.counters().left_out, 1u);
}

TEST(LookUpMapping, FindsTheOwnProgram) {
  const auto here = reinterpret_cast<std::uint64_t>(&file_mapped_at);
  std::string program(4096, '\0');
  program.resize(static_cast<std::size_t>(::readlink("/proc/self/exe", program.data(), program.size())));
  EXPECT_EQ(look_up_mapping("/proc", static_cast<std::uint32_t>(::getpid()), here), program);
  EXPECT_EQ(look_up_mapping("/no-proc", static_cast<std::uint32_t>(::getpid()), here), std::nullopt);
}

}  // namespace
}  // namespace tracer
