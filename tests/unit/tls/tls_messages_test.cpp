// Parsers, names and fingerprints, on messages made byte by byte.
#include "core/analyzers/tls/tls_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/analyzers/tls/tls_fingerprint.h"
#include "core/analyzers/tls/tls_names.h"
#include "tests/unit/tls/tls_harness.h"

namespace tracer::test {
namespace {

using testing::ElementsAre;

std::string full_hello() {
  HelloParts parts;
  parts.session_id = std::string(32, 'i');
  parts.suites = hex("0a0a 1301 c02f 00ff");
  parts.extensions =
      extension(0x1a1a, "") + extension(0, sized(2, hex("00") + sized(2, "www.example.org"))) + extension(23, "") +
      extension(10, sized(2, hex("2a2a 11ec 001d 0017"))) + extension(11, sized(1, hex("00 01"))) +
      extension(13, sized(2, hex("0403 0804 0301"))) + extension(16, sized(2, sized(1, "h2") + sized(1, "http/1.1"))) +
      extension(35, "ticket") + extension(42, "") + extension(43, sized(1, hex("3a3a 0304 0303"))) +
      extension(51, sized(2, hex("11ec") + sized(2, "kk") + hex("001d") + sized(2, "kkkk"))) +
      extension(0xfe0d, "whatever") +
      extension(41, sized(2, sized(2, "identity") + hex("00000000") + sized(2, "other") + hex("01020304")) +
                        sized(2, sized(1, std::string(32, 'b'))));
  return client_hello(parts);
}

TEST(TlsClientHello, EveryFieldIsRead) {
  const auto hello = parse_client_hello(as_bytes(full_hello()));
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->legacy_version, 0x0303);
  EXPECT_EQ(hello->session_id.size(), 32U);
  EXPECT_THAT(hello->suites, ElementsAre(0x0a0a, 0x1301, 0xc02f, 0x00ff));
  EXPECT_THAT(hello->extensions, ElementsAre(0x1a1a, 0, 23, 10, 11, 13, 16, 35, 42, 43, 51, 0xfe0d, 41));
  EXPECT_EQ(hello->server_name, "www.example.org");
  EXPECT_THAT(hello->groups, ElementsAre(0x2a2a, 0x11ec, 0x001d, 0x0017));
  EXPECT_THAT(hello->point_formats, ElementsAre(0, 1));
  EXPECT_THAT(hello->schemes, ElementsAre(0x0403, 0x0804, 0x0301));
  EXPECT_THAT(hello->alpn, ElementsAre("h2", "http/1.1"));
  EXPECT_THAT(hello->versions, ElementsAre(0x3a3a, 0x0304, 0x0303));
  EXPECT_THAT(hello->key_shares, ElementsAre(0x11ec, 0x001d));
  EXPECT_THAT(hello->psk_ages, ElementsAre(0U, 0x01020304U));
  EXPECT_TRUE(hello->has_ticket);
  EXPECT_TRUE(hello->has(tls_extension::early_data));
  EXPECT_TRUE(hello->has(tls_extension::encrypted_client_hello));
  EXPECT_FALSE(hello->sslv2_format);
}

TEST(TlsClientHello, OneWithoutExtensionsIsWhole) {
  HelloParts parts;
  parts.version = hex("0300");
  const auto hello = parse_client_hello(as_bytes(client_hello(parts)));
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->legacy_version, tls::ssl3);
  EXPECT_FALSE(hello->server_name);
  EXPECT_FALSE(hello->has_ticket);
}

TEST(TlsClientHello, AnEmptyTicketOffersNone) {
  HelloParts parts;
  parts.extensions = extension(35, "");
  const auto hello = parse_client_hello(as_bytes(client_hello(parts)));
  ASSERT_TRUE(hello);
  EXPECT_FALSE(hello->has_ticket);
  EXPECT_TRUE(hello->has(tls_extension::session_ticket));
}

TEST(TlsClientHello, ThatOfSslv2HasSuitesOfBothKinds) {
  const std::string bytes = hex("01 0301 0009 0000 0010 00002f 010080 0000ff") + std::string(16, 'c');
  const auto hello = parse_sslv2_client_hello(as_bytes(bytes));
  ASSERT_TRUE(hello);
  EXPECT_TRUE(hello->sslv2_format);
  EXPECT_EQ(hello->legacy_version, 0x0301);
  EXPECT_THAT(hello->suites, ElementsAre(0x002f, 0x00ff));
  EXPECT_THAT(hello->sslv2_suites, ElementsAre(0x010080U));
  EXPECT_TRUE(ja3(*hello).empty());
  EXPECT_TRUE(ja4(*hello).empty());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(parse_sslv2_client_hello(as_bytes(std::string_view(bytes).substr(0, size)))) << size;
  EXPECT_FALSE(parse_sslv2_client_hello(as_bytes(bytes + "x")));
}

