// The filter of opened files, as the programs' maps hold it.
#include "backends/bpf/file_setting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace tracer {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr Facet file[] = {Facet::file}, library[] = {Facet::library}, both[] = {Facet::file, Facet::library},
                http[] = {Facet::http};

FileFilter some() {
  FileFilter filter;
  filter.all = false;
  filter.suffixes = {".pem", ".key", "y", ".keystor"};
  filter.prefixes = {"/etc/ssl/", "/"};
  return filter;
}

TEST(FileSetting, FlagsFollowTheFacets) {
  EXPECT_EQ(file_setting(http, {}).flags, 0u);
  EXPECT_EQ(file_setting(library, some()).flags, unsigned{WIRE_FILES_LIBRARIES});
  EXPECT_EQ(file_setting(file, {}).flags, unsigned{WIRE_FILES_TOLD | WIRE_FILES_ALL});
  EXPECT_EQ(file_setting(file, some()).flags, unsigned{WIRE_FILES_TOLD | WIRE_FILES_PREFIXES});
  FileFilter shared = some();
  shared.prefixes.clear();
  shared.shared_objects = true;
  EXPECT_EQ(file_setting(both, shared).flags, unsigned{WIRE_FILES_TOLD | WIRE_FILES_LIBRARIES | WIRE_FILES_SHARED});
  EXPECT_EQ(file_setting({}, {}).flags, unsigned{WIRE_FILES_TOLD | WIRE_FILES_ALL | WIRE_FILES_LIBRARIES});
  EXPECT_FALSE(wants_files(http));
  EXPECT_TRUE(wants_files(library) && wants_files(file) && wants_files({}));
}

TEST(FileSetting, ASuffixIsItsBytesInMemoryOrder) {
  const FileSetting setting = file_setting(file, some());
  ASSERT_THAT(setting.suffixes, SizeIs(4));
  EXPECT_EQ(setting.suffixes[0].bytes, 0x6d65702eu);  // ".pem"
  EXPECT_EQ(setting.suffixes[0].length, 4u);
  EXPECT_EQ(setting.suffixes[2].bytes, 0x79u);
  EXPECT_EQ(std::memcmp(&setting.suffixes[3].bytes, ".keystor", 8), 0);
  EXPECT_EQ(setting.suffix_lengths, 0b1000'1001u);
}

TEST(FileSetting, APrefixIsCountedInBits) {
  const FileSetting setting = file_setting(file, some());
  ASSERT_THAT(setting.prefixes, SizeIs(2));
  EXPECT_EQ(setting.prefixes[0].bits, 72u);
  EXPECT_EQ(std::memcmp(setting.prefixes[0].bytes, "/etc/ssl/\0", 10), 0);
  EXPECT_EQ(setting.prefixes[1].bits, 8u);
}

TEST(FileSetting, WhatDoesNotFitLetsAllPass) {
  for (const char* suffix : {"", "123456789"}) {
    FileFilter filter = some();
    filter.suffixes.emplace_back(suffix);
    EXPECT_EQ(file_setting(file, filter).flags, unsigned{WIRE_FILES_TOLD | WIRE_FILES_ALL}) << suffix;
    EXPECT_THAT(file_setting(file, filter).suffixes, IsEmpty());
    EXPECT_TRUE(passes(filter, "/no/such"));
  }
  FileFilter filter = some();
  filter.prefixes.assign(1, std::string(file_prefix_bytes_max + 1, 'p'));
  EXPECT_NE(file_setting(file, filter).flags & WIRE_FILES_ALL, 0u);
  filter.prefixes.assign(WIRE_FILTER_ROWS, "/p");
  EXPECT_EQ(file_setting(file, filter).flags & WIRE_FILES_ALL, 0u);
  filter.prefixes.emplace_back("/q");
  EXPECT_NE(file_setting(file, filter).flags & WIRE_FILES_ALL, 0u);
}

TEST(FileSetting, WhatPasses) {
  FileFilter filter = some();
  filter.prefixes = {"/etc/ssl/"};
  for (const char* path : {"a.pem", ".pem", "/x/y", "/etc/ssl/", "/etc/ssl/x", ""})
    EXPECT_TRUE(passes(filter, path)) << path;
  for (const char* path : {"a.pemx", "pem", "/etc/ssl", "/x/libc.so"}) EXPECT_FALSE(passes(filter, path)) << path;
  EXPECT_TRUE(passes(filter, std::string(WIRE_PATH_SIZE, 'x'))) << "its end was cut off";
  EXPECT_FALSE(passes(filter, std::string(WIRE_PATH_SIZE - 1, 'x')));
  filter.shared_objects = true;
  for (const char* path : {"/x/libc.so", "libc.so.6", "libssl.so.1.1", "libx.so.123.456.78", ".so"})
    EXPECT_TRUE(passes(filter, path)) << path;
  for (const char* path : {"libc.so.", "libc.sob", "/libx.so.d/of/something/else", "so", ""})
    EXPECT_EQ(passes(filter, path), *path == '\0') << path;
}

TEST(FileSetting, MapsThatNobodyNeedsAreNotMade) {
  BpfImage none, some_files;
  size_file_maps(none, file_setting(http, {}));
  EXPECT_THAT(none.maps_left_out, SizeIs(6));
  size_file_maps(some_files, file_setting(file, some()));
  EXPECT_THAT(some_files.maps_left_out, IsEmpty());
  const auto suffixes = std::ranges::find(some_files.map_entries, "file_suffixes", &MapEntries::map);
  ASSERT_NE(suffixes, some_files.map_entries.end());
  EXPECT_EQ(suffixes->entries, 4u);
}

}  // namespace
}  // namespace tracer
