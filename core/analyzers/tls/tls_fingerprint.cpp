#include "core/analyzers/tls/tls_fingerprint.h"

// EVP would bring in the provider machinery, which is megabytes in a static program.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "core/analyzers/tls/tls_names.h"
#include "core/asn1/digest.h"

namespace tracer {

namespace {

constexpr std::size_t ja4_digits = 12, ja4_count_max = 99;

std::string md5_hex(std::string_view text) {
  std::array<std::uint8_t, MD5_DIGEST_LENGTH> digest{};
  MD5_CTX context;
  MD5_Init(&context);
  MD5_Update(&context, text.data(), text.size());
  MD5_Final(digest.data(), &context);
  return to_hex(std::as_bytes(std::span(digest)));
}

std::vector<std::uint16_t> without_grease(std::vector<std::uint16_t> values) {
  std::erase_if(values, is_grease);
  return values;
}

template <typename Number>
std::string joined(const std::vector<Number>& values) {
  std::string text;
  for (const Number value : values) {
    if (!text.empty()) text += '-';
    text += std::to_string(value);
  }
  return text;
}

std::string joined_hex(const std::vector<std::uint16_t>& values) {
  std::string text;
  for (const std::uint16_t value : values) {
    if (!text.empty()) text += ',';
    text += hex_number(value).substr(2);
  }
  return text;
}

std::string_view ja4_version(const ClientHello& hello) {
  std::uint16_t version = hello.legacy_version;
  const std::vector<std::uint16_t> offered = without_grease(hello.versions);
  if (!offered.empty()) version = std::ranges::max(offered);
  switch (version) {
    case tls::tls1_3:
      return "13";
    case tls::tls1_2:
      return "12";
    case tls::tls1_1:
      return "11";
    case tls::tls1_0:
      return "10";
    case tls::ssl3:
      return "s3";
    case tls::ssl2:
      return "s2";
    default:
      return "00";
  }
}

std::string two_digits(std::size_t count) {
  count = std::min(count, ja4_count_max);
  return {static_cast<char>('0' + count / 10), static_cast<char>('0' + count % 10)};
}

// The first and the last character of the first protocol; of its hexadecimal form if one of them is no letter or digit.
std::string ja4_alpn(const ClientHello& hello) {
  if (hello.alpn.empty() || hello.alpn.front().empty()) return "00";
  const std::string& name = hello.alpn.front();
  const auto plain = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (plain(name.front()) && plain(name.back())) return {name.front(), name.back()};
  const std::string hex = to_hex(as_bytes(name));
  return {hex.front(), hex.back()};
}

std::string ja4_hash(const std::string& text) {
  return text.empty() ? std::string(ja4_digits, '0') : sha256_hex(as_bytes(text)).substr(0, ja4_digits);
}

}  // namespace

std::string ja3_text(const ClientHello& hello) {
  if (hello.sslv2_format) return {};
  return std::to_string(hello.legacy_version) + ',' + joined(without_grease(hello.suites)) + ',' +
         joined(without_grease(hello.extensions)) + ',' + joined(without_grease(hello.groups)) + ',' +
         joined(hello.point_formats);
}

std::string ja3s_text(const ServerHello& hello) {
  return std::to_string(hello.legacy_version) + ',' + std::to_string(hello.suite) + ',' +
         joined(without_grease(hello.extensions));
}

std::string ja3(const ClientHello& hello) { return hello.sslv2_format ? std::string() : md5_hex(ja3_text(hello)); }

std::string ja3s(const ServerHello& hello) { return md5_hex(ja3s_text(hello)); }

std::string ja4(const ClientHello& hello) {
  if (hello.sslv2_format) return {};
  std::vector<std::uint16_t> suites = without_grease(hello.suites);
  std::vector<std::uint16_t> extensions = without_grease(hello.extensions);
  std::string text = "t" + std::string(ja4_version(hello));
  text += hello.has(tls_extension::server_name) ? 'd' : 'i';
  text += two_digits(suites.size()) + two_digits(extensions.size()) + ja4_alpn(hello);
  std::ranges::sort(suites);
  text += "_" + ja4_hash(joined_hex(suites)) + "_";
  std::erase_if(extensions,
                [](std::uint16_t type) { return type == tls_extension::server_name || type == tls_extension::alpn; });
  std::ranges::sort(extensions);
  std::string listed = joined_hex(extensions);
  const std::string schemes = joined_hex(without_grease(hello.schemes));
  if (!listed.empty() && !schemes.empty()) listed += "_" + schemes;
  return text + ja4_hash(listed);
}

}  // namespace tracer