// Extensions came later, so a hello that ends right before them is whole; nowhere else may one end.
TEST(TlsClientHello, ACutOneIsNone) {
  const std::string whole = full_hello();
  const std::size_t without_extensions = 2 + 32 + 1 + 32 + 2 + 8 + 2;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto hello = parse_client_hello(as_bytes(std::string_view(whole).substr(0, size)));
    EXPECT_EQ(hello.has_value(), size == without_extensions) << size;
  }
  EXPECT_FALSE(parse_client_hello(as_bytes(whole + "x")));
}

TEST(TlsClientHello, WhatDoesNotFitItsLengthIsRefused) {
  const std::string wrong[] = {
      extension(0, sized(2, hex("00") + hex("0005") + "abc")),  // name longer than its list
      extension(10, sized(2, hex("00 1d 00"))),                 // half a group
      extension(10, sized(2, hex("001d")) + "x"),               // something behind the list
      extension(13, hex("0002")),                               // list not there
      extension(16, sized(2, hex("05") + "h2")),                // protocol longer than its list
      extension(43, hex("03 0304")),                            // versions longer than the extension
      extension(51, sized(2, hex("001d 0010") + "k")),          // key longer than its list
      extension(41, sized(2, sized(2, "identity") + hex("0000")) + sized(2, "")),
      hex("000a 0001"),  // extension longer than all of them
  };
  for (const std::string& each : wrong) {
    HelloParts parts;
    parts.extensions = each;
    EXPECT_FALSE(parse_client_hello(as_bytes(client_hello(parts)))) << testing::PrintToString(each);
  }
}

TEST(TlsServerHello, EveryFieldIsRead) {
  const std::string extensions = extension(43, hex("0304")) + extension(51, hex("001d") + sized(2, "kkkk")) +
                                 extension(41, hex("0001")) + extension(16, sized(2, sized(1, "h2")));
  const auto hello = parse_server_hello(as_bytes(server_hello(hex("1302"), extensions, "session")));
  ASSERT_TRUE(hello);
  EXPECT_FALSE(hello->is_retry_request);
  EXPECT_EQ(hello->legacy_version, 0x0303);
  EXPECT_EQ(hello->version(), 0x0304);
  EXPECT_EQ(hello->suite, 0x1302);
  EXPECT_EQ(hello->group, 0x001d);
  EXPECT_EQ(hello->psk_identity, 1);
  EXPECT_EQ(hello->alpn, "h2");
  EXPECT_EQ(hello->session_id.size(), 7U);
  EXPECT_TRUE(hello->certificates_are_x509);
  const auto raw_keys = parse_server_hello(as_bytes(server_hello(hex("c02f"), extension(20, hex("02")))));
  ASSERT_TRUE(raw_keys);
  EXPECT_FALSE(raw_keys->certificates_are_x509);
  EXPECT_EQ(raw_keys->version(), 0x0303);
  EXPECT_FALSE(raw_keys->group);
}

TEST(TlsServerHello, ARetryRequestIsOneByItsRandom) {
  const std::string random = hex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c");
  const std::string body =
      hex("0303") + random + hex("00 1301 00") + sized(2, extension(43, hex("0304")) + extension(51, hex("0017")));
  const auto hello = parse_server_hello(as_bytes(body));
  ASSERT_TRUE(hello);
  EXPECT_TRUE(hello->is_retry_request);
  EXPECT_EQ(hello->group, 0x0017);
}

TEST(TlsServerHello, ACutOneIsNone) {
  const std::string whole = server_hello(hex("1302"), extension(43, hex("0304")));
  const std::size_t without_extensions = 2 + 32 + 1 + 2 + 1;
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(parse_server_hello(as_bytes(std::string_view(whole).substr(0, size))).has_value(),
              size == without_extensions)
        << size;
}

