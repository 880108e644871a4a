// The bytes of private values go nowhere: not into a finding, and not into memory that is given back as it was.
//
// operator delete is replaced: while a file is looked into, every block that is freed is searched for private bytes,
// binary and as they stand in the file.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <set>

#include "core/analyzers/crypto/crypto_catalog.h"
#include "core/analyzers/crypto/pem.h"
#include "core/asn1/digest.h"
#include "tests/unit/asn1/fixture_files.h"
#include "tests/unit/crypto/fake_files.h"

namespace {

constexpr std::size_t patterns_max = 8;
struct Pattern {
  const char* data = nullptr;
  std::size_t size = 0;
};
Pattern patterns[patterns_max];
std::size_t pattern_count = 0;
bool watching = false;
std::size_t freed_with_secret = 0, blocks_seen = 0;

void give_back(void* block) noexcept {
  if (watching && block != nullptr) {
    ++blocks_seen;
    const std::string_view bytes(static_cast<const char*>(block), malloc_usable_size(block));
    for (std::size_t i = 0; i < pattern_count; ++i)
      if (bytes.find(std::string_view(patterns[i].data, patterns[i].size)) != std::string_view::npos)
        ++freed_with_secret;
  }
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) {
  if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
  std::abort();
}
void operator delete(void* block) noexcept { give_back(block); }
void operator delete(void* block, std::size_t) noexcept { give_back(block); }

namespace tracer {
namespace {

std::string decoded(const std::string& base64) {
  const auto bytes = decode_base64(base64);
  return bytes ? std::string(as_text(bytes->view())) : std::string();
}

// What of each file is private: 16 bytes out of a private value, and the text that encodes some.
struct Secret {
  std::string file;
  std::vector<std::string> values;
};
std::string pem_body(const std::string& text) {
  const std::size_t begin = text.find("-----\n", text.rfind("-----BEGIN")) + 6;
  return text.substr(begin, text.find("-----END", begin) - begin);
}
Secret end_of_pem(const std::string& file) {  // the last bytes of the last block
  const std::string body = pem_body(read_fixture(file));
  const std::string der = decoded(body);
  const std::size_t last_line = body.rfind('\n', body.size() - 2) + 1;
  return {file, {der.substr(der.size() - 24, 16), body.substr(last_line > 40 ? last_line - 33 : 8, 24)}};
}
std::vector<Secret> secrets() {
  std::vector<Secret> all;
  for (const char* file : {"rsa-pkcs8.pem", "rsa-pkcs1.pem", "ed25519.pem", "dsa-pkcs8.pem", "dsa-traditional.pem",
                           "certificate-and-key.pem", "mldsa65.pem", "ssh-rsa"})
    all.push_back(end_of_pem(file));
  const std::string ec = read_fixture("ec-sec1.der");
  all.push_back({"ec-sec1.der", {ec.substr(7, 16), ec.substr(20, 16)}});
  const std::string sec1 = pem_body(read_fixture("ec-sec1.pem"));
  all.push_back({"ec-sec1.pem", {decoded(sec1).substr(7, 16), sec1.substr(12, 24)}});
  const std::string rsa = read_fixture("rsa-pkcs1.der");
  all.push_back({"rsa-pkcs1.der", {rsa.substr(rsa.size() - 40, 16), rsa.substr(300, 16)}});
  const std::string pkcs8 = read_fixture("rsa-pkcs8.der");
  all.push_back({"rsa-pkcs8.der", {pkcs8.substr(pkcs8.size() - 40, 16), pkcs8.substr(340, 16)}});
  all.push_back({"store-in-clear.p12", {rsa.substr(rsa.size() - 40, 16)}});
  all.push_back({"service.keytab", {std::string(16, 'k')}});
  all.push_back({"putty.ppk", {"UFJJVkFURVBSSVZBVEVQUklW", "PRIVATEPRIVATE"}});
  const std::string jwk = read_fixture("private.jwk");
  all.push_back({"private.jwk", {jwk.substr(jwk.find("\"d\": \"") + 6, 24)}});
  const std::string pgp = pem_body(read_fixture("pgp-rsa-secret.asc"));
  const std::string packet = decoded(pgp.substr(pgp.find("\n") + 1));
  all.push_back({"pgp-rsa-secret.asc", {packet.substr(400, 16), pgp.substr(600, 24)}});
  // The seed; behind it the same value holds the public key once more.
  const std::string ssh = pem_body(read_fixture("ssh-ed25519"));
  const std::string blob = decoded(ssh);
  const std::size_t seed = blob.rfind("ssh-ed25519") + 11 + 4 + 32 + 4;
  std::string line = ssh;
  std::erase(line, '\n');
  all.push_back({"ssh-ed25519", {blob.substr(seed, 16), line.substr(seed / 3 * 4 + 4, 14)}});
  return all;
}

// All text of a finding, as records are made of it.
std::string text_of(const FileFinding& finding) {
  std::string all = finding.path + finding.file_type + finding.expected + finding.name_rule + finding.not_seen_reason;
  for (const FileAsset& asset : finding.assets) {
    all += asset.format + asset.algorithm + asset.curve + asset.public_key_sha256 + asset.evidence.detail +
           asset.evidence.rule;
    if (asset.certificate) {
      all += asset.certificate->subject + asset.certificate->issuer + asset.certificate->serial;
      for (const std::string& name : asset.certificate->names) all += name;
    }
  }
  return all;
}

TEST(PrivateBytes, GoNowhere) {
  for (const Secret& secret : secrets()) {
    SCOPED_TRACE(secret.file);
    FakeFiles files;
    const std::string path = "/keys/" + secret.file + ".pem";
    files.files[path].contents = read_fixture(secret.file);
    pattern_count = 0;
    for (const std::string& value : secret.values) {
      ASSERT_GE(value.size(), 14U);
      patterns[pattern_count++] = {value.data(), value.size()};
    }
    // The file itself must hold one of them as it is, or the test looks for the wrong thing.
    ASSERT_TRUE(std::ranges::any_of(secret.values, [&](const std::string& value) {
      return files.files[path].contents.find(value) != std::string::npos;
    }));
    const auto lookup = make_crypto_lookup(built_in_registry(), files);
    freed_with_secret = blocks_seen = 0;
    watching = true;
    FileFinding finding = lookup->look_into({1, path, {}}, true);
    watching = false;
    EXPECT_GT(blocks_seen, 0U);
    EXPECT_EQ(freed_with_secret, 0U) << "memory was given back with private bytes in it";
    EXPECT_TRUE(std::ranges::any_of(finding.assets, [](const FileAsset& asset) {
      return asset.type == "private_key" || asset.type == "keystore";
    }));
    const std::string text = text_of(finding);
    for (const std::string& value : secret.values) {
      EXPECT_EQ(text.find(value), std::string::npos);
      EXPECT_EQ(text.find(to_hex(as_bytes(value))), std::string::npos);
    }
  }
}

// The hash that is told is of the public half: the private one may be anything.
TEST(PrivateBytes, AreNotHashed) {
  const auto hash = [](const std::string& file, const std::string& der) {
    FakeFiles files;
    files.files["/" + file].contents = der;
    const FileFinding finding = make_crypto_lookup(built_in_registry(), files)->look_into({1, "/" + file, {}}, true);
    EXPECT_EQ(finding.assets.size(), 1U);
    return finding.assets.empty() ? std::string() : finding.assets[0].public_key_sha256;
  };
  for (const auto& [file, at] : std::initializer_list<std::pair<const char*, std::size_t>>{
           {"ec-sec1.der", 10}, {"rsa-pkcs1.der", 300}, {"rsa-pkcs8.der", 340}}) {
    std::string der = read_fixture(file);
    const std::string before = hash(file, der);
    EXPECT_EQ(before.size(), 64U);
    der[at] = static_cast<char>(der[at] ^ 0x55);
    EXPECT_EQ(hash(file, der), before) << file;
  }
}

// The test above finds what it is to find.
TEST(PrivateBytes, TheWatchmanIsAwake) {
  const std::string secret = "0123456789abcdefghijklmnopqrstuv";
  patterns[0] = {secret.data(), secret.size()};
  pattern_count = 1;
  freed_with_secret = 0;
  watching = true;
  {
    const std::vector<char> copy(secret.begin(), secret.end());
  }
  watching = false;
  EXPECT_EQ(freed_with_secret, 1U);
  freed_with_secret = 0;
  watching = true;
  {
    std::vector<std::byte> bytes(secret.size());
    std::ranges::copy(as_bytes(secret), bytes.begin());
    const SecretBytes held(std::move(bytes));
  }
  watching = false;
  EXPECT_EQ(freed_with_secret, 0U);
}

}  // namespace
}  // namespace tracer
