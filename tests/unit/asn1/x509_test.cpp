// Certificates against what an independent reader says of them (tests/fixtures/crypto/make), and hostile ones.
#include "core/asn1/x509.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "core/asn1/der.h"
#include "core/asn1/object_identifiers.h"
#include "core/asn1/public_key.h"
#include "tests/unit/asn1/fixture_files.h"

namespace tracer {
namespace {

using nlohmann::json;

CertificateFacts facts_of(const std::string& file) {
  const std::string der = certificate_der(file);
  auto facts = parse_certificate(as_bytes(der));
  EXPECT_TRUE(facts) << file << ": " << (facts ? "" : facts.error().context);
  return facts ? *facts : CertificateFacts();
}

std::string der_of_oid(const std::string& dotted) {  // of arcs below 2^28
  std::string out;
  std::size_t at = 0;
  std::vector<unsigned> arcs;
  while (at <= dotted.size()) {
    const std::size_t end = std::min(dotted.find('.', at), dotted.size());
    arcs.push_back(static_cast<unsigned>(std::stoul(dotted.substr(at, end - at))));
    at = end + 1;
  }
  arcs[1] += 40 * arcs[0];
  for (std::size_t i = 1; i < arcs.size(); ++i) {
    for (int shift = 21; shift > 0; shift -= 7)
      if (arcs[i] >> shift != 0) out += static_cast<char>(0x80 | (arcs[i] >> shift & 0x7f));
    out += static_cast<char>(arcs[i] & 0x7f);
  }
  return out;
}

TEST(X509, SaysWhatAnotherReaderSays) {
  std::ifstream file(fixture_path("certificates.json"));
  const json all = json::parse(file);
  ASSERT_GE(all.size(), 10U);
  for (const auto& [name, expected] : all.items()) {
    SCOPED_TRACE(name);
    const CertificateFacts facts = facts_of(name);
    EXPECT_EQ(facts.subject, expected["subject"].get<std::string>());
    EXPECT_EQ(facts.issuer, expected["issuer"].get<std::string>());
    EXPECT_EQ(facts.sha256, expected["sha256"].get<std::string>());
    EXPECT_EQ(facts.public_key_sha256, expected["public_key_sha256"].get<std::string>());
    EXPECT_EQ(facts.key_type, expected["key_type"].get<std::string>());
    EXPECT_EQ(facts.curve, expected["curve"].get<std::string>());
    EXPECT_EQ(facts.key_bits.value_or(0), expected.value("key_bits", 0U));
    EXPECT_EQ(facts.signature_algorithm,
              signature_algorithm_name(as_bytes(der_of_oid(expected["signature_oid"].get<std::string>()))));
    EXPECT_FALSE(facts.signature_algorithm.empty() || std::isdigit(facts.signature_algorithm[0]))
        << facts.signature_algorithm;
    const std::string serial =
        facts.serial.substr(std::min(facts.serial.find_first_not_of('0'), facts.serial.size() - 1));
    EXPECT_EQ(serial, expected["serial"].get<std::string>());
    EXPECT_EQ(facts.is_ca.has_value(), expected.contains("is_ca"));
    if (facts.is_ca && expected.contains("is_ca")) {
      EXPECT_EQ(*facts.is_ca, expected["is_ca"].get<bool>());
    }
    ASSERT_TRUE(facts.not_before);
    EXPECT_EQ(facts.not_before->ns / 1'000'000'000, expected["not_before"].get<std::int64_t>());
    EXPECT_EQ(facts.not_after.has_value(), name != "certificate-no-end.pem");
    if (facts.not_after) {
      EXPECT_EQ(facts.not_after->ns / 1'000'000'000, expected["not_after"].get<std::int64_t>());
    }
    EXPECT_TRUE(facts.self_issued);
  }
}

// The subject as `openssl x509 -nameopt RFC2253,-esc_msb,utf8` writes it, but for the order inside "+", which is free
// (RFC 4514 section 2.2).
TEST(X509, WritesNamesAsTheRfcSays) {
  const CertificateFacts facts = facts_of("certificate-names.pem");
  EXPECT_EQ(facts.subject,
            "2.3.4=#1307756e6e616d6564,UID=u1+DC=joined,emailAddress=post@example.org,CN=*.example.org,"
            "OU=\\ spaces at both ends\\ ,OU=\\# first,O=Example\\, \\\"Ltd\\\" \\+ Sons\\; \\<a=b\\>,L=Köln,"
            "ST=Nordrhein-Westfalen,C=DE");
  const std::vector<std::string> names{"DNS:example.org",
                                       "DNS:*.example.org",
                                       "IP:192.0.2.1",
                                       "IP:2001:db8::1",
                                       "email:post@example.org",
                                       "URI:https://example.org/a?b=c",
                                       "RID:1.2.3.4",
                                       "othername:1.3.6.1.4.1.311.20.2.3",
                                       "DirName:O=Example,CN=directory name"};
  EXPECT_EQ(facts.names, names);
  EXPECT_EQ(facts.is_ca, false);
}

TEST(X509, ReadsCurvesWithoutAName) {
  const CertificateFacts facts = facts_of("certificate-ec-explicit.pem");
  EXPECT_EQ(facts.key_type, "EC");
  EXPECT_EQ(facts.key_bits, 256U);
  EXPECT_EQ(facts.curve, "");
}

TEST(X509, BoundsWhatItTells) {
  const std::string der = certificate_der("certificate-many-names.pem");
  const auto facts = parse_certificate(as_bytes(der));
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->names.size(), 100U);
  EXPECT_EQ(facts->names_left_out, 150U);
  EXPECT_EQ(facts->names.back(), "DNS:n99.example");
  const std::string names = certificate_der("certificate-names.pem");
  const auto cut = parse_certificate(as_bytes(names), {2, 11});
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->names, (std::vector<std::string>{"DNS:example…", "DNS:*.examp…"}));
  EXPECT_EQ(cut->names_left_out, 7U);
  EXPECT_EQ(cut->subject, "2.3.4=#1307…");
}

// ---- certificates put together here ----

std::string tlv(std::uint8_t identifier, const std::string& content) {
  const auto element = der_encode(identifier, {as_bytes(content)});
  return std::string(as_text(element));
}

struct Parts {
  std::string version = tlv(0xa0, tlv(der::integer, "\x02")), serial = tlv(der::integer, "\x01"),
              algorithm = tlv(der::sequence, tlv(der::oid, "\x2b\x65\x70")), issuer = tlv(der::sequence, ""),
              validity = tlv(der::sequence, tlv(der::utc_time, "200101000000Z") + tlv(der::utc_time, "400101000000Z")),
              subject = tlv(der::sequence, ""),
              key = tlv(der::sequence, tlv(der::sequence, tlv(der::oid, "\x2b\x65\x70")) +
                                           tlv(der::bit_string, std::string(33, '\0'))),
              extensions;
  [[nodiscard]] std::string build() const {
    return tlv(der::sequence,
               tlv(der::sequence, version + serial + algorithm + issuer + validity + subject + key + extensions) +
                   algorithm + tlv(der::bit_string, std::string(65, '\0')));
  }
};
Result<CertificateFacts> parse(const std::string& der) { return parse_certificate(as_bytes(der)); }

std::string rdn(const std::string& oid, std::uint8_t type, const std::string& value) {
  return tlv(der::set, tlv(der::sequence, tlv(der::oid, oid) + tlv(type, value)));
}

TEST(X509, ReadsEveryStringType) {
  using namespace std::string_literals;
  Parts parts;
  const std::string cn = "\x55\x04\x03";
  parts.subject = tlv(der::sequence, rdn(cn, der::bmp_string, "\x00Z\x20\xac\xd8\x3d\xde\x00"s) +
                                         rdn(cn, der::universal_string, "\x00\x01\xf6\x00"s) +
                                         rdn(cn, der::t61_string, "K\xf6ln") + rdn(cn, der::numeric_string, "12") +
                                         rdn(cn, der::utf8_string, "a\0b\n"s) + rdn(cn, der::bmp_string, "odd") +
                                         rdn(cn, der::integer, "\x05") + rdn(cn, der::bmp_string, "\xd8\x3d"s));
  const auto facts = parse(parts.build());
  ASSERT_TRUE(facts) << facts.error().context;
  EXPECT_EQ(facts->subject, "CN=�,CN=#020105,CN=#1e036f6464,CN=a\\00b\\0A,CN=12,CN=Köln,CN=😀,CN=Z€😀");
  EXPECT_EQ(facts->issuer, "");
  EXPECT_FALSE(facts->self_issued) << "two empty names are no name";
}

TEST(X509, KeepsGoingWhereOneFieldIsUnreadable) {
  Parts parts;
  parts.validity = tlv(der::sequence, tlv(der::utc_time, "garbage") + tlv(der::integer, "\x01"));
  parts.key = tlv(der::sequence, tlv(der::integer, "\x01"));
  parts.subject = tlv(der::sequence, tlv(der::integer, "\x01"));
  parts.extensions = tlv(0xa3, tlv(der::integer, "\x01"));
  parts.serial = tlv(der::integer, std::string(200, '\x11'));
  const auto facts = parse(parts.build());
  ASSERT_TRUE(facts) << facts.error().context;
  EXPECT_FALSE(facts->not_before || facts->not_after);
  EXPECT_EQ(facts->key_type, "");
  EXPECT_EQ(facts->subject, "");
  EXPECT_EQ(facts->serial, "") << "ten times as long as may be";
  EXPECT_EQ(facts->signature_algorithm, "Ed25519");
  EXPECT_EQ(facts->sha256.size(), 64U);
}

TEST(X509, RefusesAnotherFrame) {
  const std::string good = Parts().build();
  ASSERT_TRUE(parse(good));
  EXPECT_FALSE(parse(good + '\0')) << "something behind it";
  for (std::string Parts::* part : {&Parts::serial, &Parts::algorithm, &Parts::issuer, &Parts::validity, &Parts::key}) {
    Parts without;
    (without.*part).clear();
    const auto facts = parse(without.build());
    ASSERT_FALSE(facts);
    EXPECT_EQ(facts.error().code, Errc::malformed);
    EXPECT_TRUE(facts.error().context.starts_with("certificate: ")) << facts.error().context;
  }
}

TEST(X509, SurvivesEveryTruncation) {
  for (const char* file : {"certificate-names.pem", "certificate-ec-ca.pem"}) {
    const std::string der = certificate_der(file);
    for (std::size_t size = 0; size < der.size(); ++size) {
      const std::vector<std::byte> exact(as_bytes(der).begin(),
                                         as_bytes(der).begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(parse_certificate(exact)) << file << " cut to " << size;
    }
  }
}

TEST(X509, SurvivesDamage) {
  std::mt19937 random(20);
  const std::string der = certificate_der("certificate-names.pem");
  std::size_t readable = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = der;
    for (int hits = 1 + static_cast<int>(random() % 3); hits > 0; --hits)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    readable += parse(damaged) ? 1U : 0U;
  }
  EXPECT_GT(readable, 1'000U) << "most hits are in the signature or the key";
}

TEST(X509, TakesCertificatesOf64KiB) {
  Parts parts;
  std::string names;
  for (int i = 0; i < 4000; ++i) names += tlv(der::context(2), "host" + std::to_string(i) + ".example.org");
  parts.extensions = tlv(
      0xa3, tlv(der::sequence,
                tlv(der::sequence, tlv(der::oid, "\x55\x1d\x11") + tlv(der::octet_string, tlv(der::sequence, names)))));
  parts.subject = tlv(der::sequence, rdn("\x55\x04\x03", der::utf8_string, std::string(60'000, 'x')));
  const std::string der = parts.build();
  ASSERT_GT(der.size(), 65'536U);
  const auto facts = parse(der);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->names.size() + facts->names_left_out, 4000U);
  EXPECT_LE(facts->subject.size(), 1024U + 3);
}

TEST(X509, NamesPostQuantumKeys) {
  for (const auto& [oid, name] :
       std::initializer_list<std::pair<const char*, const char*>>{{"2.16.840.1.101.3.4.3.17", "ML-DSA-44"},
                                                                  {"2.16.840.1.101.3.4.3.19", "ML-DSA-87"},
                                                                  {"2.16.840.1.101.3.4.3.20", "SLH-DSA-SHA2-128s"},
                                                                  {"2.16.840.1.101.3.4.3.31", "SLH-DSA-SHAKE-256f"},
                                                                  {"2.16.840.1.101.3.4.4.2", "ML-KEM-768"},
                                                                  {"1.2.3.4.5", "1.2.3.4.5"}}) {
    EXPECT_EQ(key_type_name(as_bytes(der_of_oid(oid))), name);
  }
}

}  // namespace
}  // namespace tracer
