// Files that mean harm: cut off, damaged, huge, nested. Run under the sanitizers too.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <random>
#include <string>

#include "core/analyzers/crypto/crypto_catalog.h"
#include "core/analyzers/crypto/file_contents.h"
#include "core/asn1/public_key.h"
#include "tests/unit/asn1/fixture_files.h"
#include "tests/unit/crypto/fake_files.h"

namespace tracer {
namespace {

std::vector<std::string> fixtures() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(fixture_path(""))) {
    const std::string name = entry.path().filename();
    if (name != "make" && name != "README.md" && name != "certificates.json") names.push_back(name);
  }
  EXPECT_GT(names.size(), 50U);
  return names;
}

// In memory that ends where the file ends, so that a read behind it is seen.
FileContents contents_of(const std::string& text) {
  const Bytes bytes = as_bytes(text);
  const std::vector<std::byte> exact(bytes.begin(), bytes.end());
  FileContents contents = read_contents(exact, built_in_registry(), {});
  EXPECT_LE(contents.assets.size(), 32U);
  for (const FileAsset& asset : contents.assets) {
    EXPECT_FALSE(asset.evidence.detail.empty());
    EXPECT_LE(asset.evidence.detail.size(), 256U);
  }
  return contents;
}

TEST(HostileFiles, AreCutAtEveryByte) {
  for (const std::string& name : fixtures()) {
    const std::string whole = read_fixture(name);
    const std::size_t step = whole.size() > 4000 ? 7 : 1;
    for (std::size_t size = 0; size < whole.size(); size += step) (void)contents_of(whole.substr(0, size));
  }
}

TEST(HostileFiles, AreDamaged) {
  std::mt19937 random(6);
  for (const std::string& name : fixtures()) {
    const std::string whole = read_fixture(name);
    for (int i = 0; i < 200; ++i) {
      std::string damaged = whole;
      for (int hits = 1 + static_cast<int>(random() % 4); hits > 0; --hits)
        damaged[random() % damaged.size()] = static_cast<char>(random());
      (void)contents_of(damaged);
    }
  }
}

// DER one inside the other, 30,000 times, in place of everything that may hold an element.
TEST(HostileFiles, AreNested) {
  std::string nested = "\x05";
  nested += '\0';
  for (int i = 0; i < 30'000; ++i) {
    const auto outer = der_encode(i % 3 == 0   ? 0x30
                                  : i % 3 == 1 ? 0xa0
                                               : 0x04,
                                  {as_bytes(nested).first(std::min<std::size_t>(nested.size(), 60'000))});
    nested.assign(as_text(outer));
  }
  EXPECT_TRUE(contents_of(nested).assets.empty());
  std::string json(200'000, '[');
  EXPECT_TRUE(contents_of("{\"keys\": " + json).assets.empty());
}

TEST(HostileFiles, CostTimeInProportionToTheirSize) {
  const auto repeated = [](const std::string& text) {
    std::string all;
    while (all.size() < (1U << 20)) all += text;
    return all;
  };
  const std::string key = read_fixture("ssh-ed25519.pub");
  for (const std::string& text :
       {repeated("-----BEGIN CERTIFICATE-----\n"), repeated("-----BEGIN A-----\n-----END B-----\n"),
        repeated("-----BEGIN "),
        repeated("-----BEGIN PGP PUBLIC KEY BLOCK-----\nmQ==\n-----END PGP PUBLIC KEY BLOCK-----\n"),
        repeated("ssh-rsa "), repeated(key), repeated("\""), repeated("{\"kty\":\"EC\"}"), "{" + repeated("\"a\":"),
        repeated("\n"), repeated("SQLite format 3"),
        "-----BEGIN CERTIFICATE-----\n" + repeated("MAAw") + "\n-----END CERTIFICATE-----\n",
        repeated(read_fixture("certificate-rsa.pem")),
        "-----BEGIN RSA PRIVATE KEY-----\n" + repeated("a: b\n") + "-----END RSA PRIVATE KEY-----\n",
        "\x05\x02" + repeated(std::string("\0\0\0\4ABCD", 8)), repeated("\"x\" ssh-rsa AAAA ")}) {
    const auto begin = std::chrono::steady_clock::now();
    (void)contents_of(text);
    // Some 10 ms when alone. What is quadratic takes minutes.
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10)) << text.substr(0, 40);
  }
}

TEST(HostileFiles, FillNoMemory) {
  FakeFiles files;
  CryptoLimits limits;
  limits.cache_bytes_max = 64 << 10;
  const auto lookup = make_crypto_lookup(built_in_registry(), files, limits);
  const std::string certificate = read_fixture("certificate-many-names.pem");
  for (int i = 0; i < 100; ++i) files.files["/many/" + std::to_string(i) + ".pem"].contents = certificate;
  for (int round = 0; round < 2; ++round)
    for (const auto& [path, file] : files.files)
      EXPECT_EQ(lookup->look_into({1, path, {}}, true).file_type, "certificate");
  EXPECT_GT(files.reads, 150U) << "most did not fit";
}

}  // namespace
}  // namespace tracer
