// Files of tests/fixtures/crypto, and certificates out of them.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/base/bytes.h"

namespace tracer {

inline std::filesystem::path fixture_path(const std::string& name) {
  return std::filesystem::path(TRACER_SOURCE_DIR) / "tests/fixtures/crypto" / name;
}

inline std::string read_fixture(const std::string& name) {
  std::ifstream file(fixture_path(name), std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_FALSE(text.empty()) << name;
  return text;
}

// The first block of that label, decoded by other means than the code under test.
inline std::string first_pem_body(const std::string& text, const std::string& label) {
  const std::string begin = "-----BEGIN " + label + "-----\n";
  const std::size_t at = text.find(begin);
  if (at == std::string::npos) return {};
  const std::string base64 = text.substr(at + begin.size(), text.find("-----END", at) - at - begin.size());
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned bits = 0, count = 0;
  for (const char c : base64) {
    const std::size_t value = digits.find(c);
    if (value == std::string::npos) continue;
    bits = bits << 6 | static_cast<unsigned>(value);
    count += 6;
    if (count >= 8) out += static_cast<char>(bits >> (count -= 8) & 0xff);
  }
  return out;
}

inline std::string certificate_der(const std::string& name) {
  return first_pem_body(read_fixture(name), "CERTIFICATE");
}

}  // namespace tracer
