// The catalog: what it asks of a file, what it remembers, and what it says when it could not look.
#include "core/analyzers/crypto/crypto_catalog.h"

#include <gtest/gtest.h>

#include "core/analyzers/crypto/identity_cache.h"
#include "tests/unit/asn1/fixture_files.h"
#include "tests/unit/crypto/fake_files.h"

namespace tracer {
namespace {

struct Catalog : testing::Test {
  FakeFiles files;
  std::unique_ptr<CryptoLookup> lookup = make_crypto_lookup(built_in_registry(), files);
  FileFinding look(std::string_view path, bool opened = true) { return lookup->look_into({7, path, {}}, opened); }
};

TEST_F(Catalog, SaysWhatIsInAFile) {
  files.files["/etc/nginx/server.crt"].contents = read_fixture("certificate-rsa.pem");
  const FileFinding finding = look("/etc/nginx/server.crt");
  EXPECT_EQ(finding.path, "/etc/nginx/server.crt");
  EXPECT_EQ(finding.file_type, "certificate");
  EXPECT_EQ(finding.expected, "certificate");
  EXPECT_EQ(finding.name_rule, "certificate-extension");
  EXPECT_TRUE(finding.contents_seen);
  EXPECT_FALSE(finding.contents_cut);
  EXPECT_EQ(finding.not_seen_reason, "");
  ASSERT_EQ(finding.assets.size(), 1U);
  EXPECT_EQ(finding.assets[0].certificate->subject, "CN=rsa.example");
}

TEST_F(Catalog, BelievesTheBytesAndNotTheName) {
  files.files["/srv/server.key"].contents = "Remember to renew the key.\n";
  files.files["/srv/notes.pem"].contents = read_fixture("rsa-pkcs8.pem");
  const FileFinding decoy = look("/srv/server.key");
  EXPECT_EQ(decoy.file_type, "unknown");
  EXPECT_EQ(decoy.expected, "private_key");
  EXPECT_TRUE(decoy.assets.empty());
  EXPECT_TRUE(decoy.contents_seen);
  EXPECT_EQ(look("/srv/notes.pem").file_type, "private_key");
}

TEST_F(Catalog, LooksAtAFileOnceForAsLongAsItIsTheSame) {
  files.files["/a.pem"].contents = read_fixture("certificate-rsa.pem");
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(look("/a.pem").file_type, "certificate");
    lookup->tick();
  }
  EXPECT_EQ(files.reads, 1U);
  EXPECT_EQ(files.stats, 100U);
  files.files["/a.pem"].modified_ns = 2;
  files.files["/a.pem"].contents = read_fixture("rsa-pkcs8.pem");
  EXPECT_EQ(look("/a.pem").file_type, "private_key");
  EXPECT_EQ(files.reads, 2U);
}

TEST_F(Catalog, OfAFloodOfOpensOnlyTheFirstOfEachTickAreLookedAt) {
  files.files["/a.pem"].contents = read_fixture("certificate-rsa.pem");
  const std::size_t looks = CryptoLimits{}.looks_per_tick;
  FileFinding first = look("/a.pem");
  for (int i = 0; i < 1000; ++i) {
    const FileFinding again = look("/a.pem");
    EXPECT_EQ(again.path, first.path);
    EXPECT_EQ(again.file_type, first.file_type);
    EXPECT_EQ(again.name_rule, first.name_rule);
    ASSERT_EQ(again.assets.size(), 1U);
    EXPECT_TRUE(again.contents_seen);
  }
  EXPECT_EQ(files.stats, looks);
  EXPECT_EQ(files.reads, 1U);
  files.files["/a.pem"] = {FileKind::regular, read_fixture("rsa-pkcs8.pem"), "", 2};
  lookup->tick();
  EXPECT_EQ(look("/a.pem").file_type, "private_key") << "replaced: seen at the latest one tick later";
  files.files.erase("/a.pem");
  EXPECT_EQ(look("/a.pem").file_type, "") << "few opens are always looked at";
}

TEST_F(Catalog, WhatOneOpenLedToIsNotTakenForAnother) {
  files.files["/a.pem"].contents = read_fixture("certificate-rsa.pem");
  files.files["/srv/a.pem"].contents = read_fixture("rsa-pkcs8.pem");
  for (int i = 0; i < 100; ++i) (void)look("/a.pem");
  const std::size_t before = files.stats;
  for (std::uint32_t pid = 8; pid < 12; ++pid) (void)lookup->look_into({pid, "/a.pem", {}}, true);
  EXPECT_EQ(files.stats, before + 4) << "other processes have other roots";
  EXPECT_EQ(lookup->look_into({7, "/a.pem", {}, true}, true).file_type, "") << "the file is not at its path";
  EXPECT_EQ(look("/a.pem", false).file_type, "") << "not opened";
  for (int i = 0; i < 100; ++i) (void)look("a.pem");
  files.working_directory = "/srv/";
  EXPECT_EQ(look("a.pem").file_type, "private_key") << "relative to another directory";
  for (int i = 0; i < 100; ++i) (void)lookup->look_into({0, "/a.pem", {}}, true);
  EXPECT_GE(files.stats, before + 4 + 1 + 101 + 100) << "whose root is not known";
}

TEST_F(Catalog, TheMemoryOfAFloodIsBounded) {
  CryptoLimits limits;
  limits.looks_per_tick = 1;
  limits.recent_entries_max = 2;
  lookup = make_crypto_lookup(built_in_registry(), files, limits);
  files.files["/a.pem"].contents = read_fixture("certificate-rsa.pem");
  for (int round = 0; round < 2; ++round)
    for (std::uint32_t pid = 1; pid <= 3; ++pid) (void)lookup->look_into({pid, "/a.pem", {}}, true);
  EXPECT_EQ(files.stats, 4U) << "two are remembered, the third is looked at each time";
  limits.recent_bytes_max = 10;
  lookup = make_crypto_lookup(built_in_registry(), files, limits);
  files.stats = 0;
  for (int round = 0; round < 3; ++round) (void)look("/a.pem");
  EXPECT_EQ(files.stats, 3U);
}

TEST_F(Catalog, DoesNotTouchWhatNobodyOpened) {
  files.files["/etc/ssl/private/server.key"].contents = read_fixture("rsa-pkcs8.pem");
  const FileFinding finding = look("/etc/ssl/private/server.key", false);
  EXPECT_EQ(finding.path, "/etc/ssl/private/server.key");
  EXPECT_EQ(finding.expected, "private_key");
  EXPECT_EQ(finding.file_type, "") << "not known is not unknown";
  EXPECT_FALSE(finding.contents_seen);
  EXPECT_NE(finding.not_seen_reason, "");
  EXPECT_TRUE(finding.assets.empty());
  EXPECT_EQ(files.stats + files.reads, 0U);
  files.working_directory = "/etc/ssl/";
  EXPECT_EQ(look("missing.pem", false).path, "/etc/ssl/missing.pem");
  EXPECT_EQ(files.reads, 0U);
}

TEST_F(Catalog, NeverReadsDevicesAndPipes) {
  files.files["/dev/tpmrm0"] = {FileKind::other, "", "a character device"};
  files.files["/run/pipe.pem"] = {FileKind::other, "", "a FIFO"};
  files.files["/root/secret.key"] = {FileKind::unreadable, "", "Permission denied"};
  const FileFinding device = look("/dev/tpmrm0");
  EXPECT_EQ(device.expected, "device");
  EXPECT_EQ(device.file_type, "");
  EXPECT_EQ(device.not_seen_reason, "a character device");
  EXPECT_EQ(look("/run/pipe.pem").not_seen_reason, "a FIFO");
  EXPECT_EQ(look("/root/secret.key").not_seen_reason, "Permission denied");
  EXPECT_EQ(look("/gone.pem").not_seen_reason, "no such file");
  EXPECT_EQ(files.reads, 0U);
}

TEST_F(Catalog, SaysWhenAFileChangedUnderItsHands) {
  files.files["/a.pem"].contents = read_fixture("certificate-rsa.pem");
  files.files["/a.pem"].readable = false;
  const FileFinding finding = look("/a.pem");
  EXPECT_FALSE(finding.contents_seen);
  EXPECT_EQ(finding.file_type, "");
  EXPECT_NE(finding.not_seen_reason, "");
  files.files["/a.pem"].readable = true;
  EXPECT_EQ(look("/a.pem").file_type, "certificate") << "what was not seen is not remembered";
}

TEST_F(Catalog, ReadsNoMoreThanOneMebibyte) {
  std::string& big = files.files["/big.pem"].contents;
  big = read_fixture("certificate-rsa.pem") + std::string(10 << 20, '#') + read_fixture("rsa-pkcs8.pem");
  const FileFinding finding = look("/big.pem");
  EXPECT_TRUE(finding.contents_cut);
  EXPECT_TRUE(finding.contents_seen);
  EXPECT_EQ(finding.file_type, "certificate");
  EXPECT_EQ(files.bytes_read, std::size_t{1} << 20);
}

TEST_F(Catalog, JudgesARelativeNameByWhereItTurnsOutToBe) {
  files.files["/etc/ssl/certs/2e5ac55d.0"].contents = read_fixture("certificate-rsa.pem");
  files.working_directory = "/etc/ssl/certs/";
  EXPECT_FALSE(lookup->is_candidate("2e5ac55d.0"));
  EXPECT_EQ(look("2e5ac55d.0").name_rule, "system-certificates");
}

TEST_F(Catalog, NamesCandidates) {
  for (const char* path :
       {"/a/server.crt", "server.key", "SERVER.PEM", "/x/Server.Crt", "/root/.ssh/id_ed25519", "/home/u/.ssh/github",
        "/etc/ssh/ssh_host_rsa_key", "/etc/ssl/certs/2e5ac55d.0", "/opt/java/lib/security/cacerts",
        "/home/u/.mozilla/firefox/x/key4.db", "/dev/tpm0", "/dev/tpmrm0", "known_hosts", ".ssh/config.d"})
    EXPECT_TRUE(lookup->is_candidate(path)) << path;
  for (const char* path :
       {"", "/", "/etc/passwd", "/etc/ssl/openssl.cnf", "/a/keyboard", "/a/monkey", "/etc/ssh/sshd_config",
        "/home/u/.ssh/config", "/usr/lib/libssl.so.3", "/a.pem/", "/opt/libssl-notes/x", "/a/crt", "key"})
    EXPECT_FALSE(lookup->is_candidate(path)) << path;
}

TEST(IdentityCache, ForgetsTheLeastRecent) {
  IdentityCache<int> cache(3, 100);
  const auto id = [](std::uint64_t inode) { return FileIdentity{1, inode, 1, 1}; };
  for (int i = 1; i <= 3; ++i) cache.put(id(static_cast<std::uint64_t>(i)), i, 10);
  ASSERT_NE(cache.find(id(1)), nullptr);
  cache.put(id(4), 4, 10);
  EXPECT_EQ(cache.find(id(2)), nullptr);
  EXPECT_EQ(*cache.find(id(1)), 1);
  cache.put(id(5), 5, 90);
  EXPECT_EQ(cache.size(), 2U) << "by bytes too";
  EXPECT_EQ(cache.bytes(), 100U);
  cache.put(id(6), 6, 101);
  EXPECT_EQ(cache.find(id(6)), nullptr) << "too large to keep";
  EXPECT_NE(cache.find(id(5)), nullptr);
}

}  // namespace
}  // namespace tracer
