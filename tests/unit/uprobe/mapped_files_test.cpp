#include "backends/ebpf/mapped_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace tracer {
namespace {

namespace fs = std::filesystem;

TEST(MappedFiles, ReadsALineOfMaps) {
  const auto mapping = parse_mapping(
      "7f2a4c000000-7f2a4c200000 r-xp 00028000 fe:01 1234567                    /usr/lib/x86_64-linux-gnu/libssl.so.3");
  ASSERT_TRUE(mapping);
  EXPECT_EQ(mapping->range, "7f2a4c000000-7f2a4c200000");
  EXPECT_EQ(mapping->device, "fe:01");
  EXPECT_EQ(mapping->inode, 1234567U);
  EXPECT_EQ(mapping->path, "/usr/lib/x86_64-linux-gnu/libssl.so.3");
  EXPECT_FALSE(mapping->deleted);
}

TEST(MappedFiles, AFileThatIsGoneKeepsItsName) {
  const auto mapping = parse_mapping("1-2 r-xp 0 00:1f 9 /tmp/with space/libcrypto.so.3 (deleted)");
  ASSERT_TRUE(mapping);
  EXPECT_EQ(mapping->path, "/tmp/with space/libcrypto.so.3");
  EXPECT_TRUE(mapping->deleted);
}

TEST(MappedFiles, WhatIsNoExecutableFileIsLeftOut) {
  for (const char* line : {"", " ", "7f-80", "7f-80 r-xp 0 00:00 0 ", "7f-80 r-xp 0 00:00 0                  [vdso]",
                           "7f-80 r--p 0 fe:01 12 /lib/libssl.so.3", "7f-80 rw-p 0 fe:01 12 /lib/libssl.so.3",
                           "7f-80 r-xp 0 fe:01 x /lib/libssl.so.3", "7f-80 r-xp 0 fe:01 0 /memfd:x (deleted)",
                           "7f-80 r-xp 0 fe:01 99999999999999999999999 /lib/libssl.so.3", "r-xp r-xp r-xp r-xp"})
    EXPECT_FALSE(parse_mapping(line)) << line;
}

TEST(MappedFiles, FindsTheOwnProgram) {
  const std::string self = fs::read_symlink("/proc/self/exe");
  std::vector<std::string> paths;
  EXPECT_TRUE(for_each_executable_mapping("/proc", static_cast<std::uint32_t>(::getpid()), 1 << 20,
                                          [&](const ExecutableMapping& each) { paths.emplace_back(each.path); }));
  EXPECT_TRUE(std::ranges::find(paths, self) != paths.end());
  EXPECT_FALSE(for_each_executable_mapping("/proc", 0x7fffffff, 1 << 20, [](const ExecutableMapping&) { FAIL(); }));
  const auto processes = list_processes("/proc");
  EXPECT_TRUE(std::ranges::find(processes, static_cast<std::uint32_t>(::getpid())) != processes.end());
  EXPECT_GT(mapped_pages("/proc", static_cast<std::uint32_t>(::getpid())), 100U);
  EXPECT_EQ(mapped_pages("/proc", 0x7fffffff), 0U);
}

class LoaderDirectoriesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "loader-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    for (const char* each : {"usr/lib/x86_64-linux-gnu", "opt/vendor", "etc/ld.so.conf.d"})
      fs::create_directories(root_ / each);
    fs::create_directory_symlink("usr/lib", root_ / "lib");
    std::ofstream(root_ / "etc/ld.so.conf.d/vendor.conf") << "# ours\n/opt/vendor # here\n/no/such\n";
  }
  void TearDown() override { fs::remove_all(root_); }
  void touch(const char* path) { std::ofstream(root_ / path) << "x"; }

  fs::path root_;
};

TEST_F(LoaderDirectoriesTest, FindsEachFileOnce) {
  touch("usr/lib/x86_64-linux-gnu/libssl.so.3.0.1");
  fs::create_symlink("libssl.so.3.0.1", root_ / "usr/lib/x86_64-linux-gnu/libssl.so.3");
  touch("opt/vendor/libssl.so.1.1");
  touch("usr/lib/other.so");
  LoaderDirectories directories(root_.string());
  const auto wanted = [](std::string_view name) { return name.starts_with("libssl.so"); };
  auto files = directories.changed_files(wanted);
  ASSERT_TRUE(files);
  std::ranges::sort(*files);
  EXPECT_EQ(*files, (std::vector<std::string>{(root_ / "opt/vendor/libssl.so.1.1").string(),
                                              (root_ / "usr/lib/x86_64-linux-gnu/libssl.so.3.0.1").string()}));
  EXPECT_FALSE(directories.changed_files(wanted)) << "nothing has changed";
  touch("opt/vendor/libssl.so.9");
  files = directories.changed_files(wanted);
  ASSERT_TRUE(files);
  EXPECT_EQ(files->size(), 3U);
}

TEST(LoaderDirectories, NoneIsNoFault) {
  LoaderDirectories directories("/no/such/root");
  EXPECT_FALSE(directories.changed_files([](std::string_view) { return true; }));
}

}  // namespace
}  // namespace tracer