TEST(TlsServerKeyExchange, IsReadAsTheSuiteWantsIt) {
  constexpr std::uint16_t ecdhe_rsa = 0xc02f, dhe_rsa = 0x009e, ecdh_anon = 0xc018, dhe_psk = 0x00aa,
                          ecdhe_psk = 0xd001, rsa_export = 0x0003, psk = 0x00a8, rsa = 0x009c;
  const std::string curve = hex("03 001d") + sized(1, "point"), signature = sized(2, "sig");
  const std::string group = sized(2, hex("00 80") + std::string(127, 'p')) + sized(2, "g") + sized(2, "y");
  const auto read = [](const std::string& body, std::uint16_t version, std::uint16_t suite) {
    return parse_server_key_exchange(as_bytes(body), version, suite);
  };
  const auto modern = read(curve + hex("0804") + signature, tls::tls1_2, ecdhe_rsa);
  ASSERT_TRUE(modern);
  EXPECT_EQ(modern->group, 0x001d);
  EXPECT_EQ(modern->scheme, 0x0804);
  EXPECT_TRUE(modern->is_signed);
  const auto old = read(curve + signature, tls::tls1_1, ecdhe_rsa);
  ASSERT_TRUE(old);
  EXPECT_FALSE(old->scheme);
  const auto finite = read(group + hex("0401") + signature, tls::tls1_2, dhe_rsa);
  ASSERT_TRUE(finite);
  EXPECT_EQ(finite->prime_bits, 1024U);
  EXPECT_EQ(finite->scheme, 0x0401);
  EXPECT_FALSE(finite->group);
  const auto anonymous = read(curve, tls::tls1_2, ecdh_anon);
  ASSERT_TRUE(anonymous);
  EXPECT_FALSE(anonymous->is_signed);
  EXPECT_EQ(read(sized(2, "hint") + group, tls::tls1_2, dhe_psk)->prime_bits, 1024U);
  EXPECT_EQ(read(sized(2, "hint") + curve, tls::tls1_2, ecdhe_psk)->group, 0x001d);
  EXPECT_TRUE(read(sized(2, "hint"), tls::tls1_2, psk));
  EXPECT_TRUE(read(sized(2, "n") + sized(2, "e") + signature, tls::tls1_0, rsa_export));
  EXPECT_FALSE(read(curve, tls::tls1_2, rsa)) << "this one sends none";
  EXPECT_FALSE(read(curve + hex("0804") + signature + "x", tls::tls1_2, ecdhe_rsa));
  EXPECT_FALSE(read(hex("01") + curve, tls::tls1_2, ecdhe_rsa)) << "explicit parameters have no name";
}

TEST(TlsSmallMessages, AreReadWhole) {
  const std::string list = sized(3, sized(3, "first") + sized(3, "second"));
  const auto certificates = parse_certificate_list(as_bytes(list));
  ASSERT_TRUE(certificates);
  ASSERT_EQ(certificates->size(), 2U);
  EXPECT_EQ(as_text(certificates->at(1)), "second");
  EXPECT_TRUE(parse_certificate_list(as_bytes(sized(3, "")))->empty());
  EXPECT_FALSE(parse_certificate_list(as_bytes(list + "x")));
  EXPECT_FALSE(parse_certificate_list(as_bytes(sized(3, hex("000009") + "short"))));

  const std::string authorities = sized(2, sized(2, "one") + sized(2, "two"));
  const auto request = parse_certificate_request(
      as_bytes(sized(1, hex("01 40")) + sized(2, hex("0403 0804")) + authorities), tls::tls1_2);
  ASSERT_TRUE(request);
  EXPECT_THAT(request->schemes, ElementsAre(0x0403, 0x0804));
  EXPECT_EQ(request->authorities, 2U);
  EXPECT_TRUE(parse_certificate_request(as_bytes(sized(1, hex("01")) + authorities), tls::tls1_1));
  EXPECT_FALSE(parse_certificate_request(as_bytes(sized(1, hex("01")) + authorities), tls::tls1_2));

  const std::string issued = hex("00001c20") + sized(2, "ticket");
  const auto ticket = parse_new_session_ticket(as_bytes(issued));
  ASSERT_TRUE(ticket);
  EXPECT_EQ(ticket->lifetime_s, 7200U);
  EXPECT_EQ(as_text(ticket->ticket), "ticket");
  EXPECT_FALSE(parse_new_session_ticket(as_bytes(hex("00001c20"))));

  EXPECT_TRUE(parse_alert(as_bytes(hex("02 28")))->fatal);
  EXPECT_EQ(parse_alert(as_bytes(hex("01 00")))->description, 0);
  EXPECT_FALSE(parse_alert(as_bytes(hex("03 28"))));
  EXPECT_FALSE(parse_alert(as_bytes(hex("02"))));
}

