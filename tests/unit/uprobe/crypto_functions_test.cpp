#include "backends/ebpf/crypto_functions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "backends/ebpf/elf_functions.h"
#include "backends/ebpf/uprobe_wire.h"

namespace tracer {
namespace {

TEST(CryptoFunctions, TheTableIsSound) {
  const CryptoTable table = crypto_table();
  EXPECT_LE(table.functions.size(), UPROBE_SLOTS);
  EXPECT_GT(table.functions.size(), 90U);
  std::set<std::string_view> families;
  for (const LibraryFile& file : table.files) families.insert(file.family);
  std::set<std::string_view> names;
  for (const CryptoFunction& each : table.functions) {
    EXPECT_TRUE(names.insert(each.name).second) << each.name << " is there twice";
    EXPECT_TRUE(families.contains(each.family)) << each.name << " is in no file";
    EXPECT_LE(each.name_argument, 4) << each.name;  // what the programs read
    EXPECT_LE(each.size_argument, 4) << each.name;
    EXPECT_TRUE(each.name_argument == 0 || each.name_argument != each.size_argument) << each.name;
  }
}

// A name's place is right only if no buffer, key or passphrase can be there.
TEST(CryptoFunctions, NamesAreTakenOfNothingThatHoldsASecret) {
  for (const CryptoFunction& each : crypto_table().functions) {
    if (each.name_argument == 0) continue;
    const bool is_lookup = each.name.contains("fetch") || each.name.contains("byname") || each.name.contains("load") ||
                           each.name.contains("_file") || each.name.contains("cipher") || each.name.contains("_dir") ||
                           each.name.contains("priority") || each.name.contains("_new_from_name") ||
                           each.name == "EVP_PKEY_Q_keygen" || each.name == "OSSL_STORE_open_ex";
    EXPECT_TRUE(is_lookup) << each.name << ": is argument " << int{each.name_argument} << " a name?";
  }
}

TEST(CryptoFunctions, FilesAreKnownByTheirOwnNames) {
  const CryptoTable table = crypto_table();
  EXPECT_EQ(table.family_of("/usr/lib/x86_64-linux-gnu/libcrypto.so.3"), "libcrypto");
  EXPECT_EQ(table.family_of("libssl.so.1.1"), "libssl");
  EXPECT_EQ(table.family_of("/venv/x.libs/libcrypto-8a1b2c3d.so.1.1"), "libcrypto");
  EXPECT_EQ(table.family_of("/lib/libgnutls.so.30.34.3"), "libgnutls");
  for (const char* other :
       {"/usr/lib/libssl3.so", "/usr/lib/libgnutls-dane.so.0", "/opt/libssl-notes/x", "/libcrypto.so/x",
        "libcrypto.so.3/", "", "/", "/tmp/mylibcrypto.so.3", "/usr/lib/libcryptopp.so.8"})
    EXPECT_FALSE(table.family_of(other)) << other;
}

std::string system_library(std::string_view name) {
  for (const char* directory : {"/lib/x86_64-linux-gnu/", "/lib/aarch64-linux-gnu/", "/usr/lib64/", "/usr/lib/"})
    if (std::filesystem::exists(directory + std::string(name))) return directory + std::string(name);
  return {};
}

struct Required {
  std::string_view library, family;
  std::vector<std::string_view> functions;
};

TEST(CryptoFunctions, TheSystemsLibrariesHaveThem) {
  for (const Required& each : {
           Required{"libcrypto.so.3",
                    "libcrypto",
                    {"EVP_CIPHER_fetch", "EVP_MD_fetch", "EVP_get_digestbyname", "X509_verify_cert", "RAND_bytes"}},
           Required{"libssl.so.3",
                    "libssl",
                    {"SSL_CTX_new", "SSL_connect", "SSL_do_handshake", "SSL_CTX_use_PrivateKey_file",
                     "SSL_CTX_load_verify_locations", "SSL_get_verify_result"}},
           Required{"libgnutls.so.30",
                    "libgnutls",
                    {"gnutls_init", "gnutls_handshake", "gnutls_certificate_set_x509_key_file", "gnutls_priority_init",
                     "gnutls_hash_init", "gnutls_x509_crt_import"}},
       }) {
    const std::string path = system_library(each.library);
    if (path.empty()) GTEST_SKIP() << each.library << " is not on this machine";
    std::ifstream file(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    std::vector<std::string_view> wanted;
    for (const CryptoFunction& function : crypto_table().functions)
      if (function.family == each.family) wanted.push_back(function.name);
    const auto found = find_elf_functions(as_bytes(text), wanted);
    ASSERT_TRUE(found) << found.error().context;
    for (const std::string_view function : each.functions) {
      EXPECT_TRUE(std::ranges::find(wanted, function) != wanted.end()) << function << " is not in the table";
      EXPECT_TRUE(found->offsets.contains(function)) << function << " is not in " << path;
    }
    // A misspelt row would be found nowhere: of this version nearly all exist.
    EXPECT_GE(found->offsets.size() + 2, wanted.size());
    EXPECT_EQ(found->build_id.size(), 20U);
  }
}

}  // namespace
}  // namespace tracer
