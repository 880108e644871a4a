// Which libraries are known, by which rule, and in which version.
#include <gtest/gtest.h>

#include "core/analyzers/crypto/crypto_catalog.h"
#include "core/analyzers/crypto/library_version.h"
#include "tests/unit/crypto/fake_files.h"

namespace tracer {
namespace {

TEST(Library, IsKnownByTheLastPartOfItsPath) {
  const Registry& registry = built_in_registry();
  const auto family = [&](std::string_view path) {
    const LibraryRule* rule = registry.library_rule(path);
    return rule == nullptr ? std::string() : rule->family;
  };
  EXPECT_EQ(family("/usr/lib/x86_64-linux-gnu/libssl.so.3"), "OpenSSL");
  EXPECT_EQ(family("libcrypto.so.1.1"), "OpenSSL");
  EXPECT_EQ(family("/usr/lib64/libcrypto.so.1.0.2k"), "OpenSSL");
  EXPECT_EQ(family("/usr/lib64/libssl.so.10"), "OpenSSL");
  EXPECT_EQ(family("/usr/lib/libssl.so.53"), "LibreSSL");
  EXPECT_EQ(family("/app/libssl.so"), "OpenSSL API");
  EXPECT_EQ(family("/usr/lib/ossl-modules/fips.so"), "OpenSSL");
  EXPECT_EQ(family("/usr/lib/ossl-modules/oqsprovider.so"), "Open Quantum Safe");
  EXPECT_EQ(family("/usr/lib/libgnutls.so.30.34.3"), "GnuTLS");
  EXPECT_EQ(family("/usr/lib/libnss3.so"), "NSS");
  EXPECT_EQ(family("/usr/lib/libmbedcrypto.so.7"), "Mbed TLS");
  for (const char* path :
       {"/opt/libssl-notes/x", "/opt/libssl.so.3/readme", "/usr/lib/libnss_files.so.2", "/usr/lib/libsslcommon.so",
        "/usr/lib/libcrypto.so.3.txt/x", "/usr/lib/libc.so.6", "mylibssl.so.3", ""})
    EXPECT_EQ(family(path), "") << path;
}

TEST(Library, VersionIsReadFromTheFile) {
  FakeFiles files;
  const auto lookup = make_crypto_lookup(built_in_registry(), files);
  // Across the border of two pieces.
  std::string& library = files.files["/lib/libcrypto.so.3"].contents;
  library = std::string(256 * 1024 - 10, 'x') + "OpenSSL 3.0.22 25 Aug 2026\0" + std::string(100, 'x');
  const auto finding = lookup->library({7, "/lib/libcrypto.so.3", {}});
  ASSERT_TRUE(finding);
  EXPECT_EQ(finding->family, "OpenSSL");
  EXPECT_EQ(finding->version, "3.0.22");
  ASSERT_EQ(finding->evidence.size(), 2U);
  EXPECT_EQ(finding->evidence[0].kind, EvidenceKind::path_rule);
  EXPECT_EQ(finding->evidence[0].detail, "libcrypto.so.3");
  EXPECT_EQ(finding->evidence[0].rule, "openssl-libcrypto");
  EXPECT_EQ(finding->evidence[1].kind, EvidenceKind::bytes);
  EXPECT_EQ(finding->evidence[1].detail, "OpenSSL 3.0.22");
  const std::size_t reads = files.reads;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(lookup->library({8, "/lib/libcrypto.so.3", {}})->version, "3.0.22");
  EXPECT_EQ(files.reads, reads) << "it is remembered";
}

TEST(Library, VersionFallsBackOnTheName) {
  FakeFiles files;
  const auto lookup = make_crypto_lookup(built_in_registry(), files);
  EXPECT_EQ(lookup->library({7, "/lib/libcrypto.so.1.1", {}})->version, "1.1") << "the file is gone";
  EXPECT_EQ(lookup->library({7, "/lib/libssl.so.3", {}})->version, "3");
  EXPECT_EQ(lookup->library({7, "/lib/libgnutls.so.30", {}})->version, "") << "30 is the version of its interface";
  EXPECT_EQ(lookup->library({7, "/lib64/libssl.so.10", {}})->version, "");
  EXPECT_FALSE(lookup->library({7, "/opt/libssl-notes/x", {}}));
  FileQuestion replaced{7, "/lib/libcrypto.so.3", {}};
  replaced.not_at_path = true;
  files.files["/lib/libcrypto.so.3"].contents = "OpenSSL 3.5.0 8 Apr 2025";
  EXPECT_EQ(lookup->library(replaced)->version, "3") << "what has the path now is another file";
}

TEST(Library, SearchIsBounded) {
  FakeFiles files;
  CryptoLimits limits;
  limits.library_bytes_max = 1 << 20;
  const auto lookup = make_crypto_lookup(built_in_registry(), files, limits);
  files.files["/lib/libcrypto.so.3"].contents = std::string(3 << 20, 'x') + "OpenSSL 3.0.22 25 Aug 2026";
  EXPECT_EQ(lookup->library({7, "/lib/libcrypto.so.3", {}})->version, "3");
  EXPECT_LT(files.bytes_read, 2U << 20);
  const std::size_t reads = files.reads;
  (void)lookup->library({7, "/lib/libcrypto.so.3", {}});
  EXPECT_EQ(files.reads, reads) << "that there is none is remembered too";
}

TEST(LibraryVersion, OfNames) {
  EXPECT_EQ(version_in_name("/lib/libssl.so.1.1"), "1.1");
  EXPECT_EQ(version_in_name("libcrypto.so.1.0.2k"), "1.0.2k");
  EXPECT_EQ(version_in_name("libssl.so"), "");
  EXPECT_EQ(version_in_name("libssl.so."), "");
  EXPECT_EQ(version_in_name("libssl.so.debug"), "");
  EXPECT_EQ(version_in_name("/lib.so.3/x"), "");
}

TEST(LibraryVersion, OfTexts) {
  const std::vector<std::string> texts{"OpenSSL "};
  const auto version = [&](std::string_view text) {
    const auto found = find_version(as_bytes(text), texts);
    return found ? found->version : std::string();
  };
  EXPECT_EQ(version("xxOpenSSL 3.0.22 25 Aug"), "3.0.22");
  EXPECT_EQ(version("OpenSSL is here; OpenSSL 1.1.1w  11 Sep 2023"), "1.1.1w");
  EXPECT_EQ(version("OpenSSL 3.0.22"), "") << "it may go on behind the end";
  EXPECT_EQ(version("OpenSSL 3.\n"), "3");
  EXPECT_EQ(version("OpenSSL x"), "");
  EXPECT_EQ(version("OpenSSL 11111111111111111111111111111111111111111111 "), "");
  EXPECT_EQ(version(""), "");
}

}  // namespace
}  // namespace tracer
