#include "core/analyzers/crypto/pem.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tracer {
namespace {

std::vector<std::string> labels(const std::string& text) {
  std::vector<std::string> all;
  PemReader reader(text);
  while (const auto block = reader.next()) all.emplace_back(block->label);
  return all;
}

std::string decoded(const std::string& base64) {
  const auto bytes = decode_base64(base64);
  return bytes ? std::string(as_text(bytes->view())) : "(refused)";
}

TEST(Pem, FindsBlocksAmongText) {
  EXPECT_EQ(labels("Subject: CN=x\n-----BEGIN A-----\nMAA=\n-----END A-----\ntext\r\n-----BEGIN B "
                   "C-----\r\nMAA=\r\n-----END B C-----"),
            (std::vector<std::string>{"A", "B C"}));
}

TEST(Pem, PassesOverWhatIsNoBlock) {
  EXPECT_EQ(labels("-----BEGIN A-----\nMAA=\n-----BEGIN B-----\nMAA=\n-----END B-----\n-----END A-----\n"),
            std::vector<std::string>{"B"});
  for (const char* text : {"-----BEGIN A-----\nMAA=\n-----END B-----\n", "-----BEGIN A-----\nMAA=\n-----END A----\n",
                           "-----BEGIN A\nMAA=\n-----END A-----\n", "-----BEGIN -----\nMAA=\n-----END -----\n",
                           "x-----BEGIN A-----\nMAA=\n-----END A-----\n", "-----BEGIN A-----\nMAA=", "-----BEGIN "})
    EXPECT_TRUE(labels(text).empty()) << text;
}

TEST(Pem, ReadsHeaders) {
  const std::string text =
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,0011\n "
      "continued\n\nMAA=\n-----END RSA PRIVATE KEY-----\n";
  const auto block = PemReader(text).next();
  ASSERT_TRUE(block);
  EXPECT_TRUE(block->encrypted);
  EXPECT_EQ(block->dek_info, "DES-EDE3-CBC");
  EXPECT_EQ(block->body, "MAA=\n");
  const std::string plain = "-----BEGIN A-----\nMAA=\n-----END A-----\n";
  EXPECT_FALSE(PemReader(plain).next()->encrypted);
  EXPECT_EQ(PemReader(plain).next()->body, "MAA=\n");
}

TEST(Base64, IsThatOfRfc4648) {
  EXPECT_EQ(decoded(""), "");
  EXPECT_EQ(decoded("Zg=="), "f");
  EXPECT_EQ(decoded("Zm8="), "fo");
  EXPECT_EQ(decoded("Zm9v"), "foo");
  EXPECT_EQ(decoded("Zm9v\r\nYmFy\n"), "foobar");
  EXPECT_EQ(decoded("Zm9v\n=njUN\n"), "foo") << "the checksum of OpenPGP";
  EXPECT_EQ(decoded("Zg"), "f") << "padding that was left out";
  for (const char* text : {"Z", "Zm9v!", "Zg==Zg==", "Zg=x", "Zg===", "Zm9-"})
    EXPECT_EQ(decoded(text), "(refused)") << text;
  EXPECT_EQ(decode_base64("Zm9vYmFy", 4)->view().size(), 4U);
}

}  // namespace
}  // namespace tracer
