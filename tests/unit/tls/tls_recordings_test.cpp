// Real handshakes (tests/fixtures/tls): what is told of each, that no split or order of the streams changes it, and
// that a part of one never tells anything else than the whole.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/sinks/json_sink.h"
#include "tests/unit/tls/tls_harness.h"

namespace tracer::test {
namespace {

std::string word(const std::optional<std::string>& text) { return text.value_or("-"); }
std::string word(std::optional<bool> yes) { return !yes ? "?" : *yes ? "yes" : "no"; }

std::string described(const std::vector<CertificateFacts>& certificates, bool known) {
  if (!known && certificates.empty()) return "?";
  std::string text = "[";
  for (const CertificateFacts& each : certificates)
    text += each.subject + " " + each.key_type + " " + std::to_string(each.key_bits.value_or(0)) + " " +
            each.signature_algorithm;
  return text + "]";
}

// One line for each group of fields.
std::string described(const Record& record) {
  const auto& t = std::get<TlsHandshake>(record.body);
  std::string text = word(t.version) + " " + word(t.cipher_suite) + " " + word(t.group) + " " +
                     word(t.signature_algorithm) + " alpn=" + word(t.alpn) + " sni=" + word(t.sni);
  text += "\nresumed=" + word(t.resumed) + " retry=" + word(t.hello_retry_request) +
          " ticket=" + word(t.session_ticket_offered) + "/" + word(t.session_ticket_issued) +
          " psk=" + word(t.psk_offered) + " early=" + word(t.early_data_offered) +
          " asked=" + word(t.client_certificate_requested) +
          " pq=" + std::string(t.post_quantum ? to_string(*t.post_quantum) : "?");
  text += "\nserver " + described(t.certificates, t.certificates_known) + " client " +
          described(t.client_certificates, t.client_certificates_known);
  for (const TlsAlert& each : t.alerts)
    text.append("\n").append(each.from).append(" ").append(each.level).append(" ").append(each.description);
  for (const std::string_view each : t.findings) text.append("\nweak ").append(each);
  if (!t.complete) text.append("\nincomplete ").append(t.incomplete_reason);
  for (const std::string_view each : record.missing) text.append("\nmissing ").append(each);
  return text;
}

// Everything but times.
std::string all_of(Record& record) {
  auto& t = std::get<TlsHandshake>(record.body);
  std::string text;
  make_json_sink({})->write(record, text);
  return text + std::to_string(t.client_first_offset) + " " + std::to_string(t.client_end_offset) + " " +
         std::to_string(t.server_first_offset) + " " + std::to_string(t.server_end_offset);
}

struct Expected {
  const char *name, *text;
};

const Expected expectations[] = {
    {"tls13",
     "TLS 1.3 TLS_AES_256_GCM_SHA384 x25519 - alpn=- sni=rsa.tracer.test\n"
     "resumed=no retry=no ticket=no/? psk=no early=no asked=? pq=none\n"
     "server ? client ?\n"
     "missing signature_algorithm\n"
     "missing alpn"},
    {"tls13_retry",
     "TLS 1.3 TLS_AES_256_GCM_SHA384 x25519 - alpn=- sni=rsa.tracer.test\n"
     "resumed=no retry=yes ticket=no/? psk=no early=no asked=? pq=none\n"
     "server ? client ?\n"
     "missing signature_algorithm\n"
     "missing alpn"},
    {"tls13_client_certificate",
     "TLS 1.3 TLS_AES_256_GCM_SHA384 x25519 - alpn=- sni=-\n"
     "resumed=no retry=no ticket=no/? psk=no early=no asked=? pq=none\n"
     "server ? client ?\n"
     "missing signature_algorithm"},
    {"tls13_resumed",
     "TLS 1.3 TLS_AES_256_GCM_SHA384 x25519 - alpn=- sni=rsa.tracer.test\n"
     "resumed=yes retry=no ticket=no/? psk=yes early=no asked=no pq=none\n"
     "server [] client []\n"
     "missing alpn"},
    {"tls13_early_data",
     "TLS 1.3 TLS_AES_256_GCM_SHA384 x25519 - alpn=- sni=rsa.tracer.test\n"
     "resumed=yes retry=no ticket=no/? psk=yes early=yes asked=no pq=none\n"
     "server [] client []\n"
     "missing alpn"},
    {"tls13_external_psk",
     "TLS 1.3 TLS_AES_128_GCM_SHA256 x25519 - alpn=- sni=-\n"
     "resumed=? retry=no ticket=no/? psk=yes early=no asked=no pq=none\n"
     "server [] client []"},
    {"tls13_refused",
     "- - - - alpn=- sni=-\n"
     "resumed=? retry=no ticket=no/? psk=no early=no asked=? pq=none\n"
     "server ? client ?\n"
     "server fatal handshake_failure\n"
     "incomplete alert"},
    {"tls13_unknown_ca",
     "TLS 1.3 TLS_AES_256_GCM_SHA384 x25519 - alpn=- sni=-\n"
     "resumed=no retry=no ticket=no/? psk=no early=no asked=? pq=none\n"
     "server ? client ?\n"
     "client fatal unknown_ca\n"
     "incomplete alert\n"
     "missing signature_algorithm"},
    {"tls12",
     "TLS 1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 x25519 rsa_pss_rsae_sha256 alpn=h2 sni=rsa.tracer.test\n"
     "resumed=no retry=no ticket=no/yes psk=no early=no asked=no pq=none\n"
     "server [CN=rsa.tracer.test,O=Tracer RSA 2048 sha256WithRSAEncryption] client []"},
    {"tls12_offered_13",
     "TLS 1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 x25519 ecdsa_secp256r1_sha256 alpn=- sni=rsa.tracer.test\n"
     "resumed=no retry=no ticket=no/yes psk=no early=no asked=no pq=none\n"
     "server [CN=ecdsa.tracer.test,O=Tracer EC 256 ecdsa-with-SHA256] client []"},
    {"tls12_dhe",
     "TLS 1.2 TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 - rsa_pss_rsae_sha256 alpn=- sni=-\n"
     "resumed=no retry=no ticket=no/yes psk=no early=no asked=no pq=none\n"
     "server [CN=rsa.tracer.test,O=Tracer RSA 2048 sha256WithRSAEncryption] client []"},
    {"tls12_rsa",
     "TLS 1.2 TLS_RSA_WITH_AES_128_CBC_SHA - - alpn=- sni=-\n"
     "resumed=no retry=no ticket=no/yes psk=no early=no asked=no pq=none\n"
     "server [CN=rsa.tracer.test,O=Tracer RSA 2048 sha256WithRSAEncryption] client []"},
    {"tls12_client_certificate",
     "TLS 1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 x25519 rsa_pss_rsae_sha256 alpn=- sni=-\n"
     "resumed=no retry=no ticket=no/yes psk=no early=no asked=yes pq=none\n"
     "server [CN=rsa.tracer.test,O=Tracer RSA 2048 sha256WithRSAEncryption] client [CN=ecdsa.tracer.test,O=Tracer EC "
     "256 ecdsa-with-SHA256]"},
    {"tls12_ticket",
     "TLS 1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 - - alpn=- sni=rsa.tracer.test\n"
     "resumed=yes retry=no ticket=yes/no psk=no early=no asked=no pq=none\n"
     "server [] client []"},
    {"tls12_session_id",
     "TLS 1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 - - alpn=- sni=-\n"
     "resumed=yes retry=no ticket=no/no psk=no early=no asked=no pq=none\n"
     "server [] client []"},
    {"tls12_refused",
     "- - - - alpn=- sni=-\n"
     "resumed=? retry=no ticket=no/? psk=no early=no asked=? pq=none\n"
     "server ? client ?\n"
     "server fatal handshake_failure\n"
     "incomplete alert"},
    {"tls12_unknown_ca",
     "TLS 1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 x25519 rsa_pss_rsae_sha256 alpn=- sni=-\n"
     "resumed=no retry=no ticket=no/? psk=no early=no asked=no pq=none\n"
     "server [CN=rsa.tracer.test,O=Tracer RSA 2048 sha256WithRSAEncryption] client ?\n"
     "client fatal unknown_ca\n"
     "incomplete alert"},
    {"tls12_small_key",
     "TLS 1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 x25519 rsa_pss_rsae_sha256 alpn=- sni=-\n"
     "resumed=no retry=no ticket=no/yes psk=no early=no asked=no pq=none\n"
     "server [CN=small.tracer.test,O=Tracer RSA 1024 sha1WithRSAEncryption] client []\n"
     "weak rsa_under_2048\n"
     "weak sha1_signature"},
    {"tls12_anonymous",
     "TLS 1.2 TLS_DH_anon_WITH_AES_256_GCM_SHA384 - - alpn=- sni=-\n"
     "resumed=no retry=no ticket=no/yes psk=no early=no asked=no pq=none\n"
     "server [] client []\n"
     "weak anonymous"},
    {"tls12_null",
     "TLS 1.2 TLS_ECDHE_RSA_WITH_NULL_SHA x25519 rsa_pss_rsae_sha256 alpn=- sni=-\n"
     "resumed=no retry=no ticket=no/yes psk=no early=no asked=no pq=none\n"
     "server [CN=rsa.tracer.test,O=Tracer RSA 2048 sha256WithRSAEncryption] client []\n"
     "weak null_cipher"},
    {"tls11",
     "TLS 1.1 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA x25519 - alpn=- sni=-\n"
     "resumed=no retry=no ticket=no/yes psk=no early=no asked=no pq=none\n"
     "server [CN=rsa.tracer.test,O=Tracer RSA 2048 sha256WithRSAEncryption] client []\n"
     "weak tls1_1"},
    {"tls10",
     "TLS 1.0 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA x25519 - alpn=- sni=rsa.tracer.test\n"
     "resumed=no retry=no ticket=no/yes psk=no early=no asked=no pq=none\n"
     "server [CN=rsa.tracer.test,O=Tracer RSA 2048 sha256WithRSAEncryption] client []\n"
     "weak tls1_0"},
    {"sslv2_hello",
     "TLS 1.0 TLS_RSA_WITH_AES_128_CBC_SHA - - alpn=- sni=-\n"
     "resumed=no retry=no ticket=no/? psk=no early=no asked=no pq=none\n"
     "server [CN=rsa.tracer.test,O=Tracer RSA 2048 sha256WithRSAEncryption] client ?\n"
     "server fatal decode_error\n"
     "weak sslv2_hello\n"
     "weak tls1_0\n"
     "incomplete alert"},
};

TEST(TlsRecordings, TellWhatHappened) {
  for (const Expected& each : expectations) {
    TlsTalk talk;
    talk.say(recorded(each.name));
    talk.end();
    ASSERT_EQ(talk.host.records.size(), 1U) << each.name;
    EXPECT_EQ(described(talk.record()), each.text) << each.name;
    EXPECT_EQ(talk.host.client, Side::a);
  }
  EXPECT_EQ(std::size(expectations), std::size(recordings));
}

TEST(TlsRecordings, NoSplitAndNoOrderChangesTheRecord) {
  std::mt19937 random(20'261'122);
  for (const char* name : recordings) {
    const Conversation pieces = recorded(name);
    const std::string streams[] = {stream_of(pieces, Side::a), stream_of(pieces, Side::b)};
    std::string reference;
    for (int round = 0; round < 60; ++round) {
      TlsTalk talk;
      std::size_t done[] = {0, 0};
      // Byte by byte, in pieces of any size, one stream behind the other.
      const std::size_t longest = round % 3 == 0 ? 1 : round % 3 == 1 ? 64 : 4'096;
      const int bias = round % 5 == 0 ? 0 : round % 5 == 1 ? 100 : 50;
      while (done[0] < streams[0].size() || done[1] < streams[1].size()) {
        std::size_t i = static_cast<int>(random() % 100) < bias ? 1 : 0;
        if (done[i] == streams[i].size()) i = 1 - i;
        const std::size_t size = std::min<std::size_t>(1 + random() % longest, streams[i].size() - done[i]);
        talk.say(i == 0 ? Side::a : Side::b, std::string_view(streams[i]).substr(done[i], size));
        done[i] += size;
      }
      talk.end();
      ASSERT_EQ(talk.host.records.size(), 1U) << name;
      const std::string told = all_of(*talk.host.records.front());
      if (round == 0) reference = told;
      ASSERT_EQ(told, reference) << name << " in round " << round;
    }
  }
}

// What a part tells is what the whole tells, or nothing.
void expect_part_of(const TlsHandshake& part, const TlsHandshake& whole, const std::string& where) {
  const auto same_or_absent = [&](const auto& a, const auto& b, const char* field) {
    EXPECT_TRUE(!a || a == b) << field << " " << where;
  };
  same_or_absent(part.version, whole.version, "version");
  same_or_absent(part.cipher_suite, whole.cipher_suite, "cipher_suite");
  same_or_absent(part.group, whole.group, "group");
  same_or_absent(part.signature_algorithm, whole.signature_algorithm, "signature_algorithm");
  same_or_absent(part.sni, whole.sni, "sni");
  same_or_absent(part.alpn, whole.alpn, "alpn");
  same_or_absent(part.resumed, whole.resumed, "resumed");
  same_or_absent(part.client_certificate_requested, whole.client_certificate_requested, "requested");
  same_or_absent(part.session_ticket_issued, whole.session_ticket_issued, "ticket");
  if (part.client_hello) {
    EXPECT_EQ(part.cipher_suites_offered, whole.cipher_suites_offered) << where;
    EXPECT_EQ(part.ja3, whole.ja3) << where;
    EXPECT_EQ(part.ja4, whole.ja4) << where;
    EXPECT_EQ(part.psk_offered, whole.psk_offered) << where;
  } else {
    EXPECT_TRUE(part.ja3.empty() && !part.sni) << where;
  }
  if (part.server_hello) {
    EXPECT_EQ(part.ja3s, whole.ja3s) << where;
  }
  if (part.hello_retry_request || part.server_hello) {
    EXPECT_EQ(part.hello_retry_request, whole.hello_retry_request) << where;
  }
  if (part.certificates_known) {
    EXPECT_EQ(part.certificates.size(), whole.certificates.size()) << where;
  }
  if (part.client_certificates_known) {
    EXPECT_EQ(part.client_certificates.size(), whole.client_certificates.size()) << where;
  }
  for (const std::string_view finding : part.findings)
    EXPECT_NE(std::ranges::find(whole.findings, finding), whole.findings.end()) << finding << " " << where;
  for (const Evidence& evidence : part.evidence)
    EXPECT_TRUE(std::ranges::any_of(whole.evidence, [&](const Evidence& it) { return it.detail == evidence.detail; }) ||
                evidence.detail.starts_with("ServerHello.session_id"))
        << evidence.detail << " " << where;
  EXPECT_TRUE(!part.complete || whole.complete) << where;
}

TEST(TlsRecordings, APartNeverTellsAnythingElse) {
  for (const char* name : recordings) {
    const Conversation pieces = recorded(name);
    TlsTalk whole;
    whole.say(pieces);
    whole.end();
    std::size_t total = 0, with_record = 0;
    for (const Piece& each : pieces) total += each.bytes.size();
    for (std::size_t cut = 0; cut < total; ++cut) {
      TlsTalk talk;
      std::size_t left = cut;
      for (const Piece& each : pieces) {
        talk.say(each.from, std::string_view(each.bytes).substr(0, left));
        left -= std::min(left, each.bytes.size());
      }
      talk.end(StreamEnd::cut);
      ASSERT_LE(talk.host.records.size(), 1U);
      ASSERT_EQ(talk.host.times_left, 1);
      if (talk.host.records.empty()) continue;
      ++with_record;
      expect_part_of(talk.handshake(), whole.handshake(), std::string(name) + " cut at " + std::to_string(cut));
    }
    EXPECT_GT(with_record, 0U) << name;
  }
}

TEST(TlsRecordings, AHoleAnywhereNeverTellsAnythingElse) {
  std::mt19937 random(7);
  for (const char* name : recordings) {
    const Conversation pieces = recorded(name);
    TlsTalk whole;
    whole.say(pieces);
    whole.end();
    for (int round = 0; round < 200; ++round) {
      TlsTalk talk;
      const std::size_t hurt = random() % pieces.size();
      for (std::size_t i = 0; i < pieces.size(); ++i) {
        const std::string_view bytes = pieces[i].bytes;
        const std::size_t from = i == hurt ? random() % bytes.size() : bytes.size();
        const std::size_t size = i == hurt ? 1 + random() % (bytes.size() - from) : 0;
        talk.say(pieces[i].from, bytes.substr(0, from));
        if (size != 0) talk.gap(pieces[i].from, size);
        talk.say(pieces[i].from, bytes.substr(from + size));
      }
      talk.end();
      if (!talk.host.records.empty())
        expect_part_of(talk.handshake(), whole.handshake(), std::string(name) + " round " + std::to_string(round));
    }
  }
}

}  // namespace
}  // namespace tracer::test
