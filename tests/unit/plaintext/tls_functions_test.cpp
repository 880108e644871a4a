#include "backends/ebpf/tls_functions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "backends/ebpf/elf_functions.h"
#include "tests/unit/plaintext/fake_proc.h"

namespace tracer {
namespace {

TEST(TlsFunctions, TheTableIsSound) {
  const TlsTable table = tls_table();
  EXPECT_LE(table.functions.size(), TLS_SLOTS);
  std::set<std::string_view> names, families;
  for (const LibraryFile& file : table.files) families.insert(file.family);
  for (const TlsFunction& each : table.functions) {
    EXPECT_TRUE(names.insert(each.name).second) << each.name << " is there twice";
    EXPECT_TRUE(families.contains(each.family)) << each.name << " is in no file";
    EXPECT_NE(each.slot.op, TLS_OP_NONE) << each.name;
    EXPECT_EQ(each.slot.session, 1) << each.name;
    const bool data = each.slot.op == TLS_OP_SEND || each.slot.op == TLS_OP_RECEIVE;
    EXPECT_EQ(each.slot.buffer, data ? 2 : 0) << each.name;
    EXPECT_EQ(each.slot.size != 0, data || each.slot.op == TLS_OP_SEND_FILE) << each.name;
    EXPECT_EQ(each.slot.fd != 0, each.slot.op == TLS_OP_SET_FD) << each.name;
    EXPECT_FALSE(each.slot.moved != 0 && each.slot.wide != 0) << each.name << ": the result is a flag";
  }
  for (const TlsFunction& each : table.functions)
    EXPECT_TRUE(each.unless.empty() || names.contains(each.unless)) << each.name;
  EXPECT_FALSE(names.contains("SSL_peek")) << "its bytes would be told twice";
}

TEST(TlsFunctions, FilesAreKnownByTheirOwnNames) {
  const TlsTable table = tls_table();
  EXPECT_EQ(table.family_of("/usr/lib/x86_64-linux-gnu/libssl.so.3"), "openssl");
  EXPECT_EQ(table.family_of("/venv/x.libs/libssl-8a1b2c3d.so.1.1"), "openssl");
  EXPECT_EQ(table.family_of("/lib/libgnutls.so.30.34.3"), "gnutls");
  for (const char* other : {"/usr/lib/libssl3.so", "/usr/lib/libgnutls-dane.so.0", "/lib/libgnutlsxx.so.30",
                            "/lib/libcrypto.so.3", "", "/"})
    EXPECT_FALSE(table.family_of(other)) << other;
}

// Of a whole library, and of one without the functions that came later.
TEST(TlsFunctions, WhatAnotherOneEndsInIsLeftOut) {
  const LibraryTable table = tls_table().libraries();
  LibraryTable::Offsets all;
  for (const LibraryFunction& each : table.functions) all.emplace(each.name, 1);
  const auto has = [&](const std::vector<LibraryTable::Place>& places, std::string_view name) {
    return std::ranges::any_of(places, [&](const auto& each) { return table.functions[each.number].name == name; });
  };
  const auto newer = table.places("gnutls", all);
  EXPECT_TRUE(has(newer, "gnutls_record_send2"));
  EXPECT_FALSE(has(newer, "gnutls_record_send")) << "both would see the same bytes";
  EXPECT_EQ(table.needed("gnutls", all), newer.size());
  EXPECT_FALSE(has(table.places("openssl", all), "SSL_write_ex"));
  all.erase("gnutls_record_send2");
  all.erase("SSL_write_ex2");
  EXPECT_TRUE(has(table.places("gnutls", all), "gnutls_record_send"));
  EXPECT_TRUE(has(table.places("openssl", all), "SSL_write_ex"));
  for (const auto& each : table.places("openssl", all)) EXPECT_EQ(table.functions[each.number].family, "openssl");
}

TEST(TlsFunctions, AProgramHoldsALibraryIfItSendsAndReceives) {
  const LibraryTable table = tls_table().libraries();
  EXPECT_EQ(table.held_family({{"SSL_read", 1}, {"SSL_write", 2}}), "openssl");
  EXPECT_EQ(table.held_family({{"SSL_read_ex", 1}, {"SSL_write_ex", 2}}), "openssl");
  EXPECT_EQ(table.held_family({{"gnutls_record_recv", 1}, {"gnutls_record_send", 2}}), "gnutls");
  EXPECT_FALSE(table.held_family({{"SSL_read", 1}, {"SSL_free", 2}}));
  EXPECT_FALSE(table.held_family({{"SSL_read", 1}, {"gnutls_record_send", 2}}));
  EXPECT_FALSE(table.held_family({}));
}

TEST(TlsFunctions, TheSystemsLibrariesHaveThem) {
  const LibraryTable table = tls_table().libraries();
  for (const char* name : {"libssl.so.3", "libgnutls.so.30"}) {
    const std::string path = system_library(name);
    if (path.empty()) GTEST_SKIP() << name << " is not on this machine";
    std::ifstream file(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto family = table.family_of(path);
    ASSERT_TRUE(family) << path;
    const auto names = table.names(family);
    const auto found = find_elf_functions(as_bytes(text), names);
    ASSERT_TRUE(found) << found.error().context;
    EXPECT_EQ(table.held_family(found->offsets), family);
    // A misspelt row would be found nowhere: only SSL_write_ex2 is of a later version.
    EXPECT_GE(table.places(*family, found->offsets).size() + 1, table.needed(*family, found->offsets)) << path;
  }
}

}  // namespace
}  // namespace tracer