TEST(TlsNames, AreThoseOfTheRegistries) {
  EXPECT_EQ(suite_name(0x1301), "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(suite_name(0xc02f), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
  EXPECT_EQ(suite_name(0x0000), "TLS_NULL_WITH_NULL_NULL");
  EXPECT_EQ(suite_name(0xeaea), "GREASE");
  EXPECT_EQ(suite_name(0xfeff), "0xfeff");
  EXPECT_EQ(group_name(0x11ec), "X25519MLKEM768");
  EXPECT_EQ(group_name(0x11eb), "SecP256r1MLKEM768");
  EXPECT_EQ(group_name(0x11ed), "SecP384r1MLKEM1024");
  EXPECT_EQ(group_name(0x0200), "MLKEM512");
  EXPECT_EQ(group_name(0x6399), "X25519Kyber768Draft00");
  EXPECT_EQ(group_name(0x001d), "x25519");
  EXPECT_EQ(group_name(0x0a0a), "GREASE");
  EXPECT_EQ(group_name(0x0a1a), "0x0a1a") << "the two bytes differ";
  EXPECT_EQ(scheme_name(0x0804), "rsa_pss_rsae_sha256");
  EXPECT_EQ(scheme_name(0x0201), "rsa_pkcs1_sha1");
  EXPECT_EQ(scheme_name(0x0203), "ecdsa_sha1");
  EXPECT_EQ(scheme_name(0x0101), "rsa_pkcs1_md5");
  EXPECT_EQ(scheme_name(0x0402), "dsa_sha256");
  EXPECT_EQ(scheme_name(0x0905), "mldsa65");
  EXPECT_EQ(scheme_name(0x0004), "0x0004");
  EXPECT_EQ(version_name(0x0300), "SSL 3.0");
  EXPECT_EQ(version_name(0x0304), "TLS 1.3");
  EXPECT_EQ(version_name(0x7f1c), "0x7f1c");
  EXPECT_EQ(alert_name(40), "handshake_failure");
  EXPECT_EQ(alert_name(2), "unassigned");
}

TEST(TlsNames, PostQuantumGroupsAreThese) {
  std::vector<int> found;
  for (int group = 0; group <= 0xffff; ++group)
    if (is_post_quantum(static_cast<std::uint16_t>(group))) found.push_back(group);
  EXPECT_THAT(found, ElementsAre(0x0200, 0x0201, 0x0202, 0x11eb, 0x11ec, 0x11ed, 0x6399, 0x639a));
}

TEST(TlsFingerprint, Ja3LeavesGreaseOut) {
  const auto hello = parse_client_hello(as_bytes(full_hello()));
  ASSERT_TRUE(hello);
  EXPECT_EQ(ja3_text(*hello), "771,4865-49199-255,0-23-10-11-13-16-35-42-43-51-65037-41,4588-29-23,0-1");
  // md5sum of that text.
  EXPECT_EQ(ja3(*hello), "ee016cdb3f9aa2015538dd5b4e07defe");
  const auto bare = parse_client_hello(as_bytes(client_hello({})));
  ASSERT_TRUE(bare);
  EXPECT_EQ(ja3_text(*bare), "771,4865-49199,,,");
}

TEST(TlsFingerprint, Ja3sIsThatOfTheServer) {
  const auto hello =
      parse_server_hello(as_bytes(server_hello(hex("c02f"), extension(0xff01, hex("00")) + extension(0, ""))));
  ASSERT_TRUE(hello);
  EXPECT_EQ(ja3s_text(*hello), "771,49199,65281-0");
  EXPECT_EQ(ja3s(*hello), "ebc4d9674023776e56b32a2cd3cb5e97");
}

// The example in the description of JA4 (https://github.com/FoxIO-LLC/ja4, technical_details/JA4.md).
TEST(TlsFingerprint, Ja4IsThatOfItsDescription) {
  ClientHello hello;
  hello.legacy_version = tls::tls1_2;
  hello.suites = {0x0a0a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030,
                  0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
  hello.extensions = {0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d,
                      0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015};
  hello.versions = {0x2a2a, 0x0304, 0x0303};
  hello.alpn = {"h2", "http/1.1"};
  hello.schemes = {0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601};
  EXPECT_EQ(ja4(hello), "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

TEST(TlsFingerprint, Ja4OfWhatIsNotThere) {
  ClientHello hello;
  hello.legacy_version = tls::ssl3;
  EXPECT_EQ(ja4(hello), "ts3i000000_000000000000_000000000000");
  hello.alpn = {
      "\xff"
      "a"};
  hello.extensions = std::vector<std::uint16_t>(120, 1);
  EXPECT_TRUE(ja4(hello).starts_with("ts3i0099f1_000000000000_")) << ja4(hello);
  hello.versions = {0x0a0a};
  EXPECT_TRUE(ja4(hello).starts_with("ts3")) << "GREASE is no version";
}

}  // namespace
}  // namespace tracer::test
