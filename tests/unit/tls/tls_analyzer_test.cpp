// One connection at a time, with messages made by hand: what is told, when, and why not more.
#include "core/analyzers/tls/tls_analyzer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/tls/tls_harness.h"

namespace tracer::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

constexpr Side client = Side::a, server = Side::b;
using Type = HandshakeType;

std::string hello_record(const HelloParts& parts = {}) {
  return handshake_record(Type::client_hello, client_hello(parts));
}
HelloParts modern_parts() {
  HelloParts parts;
  parts.extensions = extension(43, sized(1, hex("0304 0303"))) + extension(10, sized(2, hex("11ec 001d"))) +
                     extension(51, sized(2, hex("001d") + sized(2, "key")));
  return parts;
}
const std::string modern_hello = hello_record(modern_parts());
const std::string modern_answer = handshake_record(
    Type::server_hello,
    server_hello(hex("1301"), extension(43, hex("0304")) + extension(51, hex("001d") + sized(2, "k"))));
const std::string proceeds = change_cipher_spec + some_ciphertext;  // what the client sends behind them
const std::string old_answer = handshake_record(Type::server_hello, server_hello(hex("c02f"), ""));
const std::string key_exchange = handshake_record(
    Type::server_key_exchange, hex("03 0017") + sized(1, "point") + hex("0401") + sized(2, "signature"));
const std::string hello_done = handshake_record(Type::server_hello_done, "");
const std::string retry_request = handshake_record(
    Type::server_hello, hex("0303 cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c 00 1301 00") +
                            sized(2, extension(43, hex("0304")) + extension(51, hex("001d"))));

TEST(TlsAnalyzer, TheHellosOfTls13AreAllThereIs) {
  TlsTalk talk;
  talk.say(client, modern_hello);
  EXPECT_EQ(talk.host.client, client);
  EXPECT_THAT(talk.host.records, IsEmpty());
  talk.say(server, modern_answer);
  EXPECT_THAT(talk.host.records, IsEmpty()) << "the client may refuse it, in clear";
  talk.say(client, proceeds);
  ASSERT_EQ(talk.host.records.size(), 1U);
  EXPECT_EQ(talk.host.left, "TLS");
  const TlsHandshake& it = talk.handshake();
  EXPECT_TRUE(it.complete);
  EXPECT_EQ(it.incomplete_reason, "");
  EXPECT_EQ(it.version, "TLS 1.3");
  EXPECT_EQ(it.cipher_suite, "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(it.group, "x25519");
  EXPECT_EQ(it.resumed, false);
  EXPECT_EQ(it.post_quantum, PostQuantum::offered);
  EXPECT_THAT(it.versions_offered, ElementsAre("TLS 1.3", "TLS 1.2"));
  EXPECT_THAT(it.key_shares_offered, ElementsAre("x25519"));
  EXPECT_FALSE(it.certificates_known);
  EXPECT_FALSE(it.client_certificate_requested);
  EXPECT_THAT(it.findings, IsEmpty());
  EXPECT_THAT(talk.record().missing, Contains("signature_algorithm"));
  EXPECT_THAT(talk.record().missing, Not(Contains("alpn"))) << "none was offered";
  EXPECT_EQ(it.client_first_offset, 1'000U);
  EXPECT_EQ(it.client_end_offset, 1'000 + modern_hello.size());
  EXPECT_EQ(it.server_first_offset, 5'000U);
  EXPECT_EQ(it.server_end_offset, 5'000 + modern_answer.size());
  EXPECT_EQ(it.first_at, EventTime{1'000});
  talk.end();
  EXPECT_EQ(talk.host.records.size(), 1U);
  EXPECT_EQ(talk.host.times_left, 1);
  EXPECT_EQ(talk.host.times_told, 1);
}

TEST(TlsAnalyzer, EveryClaimHasItsEvidence) {
  TlsTalk talk;
  talk.say(client, modern_hello + proceeds);
  talk.say(server, modern_answer);
  std::vector<std::string> details;
  for (const Evidence& each : talk.handshake().evidence) {
    EXPECT_EQ(each.kind, EvidenceKind::handshake_field);
    details.push_back(each.detail);
  }
  EXPECT_THAT(details, ElementsAre("ClientHello.version 0x0303", "ClientHello.supported_groups 0x11ec",
                                   "ServerHello.supported_versions 0x0304", "ServerHello.cipher_suite 0x1301",
                                   "ServerHello.key_share 0x001d"));
}

TEST(TlsAnalyzer, TheServerMayBeHeardFirst) {
  TlsTalk talk;
  talk.say(server, modern_answer + some_ciphertext);
  EXPECT_THAT(talk.host.records, IsEmpty());
  EXPECT_EQ(talk.host.client, client);
  talk.say(client, modern_hello + proceeds);
  EXPECT_TRUE(talk.handshake().complete);
}

TEST(TlsAnalyzer, APostQuantumGroupIsNegotiatedWhenTheServerTakesIt) {
  TlsTalk talk;
  talk.say(client, modern_hello + proceeds);
  talk.say(server, handshake_record(Type::server_hello,
                                    server_hello(hex("1301"), extension(43, hex("0304")) +
                                                                  extension(51, hex("11ec") + sized(2, "k")))));
  EXPECT_EQ(talk.handshake().group, "X25519MLKEM768");
  EXPECT_EQ(talk.handshake().post_quantum, PostQuantum::negotiated);
}

TEST(TlsAnalyzer, UpToTls12AllUntilBothChangeCipherSpecsIsRead) {
  TlsTalk talk;
  talk.say(client, hello_record());
  talk.say(server,
           old_answer + key_exchange +
               handshake_record(Type::certificate_request, sized(1, hex("01")) + sized(2, hex("0401")) + sized(2, "")) +
               hello_done);
  talk.say(client, handshake_record(Type::certificate, sized(3, "")) +
                       handshake_record(Type::client_key_exchange, "k") + change_cipher_spec + encrypted_finished);
  EXPECT_THAT(talk.host.records, IsEmpty());
  talk.say(server, handshake_record(Type::new_session_ticket, hex("00000000") + sized(2, "t")) + change_cipher_spec);
  const TlsHandshake& it = talk.handshake();
  EXPECT_TRUE(it.complete) << it.incomplete_reason;
  EXPECT_EQ(it.version, "TLS 1.2");
  EXPECT_EQ(it.group, "secp256r1");
  EXPECT_EQ(it.signature_algorithm, "rsa_pkcs1_sha256");
  EXPECT_EQ(it.resumed, false);
  EXPECT_EQ(it.client_certificate_requested, true);
  EXPECT_EQ(it.session_ticket_issued, true);
  EXPECT_TRUE(it.certificates_known);
  EXPECT_TRUE(it.client_certificates_known);
  EXPECT_THAT(it.client_certificates, IsEmpty());
  EXPECT_EQ(it.client_end_offset, talk.next(client) - encrypted_finished.size());
}

TEST(TlsAnalyzer, AnAbbreviatedHandshakeIsAResumedOne) {
  TlsTalk talk;
  HelloParts parts;
  parts.extensions = extension(35, "ticket");
  talk.say(client, hello_record(parts));
  talk.say(server, old_answer + change_cipher_spec + encrypted_finished);
  talk.say(client, change_cipher_spec + encrypted_finished);
  EXPECT_TRUE(talk.handshake().complete);
  EXPECT_EQ(talk.handshake().resumed, true);
  EXPECT_TRUE(talk.handshake().session_ticket_offered);
  EXPECT_EQ(talk.handshake().session_ticket_issued, false);
  EXPECT_TRUE(talk.handshake().certificates_known);
}

TEST(TlsAnalyzer, TheEchoOfTheSessionSaysItUntilMoreIsSeen) {
  HelloParts parts;
  parts.session_id = "session";
  const std::string echo = handshake_record(Type::server_hello, server_hello(hex("c02f"), "", "session"));
  {
    TlsTalk talk;
    talk.say(client, hello_record(parts));
    talk.say(server, echo);
    talk.end();
    EXPECT_EQ(talk.handshake().resumed, true);
    EXPECT_THAT(talk.record().missing, Contains("group"));
  }
  {
    TlsTalk talk;
    talk.say(client, hello_record(parts));
    talk.say(server, echo + hello_done);
    talk.end();
    EXPECT_EQ(talk.handshake().resumed, false);
  }
  TlsTalk talk;
  talk.say(client, hello_record(parts));
  talk.say(server, old_answer);
  talk.end();
  EXPECT_FALSE(talk.handshake().resumed) << "a ticket may have been taken";
}

// RFC 8446 section 4.2.11: only an external key has no age.
TEST(TlsAnalyzer, APskIsAResumptionIfItsAgeSaysSo) {
  for (const bool external : {false, true}) {
    TlsTalk talk;
    HelloParts parts = modern_parts();
    parts.extensions += extension(41, sized(2, sized(2, "identity") + hex(external ? "00000000" : "00000007")) +
                                          sized(2, sized(1, std::string(32, 'b'))));
    talk.say(client, hello_record(parts) + proceeds);
    talk.say(server, handshake_record(Type::server_hello, server_hello(hex("1301"), extension(43, hex("0304")) +
                                                                                        extension(41, hex("0000")))));
    const TlsHandshake& it = talk.handshake();
    EXPECT_TRUE(it.complete);
    EXPECT_TRUE(it.psk_offered);
    EXPECT_EQ(it.resumed, external ? std::nullopt : std::optional(true));
    EXPECT_FALSE(it.group);
    EXPECT_TRUE(it.certificates_known) << "with a key that both have nobody shows any";
    EXPECT_EQ(it.client_certificate_requested, false);
    EXPECT_THAT(talk.record().missing, IsEmpty());
  }
}

TEST(TlsAnalyzer, ARetryTakesTwoHellosOfEach) {
  const std::string second = hello_record(modern_parts());
  for (const bool client_first : {true, false}) {
    TlsTalk talk;
    const auto client_speaks = [&] { talk.say(client, modern_hello + change_cipher_spec + second + some_ciphertext); };
    if (client_first) client_speaks();
    talk.say(server, retry_request + change_cipher_spec + modern_answer);
    if (!client_first) client_speaks();
    const TlsHandshake& it = talk.handshake();
    EXPECT_TRUE(it.complete) << it.incomplete_reason;
    EXPECT_TRUE(it.hello_retry_request);
    EXPECT_EQ(it.client_end_offset, talk.next(client) - some_ciphertext.size());
  }
  TlsTalk talk;
  talk.say(client, modern_hello);
  talk.gap(client, 10);
  talk.say(server, retry_request + modern_answer);
  EXPECT_FALSE(talk.handshake().complete);
  EXPECT_EQ(talk.handshake().incomplete_reason, "ring_full");
  EXPECT_EQ(talk.handshake().version, "TLS 1.3");
}

TEST(TlsAnalyzer, WithoutTheServerTheClientIsReadUntilItEncrypts) {
  TlsTalk talk;
  talk.say(client, modern_hello);
  talk.gap(server, 100);
  EXPECT_EQ(talk.host.times_left, 0);
  talk.say(client, some_ciphertext);
  EXPECT_EQ(talk.host.times_left, 1) << "or a whole download would be copied";
  EXPECT_FALSE(talk.handshake().complete);
  EXPECT_EQ(talk.handshake().incomplete_reason, "ring_full");
}

TEST(TlsAnalyzer, EarlyDataIsPassedOver) {
  TlsTalk talk;
  HelloParts parts = modern_parts();
  parts.extensions += extension(42, "");
  const std::string early = tls_record(23, std::string(3'000, 'e'));
  talk.say(client, hello_record(parts) + change_cipher_spec + early.substr(0, 1'000));
  talk.gap(client, 1'500);  // inside of it nothing is missed
  talk.say(client, early.substr(2'500) + hello_record(parts) + some_ciphertext);
  talk.say(server, retry_request + modern_answer);
  EXPECT_TRUE(talk.handshake().complete) << talk.handshake().incomplete_reason;
  EXPECT_TRUE(talk.handshake().early_data_offered);
}

TEST(TlsAnalyzer, AFatalAlertEndsItAfterAWhile) {
  TlsTalk talk;
  talk.say(client, modern_hello);
  talk.say(server, hex("15 0303 0002 02 28"));
  EXPECT_THAT(talk.host.records, IsEmpty()) << "the other stream may have more to say";
  talk.analyzer.on_time(EventTime{5'000 + 1});
  EXPECT_THAT(talk.host.records, IsEmpty());
  talk.analyzer.on_time(EventTime{5'000 + TlsLimits{}.alert_wait_ns});
  const TlsHandshake& it = talk.handshake();
  EXPECT_FALSE(it.complete);
  EXPECT_EQ(it.incomplete_reason, "alert");
  EXPECT_TRUE(it.client_hello);
  EXPECT_FALSE(it.server_hello);
  EXPECT_FALSE(it.version);
  ASSERT_EQ(it.alerts.size(), 1U);
  EXPECT_EQ(it.alerts[0].from, "server");
  EXPECT_EQ(it.alerts[0].level, "fatal");
  EXPECT_EQ(it.alerts[0].description, "handshake_failure");
  EXPECT_EQ(talk.host.left, "TLS");
}

// A client that does not trust the certificate says so before it has changed its keys.
TEST(TlsAnalyzer, AClientMayRefuseTls13InClear) {
  const std::string refusal = hex("15 0303 0002 02 30");
  for (const bool client_first : {true, false}) {
    TlsTalk talk;
    if (client_first) talk.say(client, modern_hello + refusal);
    talk.say(server, modern_answer + some_ciphertext);
    if (!client_first) talk.say(client, modern_hello + refusal);
    const TlsHandshake& it = talk.handshake();
    EXPECT_FALSE(it.complete);
    EXPECT_EQ(it.incomplete_reason, "alert");
    EXPECT_EQ(it.version, "TLS 1.3");
    ASSERT_EQ(it.alerts.size(), 1U);
    EXPECT_EQ(it.alerts[0].from, "client");
    EXPECT_EQ(it.alerts[0].description, "unknown_ca");
  }
}

TEST(TlsAnalyzer, WhetherTheClientRefusesTls13IsKnownWhenItGoesOnOrEnds) {
  for (const auto& [end, complete] : {std::pair{StreamEnd::closed, true}, {StreamEnd::cut, false}}) {
    TlsTalk talk;
    talk.say(client, modern_hello);
    talk.say(server, modern_answer);
    EXPECT_THAT(talk.host.records, IsEmpty());
    talk.end(end);
    EXPECT_EQ(talk.handshake().complete, complete);
    EXPECT_EQ(talk.handshake().incomplete_reason, complete ? "" : "cut");
  }
}

TEST(TlsAnalyzer, AWarningEndsNothing) {
  TlsTalk talk;
  talk.say(client, hello_record());
  talk.say(server, hex("15 0303 0002 01 70") + old_answer + hello_done);
  talk.analyzer.on_time(EventTime{1'000'000'000'000});
  EXPECT_THAT(talk.host.records, IsEmpty());
  talk.say(client, change_cipher_spec);
  talk.say(server, change_cipher_spec);
  EXPECT_TRUE(talk.handshake().complete);
  ASSERT_EQ(talk.handshake().alerts.size(), 1U);
  EXPECT_EQ(talk.handshake().alerts[0].description, "unrecognized_name");
  EXPECT_EQ(talk.handshake().alerts[0].level, "warning");
}

TEST(TlsAnalyzer, WhatIsMissingIsNeverGuessed) {
  TlsTalk talk;
  talk.say(client, hello_record());
  talk.say(server, old_answer);
  talk.gap(server, 100, GapCause::snap_length);
  talk.say(server, hello_done + change_cipher_spec);
  EXPECT_THAT(talk.host.records, IsEmpty()) << "the client's end of it is still to come";
  talk.say(client, handshake_record(Type::client_key_exchange, "k") + change_cipher_spec);
  const TlsHandshake& it = talk.handshake();
  EXPECT_FALSE(it.complete);
  EXPECT_EQ(it.incomplete_reason, "snap_length");
  EXPECT_EQ(it.cipher_suite, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
  EXPECT_FALSE(it.group);
  EXPECT_FALSE(it.resumed);
  EXPECT_FALSE(it.certificates_known);
  EXPECT_FALSE(it.client_certificate_requested);
  EXPECT_TRUE(it.client_certificates_known);
  EXPECT_THAT(talk.record().missing, ElementsAre("group", "signature_algorithm"));
}

TEST(TlsAnalyzer, TheReasonSaysHowItEnded) {
  for (const auto& [end, reason] :
       {std::pair{StreamEnd::closed, "closed"}, {StreamEnd::cut, "cut"}, {StreamEnd::handed_over, "backend_switch"}}) {
    TlsTalk talk;
    talk.say(client, modern_hello);
    talk.end(end);
    EXPECT_EQ(talk.handshake().incomplete_reason, reason);
    EXPECT_FALSE(talk.handshake().complete);
  }
}

TEST(TlsAnalyzer, TheServersHelloAloneIsARecord) {
  TlsTalk talk;
  talk.gap(client, 300);
  talk.say(server, modern_answer);
  const TlsHandshake& it = talk.handshake();
  EXPECT_FALSE(it.complete);
  EXPECT_EQ(it.incomplete_reason, "ring_full");
  EXPECT_FALSE(it.client_hello);
  EXPECT_FALSE(it.post_quantum);
  EXPECT_EQ(it.version, "TLS 1.3");
  EXPECT_EQ(it.ja3, "");
  EXPECT_NE(it.ja3s, "");
  EXPECT_EQ(it.first_at, EventTime{5'000});
}

TEST(TlsAnalyzer, AConnectionSeenFromItsMiddleHasNoRecord) {
  for (const std::string& first : {some_ciphertext, encrypted_finished, change_cipher_spec + encrypted_finished}) {
    TlsTalk talk;
    talk.gap(client, 0, GapCause::before_attach);
    talk.gap(server, 0, GapCause::before_attach);
    talk.say(server, first);
    talk.say(client, first);
    EXPECT_EQ(talk.host.left, "TLS");
    talk.say(server, some_ciphertext);
    talk.end();
    EXPECT_THAT(talk.host.records, IsEmpty());
    EXPECT_EQ(talk.host.times_left, 1);
  }
}

TEST(TlsAnalyzer, AHelloOnAConnectionFromBeforeIsOne) {
  TlsTalk talk;
  talk.gap(client, 0, GapCause::before_attach);
  talk.gap(server, 0, GapCause::before_attach);
  talk.say(client, modern_hello + proceeds);
  talk.say(server, modern_answer);
  EXPECT_TRUE(talk.handshake().complete);
}

TEST(TlsAnalyzer, AMessageMayLieInManyRecords) {
  TlsTalk talk;
  const std::string whole = message(Type::client_hello, client_hello(modern_parts()));
  for (const char each : whole) talk.say(client, tls_record(22, std::string(1, each)));
  const std::string both =
      message(Type::server_hello, server_hello(hex("c02f"), "")) + message(Type::server_hello_done, "");
  talk.say(server, tls_record(22, both.substr(0, 20)) + tls_record(22, both.substr(20)) + change_cipher_spec);
  talk.say(client, change_cipher_spec);
  EXPECT_TRUE(talk.handshake().complete) << talk.handshake().incomplete_reason;
  EXPECT_EQ(talk.handshake().resumed, false);
}

TEST(TlsAnalyzer, ALongMessageIsGivenUp) {
  TlsLimits limits;
  limits.message_bytes_max = 1'000;
  TlsTalk talk(limits);
  talk.say(client, hello_record());
  talk.say(server, old_answer + tls_record(22, message(Type::certificate, sized(3, sized(3, std::string(994, 'c'))))));
  talk.say(client, change_cipher_spec);
  talk.end();
  EXPECT_EQ(talk.handshake().incomplete_reason, "closed") << "that was just short enough";
  ASSERT_EQ(talk.handshake().certificates.size(), 1U);
  EXPECT_EQ(talk.handshake().certificates[0].sha256.size(), 64U) << "unreadable, but it has a fingerprint";
  EXPECT_EQ(talk.handshake().certificates[0].subject, "");

  TlsTalk longer(limits);
  longer.say(client, hello_record());
  longer.say(server,
             old_answer + tls_record(22, message(Type::certificate, sized(3, sized(3, std::string(995, 'c'))))));
  longer.say(client, change_cipher_spec);
  EXPECT_EQ(longer.handshake().incomplete_reason, "message_over_limit");
  EXPECT_FALSE(longer.handshake().certificates_known);
}

TEST(TlsAnalyzer, ListsAreBounded) {
  TlsLimits limits;
  limits.certificates_max = limits.alerts_max = 2;
  TlsTalk talk(limits);
  talk.say(client, hello_record());
  talk.say(server,
           old_answer + handshake_record(Type::certificate, sized(3, sized(3, "a") + sized(3, "b") + sized(3, "c"))));
  for (int i = 0; i < 3; ++i) talk.say(client, hex("15 0303 0002 01 5a"));
  EXPECT_EQ(talk.handshake().incomplete_reason, "alerts_over_limit");
  EXPECT_EQ(talk.handshake().alerts.size(), 2U);
  EXPECT_FALSE(talk.handshake().certificates_known);
}

TEST(TlsAnalyzer, WhatIsNoTlsEndsIt) {
  const std::string wrong[] = {
      "GET / HTTP/1.1\r\n",
      hex("16 0203 0010"),                                              // version
      hex("16 0303 ffff"),                                              // too long
      hex("16 0303 0000"),                                              // empty
      hex("14 0303 0001 02"),                                           // ChangeCipherSpec that is none
      hex("15 0303 0002 07 00"),                                        // alert of no level
      tls_record(22, hex("0b 000010 00")) + hex("15 0303 0002 02 00"),  // message interrupted
      handshake_record(Type::certificate, "nonsense"),
      handshake_record(Type::certificate_request, "nonsense"),
      handshake_record(Type::new_session_ticket, "x"),
      old_answer,  // a second one
      hello_record(),
  };
  for (const std::string& each : wrong) {
    TlsTalk talk;
    talk.say(client, hello_record() + change_cipher_spec);
    talk.say(server, old_answer + each);
    EXPECT_EQ(talk.handshake().incomplete_reason, "malformed") << testing::PrintToString(each);
    EXPECT_EQ(talk.handshake().version, "TLS 1.2");
    EXPECT_EQ(talk.host.left, "TLS");
  }
  TlsTalk talk;
  talk.say(client, "\x16\x03\x01" + std::string("\x01\x00garbage", 9));
  talk.say(server, "SSH-2.0-OpenSSH");
  talk.end();
  EXPECT_THAT(talk.host.records, IsEmpty());
  EXPECT_EQ(talk.host.left, "TLS");
}

struct WeakCase {
  const char *version, *suite;
  std::vector<std::string_view> findings;
};

TEST(TlsFindings, NameWhatIsWeakOfWhatWasAgreedOn) {
  for (const WeakCase& each : {
           WeakCase{"0300", "c02f", {"ssl3"}},
           WeakCase{"0301", "c02f", {"tls1_0"}},
           WeakCase{"0302", "c02f", {"tls1_1"}},
           WeakCase{"0303", "c02f", {}},
           WeakCase{"0303", "0005", {"rc4"}},
           WeakCase{"0303", "000a", {"3des"}},
           WeakCase{"0303", "0009", {"des"}},
           WeakCase{"0303", "0003", {"rc4", "export"}},
           WeakCase{"0303", "0006", {"rc2", "export"}},
           WeakCase{"0303", "0008", {"des", "export"}},
           WeakCase{"0303", "0002", {"null_cipher"}},
           WeakCase{"0303", "c0b4", {"null_cipher"}},
           WeakCase{"0303", "c018", {"anonymous"}},
           WeakCase{"0301", "0019", {"tls1_0", "des", "export", "anonymous"}},
       }) {
    TlsTalk talk;
    HelloParts parts;
    parts.suites = hex("0005 000a 0002");  // offers alone are none
    talk.say(client, hello_record(parts));
    talk.say(server, handshake_record(Type::server_hello, server_hello(hex(each.suite), "", "", hex(each.version))));
    talk.end();
    EXPECT_EQ(talk.handshake().findings, each.findings) << each.suite;
  }
}

TEST(TlsFindings, SignaturesAndPrimesOfTheKeyExchange) {
  const auto findings = [](const std::string& suite, const std::string& exchange) {
    TlsTalk talk;
    talk.say(client, hello_record());
    talk.say(server, handshake_record(Type::server_hello, server_hello(hex(suite), "")) +
                         handshake_record(Type::server_key_exchange, exchange));
    talk.end();
    return talk.handshake().findings;
  };
  const std::string curve = hex("03 0017") + sized(1, "point"), signature = sized(2, "sig");
  const auto group = [](std::size_t bytes) {
    return sized(2, std::string(bytes, '\xff')) + sized(2, "g") + sized(2, "y");
  };
  EXPECT_THAT(findings("c02f", curve + hex("0201") + signature), ElementsAre("sha1_signature"));
  EXPECT_THAT(findings("c02f", curve + hex("0101") + signature), ElementsAre("md5_signature"));
  EXPECT_THAT(findings("c02f", curve + hex("0804") + signature), IsEmpty());
  EXPECT_THAT(findings("009e", group(128) + hex("0401") + signature), ElementsAre("dh_under_2048"));
  EXPECT_THAT(findings("009e", group(256) + hex("0401") + signature), IsEmpty());
}

TEST(TlsFindings, ValidityIsJudgedByTheTimeOfTheHandshake) {
  TlsHandshake handshake;
  CertificateFacts certificate;
  certificate.not_before = WallTime{100};
  certificate.not_after = WallTime{200};
  handshake.certificates = {certificate, certificate};
  const auto findings_at = [&](std::int64_t ns) {
    TlsHandshake it = handshake;
    judge_validity(it, WallTime{ns});
    return it.findings;
  };
  EXPECT_THAT(findings_at(99), ElementsAre("not_yet_valid"));
  EXPECT_THAT(findings_at(100), IsEmpty());
  EXPECT_THAT(findings_at(200), IsEmpty());
  EXPECT_THAT(findings_at(201), ElementsAre("expired"));
}

}  // namespace
}  // namespace tracer::test
