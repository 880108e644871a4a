// The bill of materials: what is in it, how it is known, and that it says the same each time.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/exporters/algorithms.h"
#include "tests/unit/exporters/document_test_tools.h"

namespace tracer {
namespace {

using nlohmann::json;
using samples::document_of;
using samples::document_options;
using samples::parsed;
using samples::profile_run;
using samples::snapshot_run;

const json* component(const json& bom, std::string_view ref) {
  const auto at = std::ranges::find_if(bom["components"], [&](const json& each) { return each["bom-ref"] == ref; });
  return at == bom["components"].end() ? nullptr : &*at;
}

// What `ref` depends on, or provides.
std::set<std::string> linked(const json& bom, std::string_view ref, const char* how) {
  for (const json& row : bom["dependencies"])
    if (row["ref"] == ref && row.contains(how)) return row[how].get<std::set<std::string>>();
  return {};
}

std::set<std::string> all_refs(const json& bom) {
  std::set<std::string> refs{bom["metadata"]["component"]["bom-ref"].get<std::string>()};
  for (const json& each : bom["components"])
    EXPECT_TRUE(refs.insert(each["bom-ref"].get<std::string>()).second) << each["bom-ref"];
  return refs;
}

// Every string under a key that ends as references do.
void collect_references(const json& value, std::set<std::string>& found) {
  if (value.is_array())
    for (const json& each : value) collect_references(each, found);
  if (!value.is_object()) return;
  for (const auto& [key, member] : value.items()) {
    const bool list = key == "dependsOn" || key == "provides" || key == "algorithms" || key == "assemblies";
    if (list)
      for (const json& each : member) found.insert(each.get<std::string>());
    else if (key.ends_with("Ref") || key == "ref")
      found.insert(member.get<std::string>());
    else
      collect_references(member, found);
  }
}

TEST(CycloneDx, IsAsReviewed) {
  samples::expect_golden("profile.cdx.json", document_of(make_cyclonedx_sink, profile_run()));
  samples::expect_golden("snapshot.cdx.json", document_of(make_cyclonedx_sink, snapshot_run()));
}

TEST(CycloneDx, EveryReferenceLeadsSomewhere) {
  for (const auto& run : {profile_run(), snapshot_run(), std::vector<Record>{}}) {
    const json bom = parsed(make_cyclonedx_sink, run);
    const std::set<std::string> refs = all_refs(bom);
    std::set<std::string> used;
    collect_references(bom, used);
    EXPECT_TRUE(std::ranges::includes(refs, used));
  }
}

TEST(CycloneDx, EveryCryptographicAssetHasEvidence) {
  const json bom = parsed(make_cyclonedx_sink, profile_run());
  std::size_t seen = 0;
  for (const json& each : bom["components"]) {
    if (each["type"] != "cryptographic-asset") continue;
    ++seen;
    ASSERT_TRUE(each.contains("evidence")) << each;
    EXPECT_FALSE(each["evidence"]["identity"][0]["methods"].empty()) << each;
    EXPECT_FALSE(each["evidence"]["occurrences"].empty()) << each;
  }
  EXPECT_GT(seen, 10U);
}

TEST(CycloneDx, ProgramsLibrariesProtocolsAndAlgorithmsHangTogether) {
  const json bom = parsed(make_cyclonedx_sink, profile_run());
  const auto nginx = linked(bom, "app:/usr/sbin/nginx", "dependsOn");
  for (const char* ref : {"lib:/usr/lib/libssl.so.3", "protocol:tls:1.3", "algo:AES-256-GCM"})
    EXPECT_TRUE(nginx.contains(ref)) << ref;
  EXPECT_TRUE(linked(bom, "host:box", "dependsOn").contains("app:/usr/bin/curl"));
  EXPECT_TRUE(linked(bom, "lib:/usr/lib/libcrypto.so.3", "provides").contains("algo:SHA-256"));
  const auto tls13 = linked(bom, "protocol:tls:1.3", "dependsOn");
  EXPECT_EQ(tls13, (std::set<std::string>{"algo:AES-256-GCM", "algo:SHA-384", "algo:X25519MLKEM768"}));
  EXPECT_EQ(linked(bom, "algo:X25519MLKEM768", "dependsOn"), (std::set<std::string>{"algo:ML-KEM-768", "algo:X25519"}));
  const json* protocol = component(bom, "protocol:tls:1.2");
  ASSERT_NE(protocol, nullptr);
  const json& suite = (*protocol)["cryptoProperties"]["protocolProperties"]["cipherSuites"][0];
  EXPECT_EQ(suite["name"], "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA");
  EXPECT_EQ(suite["identifiers"], json({"0xc0", "0x13"}));
}

TEST(CycloneDx, CertificatesNameTheirKeyAndSignature) {
  const json bom = parsed(make_cyclonedx_sink, profile_run());
  const std::string sha256(64, 'a');
  const json* certificate = component(bom, "cert:" + sha256);
  ASSERT_NE(certificate, nullptr);
  const json& properties = (*certificate)["cryptoProperties"]["certificateProperties"];
  EXPECT_EQ(properties["subjectName"], "CN=localhost");
  EXPECT_EQ(properties["notValidBefore"], "2026-01-02T02:04:05Z");
  EXPECT_EQ(properties["signatureAlgorithmRef"], "algo:RSASSA-PKCS1-v1_5-SHA-256");
  const std::string key = properties["subjectPublicKeyRef"];
  EXPECT_EQ(linked(bom, key, "dependsOn"), std::set<std::string>{"algo:RSA-2048"});
  // Found in a file and on the wire: once.
  EXPECT_GE((*certificate)["evidence"]["identity"][0]["methods"].size(), 2U);
}

TEST(CycloneDx, OfPrivateKeysTypeAndSizeOnly) {
  const json bom = parsed(make_cyclonedx_sink, profile_run());
  const json* key = component(bom, "key:private:" + samples::server_certificate().public_key_sha256);
  ASSERT_NE(key, nullptr);
  EXPECT_EQ((*key)["cryptoProperties"]["relatedCryptoMaterialProperties"],
            json({{"type", "private-key"},
                  {"id", samples::server_certificate().public_key_sha256},
                  {"size", 2048},
                  {"format", "PEM"},
                  {"algorithmRef", "algo:RSA-2048"}}));
}

TEST(CycloneDx, NothingOfDecoysRefusedFilesAndRefusedAlgorithms) {
  const std::string text = document_of(make_cyclonedx_sink, profile_run());
  for (const char* absent : {"/srv/notes", "old.key", "NO-SUCH-HASH"})
    EXPECT_EQ(text.find(absent), std::string::npos) << absent;
}

TEST(CycloneDx, WhoWasRefusedAKeyDoesNotDependOnIt) {
  std::vector<Record> run = profile_run();
  FileOpen refused = samples::key_file(samples::curl());
  refused.result = "EACCES";
  refused.error = 13;
  refused.finding.assets.clear();
  refused.finding.contents_seen = false;
  run.push_back(samples::traced(std::move(refused), 500));
  const json bom = parsed(make_cyclonedx_sink, run);
  const std::string key = "key:private:" + samples::server_certificate().public_key_sha256;
  EXPECT_TRUE(linked(bom, "app:/usr/sbin/nginx", "dependsOn").contains(key));
  EXPECT_FALSE(linked(bom, "app:/usr/bin/curl", "dependsOn").contains(key));
}

TEST(CycloneDx, ALibraryOpenedByALinkProvidesWhatWasCalledInIt) {
  Record fetched = samples::call("EVP_MD_fetch", "SHA256", 1, 1, 2);
  std::get<ApiCall>(fetched.body).library = "/usr/lib/libcrypto.so.3.0.15";
  const json bom = parsed(
      make_cyclonedx_sink,
      {samples::traced(samples::library(samples::nginx(), "/lib/libcrypto.so.3", "3.0.15"), 1),
       samples::traced(samples::library(samples::nginx(), "/lib/libcrypto.so.30", "3.0.15"), 1),
       samples::traced(samples::library(samples::curl(), "/opt/libcrypto.so.3", "3.0.15"), 1), std::move(fetched)});
  EXPECT_EQ(linked(bom, "lib:/lib/libcrypto.so.3", "provides"), std::set<std::string>{"algo:SHA-256"});
  EXPECT_TRUE(linked(bom, "lib:/lib/libcrypto.so.30", "provides").empty());
  EXPECT_TRUE(linked(bom, "lib:/opt/libcrypto.so.3", "provides").empty()) << "another process has that";
}

TEST(CycloneDx, OnlyTimesAndSerialNumbersDiffer) {
  DocumentOptions later = document_options();
  later.now = [] { return WallTime{samples::start_ns + 7 * samples::second_ns}; };
  later.random[0] = 99;
  std::vector<Record> again = profile_run();
  for (Record& record : again) record.timestamp.ns += 12'345'678'901;
  // The same processes under other numbers, and some of it more often and in another order.
  std::ranges::reverse(again.begin() + 10, again.begin() + 16);
  again.insert(again.begin() + 12, samples::traced(samples::key_file(samples::nginx()), 999));
  for (Record& record : again) {
    if (auto* file = std::get_if<FileOpen>(&record.body)) {
      auto other = std::make_shared<ProcessFacts>(*file->process);
      other->tgid += 5000;
      other->local_pid = other->tgid;
      file->process = other;
    }
  }
  json first = parsed(make_cyclonedx_sink, profile_run()), second = parsed(make_cyclonedx_sink, again, later);
  EXPECT_NE(first["serialNumber"], second["serialNumber"]);
  EXPECT_NE(first["metadata"]["timestamp"], second["metadata"]["timestamp"]);
  for (json* each : {&first, &second}) {
    each->erase("serialNumber");
    (*each)["metadata"].erase("timestamp");
  }
  EXPECT_EQ(first, second);
}

TEST(CycloneDx, RedactedPathsStayApart) {
  std::vector<Record> run;
  for (const char* path : {"/home/alice/.ssh/id_rsa", "/home/bob/.ssh/id_rsa"}) {
    FileOpen file = samples::key_file(samples::nginx());
    file.file = file.finding.path = path;
    file.finding.assets[0].public_key_sha256.clear();
    run.push_back(samples::traced(std::move(file), 1));
  }
  const std::string text = document_of(make_cyclonedx_sink, run);
  EXPECT_EQ(text.find("alice"), std::string::npos);
  const json bom = json::parse(text);
  EXPECT_NE(component(bom, "key:private:/home/USER/.ssh/id_rsa"), nullptr);
  EXPECT_NE(component(bom, "key:private:/home/USER/.ssh/id_rsa#2"), nullptr);
  DocumentOptions open = document_options();
  open.sink.redact = false;
  EXPECT_NE(component(parsed(make_cyclonedx_sink, run, open), "key:private:/home/alice/.ssh/id_rsa"), nullptr);
}

// ---- names of algorithms ----

struct Spelling {
  const char *name, *wanted, *primitive;
};

TEST(Algorithms, HaveOneName) {
  for (const auto& [name, wanted, primitive] : std::initializer_list<Spelling>{
           {"SHA2-256", "SHA-256", "hash"},
           {"sha256", "SHA-256", "hash"},
           {"SHA1", "SHA-1", "hash"},
           {"id-aes256-GCM", "AES-256-GCM", "ae"},
           {"AES_128_CCM_8", "AES-128-CCM-8", "ae"},
           {"aes-128-cbc", "AES-128-CBC", "block-cipher"},
           {"AES-128-CBC-HMAC-SHA256", "AES-128-CBC-HMAC-SHA-256", "block-cipher"},
           {"DES-EDE3-CBC", "3DES-CBC", "block-cipher"},
           {"3DES_EDE_CBC", "3DES-CBC", "block-cipher"},
           {"DES40_CBC", "DES-40-CBC", "block-cipher"},
           {"SM4-GCM", "SM4-GCM", "ae"},
           {"ChaCha20-Poly1305", "ChaCha20-Poly1305", "ae"},
           {"RC4_128", "RC4-128", "stream-cipher"},
           {"CTR-DRBG", "CTR-DRBG", "drbg"},
           {"HMAC", "HMAC", "mac"},
           {"hmacWithSHA256", "HMAC-SHA-256", "mac"},
           {"TLS13-KDF", "TLS13-KDF", "kdf"},
           {"rsaEncryption", "RSA", "pke"},
           {"id-ecPublicKey", "EC", "unknown"},
           {"ML-KEM-768", "ML-KEM-768", "kem"},
           {"SEED-SRC", "SEED-SRC", "unknown"},
           {"", "", "unknown"},
           {"-", "-", "unknown"},
           {"never heard of", "never heard of", "unknown"},
       }) {
    const AlgorithmFacts facts = algorithm_of_name(name);
    EXPECT_EQ(facts.primitive, primitive) << name;
    EXPECT_EQ(facts.name, wanted) << name;
  }
}

TEST(Algorithms, OfGroupsSignaturesAndKeys) {
  EXPECT_EQ(algorithm_of_group("secp256r1").name, "ECDH-P-256");
  EXPECT_EQ(algorithm_of_group("secp256r1").curve, "nist/P-256");
  EXPECT_EQ(algorithm_of_group("ffdhe2048").name, "FFDH-2048");
  EXPECT_EQ(algorithm_of_group("X25519MLKEM768").primitive, "combiner");
  EXPECT_EQ(algorithm_of_group("X25519MLKEM768").quantum_level, 3U);
  EXPECT_EQ(algorithm_of_group("x25519").quantum_level, 0U);
  EXPECT_EQ(algorithm_of_signature("rsa_pss_rsae_sha256").name, "RSASSA-PSS-SHA-256");
  EXPECT_EQ(algorithm_of_signature("rsa_pkcs1_sha1").name, "RSASSA-PKCS1-v1_5-SHA-1");
  EXPECT_EQ(algorithm_of_signature("sha1WithRSAEncryption").name, "RSASSA-PKCS1-v1_5-SHA-1");
  EXPECT_EQ(algorithm_of_signature("ecdsa-with-SHA384").name, "ECDSA-SHA-384");
  EXPECT_EQ(algorithm_of_signature("ecdsa_secp256r1_sha256").name, "ECDSA-SHA-256");
  EXPECT_EQ(algorithm_of_signature("ed25519").name, "Ed25519");
  EXPECT_EQ(algorithm_of_signature("1.2.3.4").name, "1.2.3.4");
  EXPECT_EQ(algorithm_of_key("RSA", 2048, "").classical_bits, 112U);
  EXPECT_EQ(algorithm_of_key("RSA", 4096, "").classical_bits, std::nullopt) << "no standard says it";
  EXPECT_EQ(algorithm_of_key("EC", 256, "P-256").name, "EC-P-256");
  EXPECT_EQ(algorithm_of_key("Ed25519", 256, "").name, "Ed25519");
}

std::set<std::string> names_in(const SuiteQuestion& question) {
  std::set<std::string> names;
  for (const AlgorithmFacts& facts : algorithms_of_suite(question)) names.insert(facts.name);
  return names;
}

TEST(Algorithms, OfSuites) {
  using Names = std::set<std::string>;
  EXPECT_EQ(names_in({"TLS_AES_128_GCM_SHA256"}), (Names{"AES-128-GCM", "SHA-256"}));
  EXPECT_EQ(names_in({"TLS_CHACHA20_POLY1305_SHA256"}), (Names{"ChaCha20-Poly1305", "SHA-256"}));
  EXPECT_EQ(names_in({"TLS_RSA_WITH_RC4_128_MD5"}), (Names{"RSA", "RC4-128", "HMAC-MD5"}));
  EXPECT_EQ(names_in({"TLS_RSA_WITH_3DES_EDE_CBC_SHA"}), (Names{"RSA", "3DES-CBC", "HMAC-SHA-1"}));
  EXPECT_EQ(names_in({"TLS_ECDHE_ECDSA_WITH_AES_128_CCM"}), (Names{"ECDH", "ECDSA", "AES-128-CCM"}));
  EXPECT_EQ(names_in({"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", true, true}), (Names{"AES-128-CBC", "HMAC-SHA-1"}));
  EXPECT_EQ(names_in({"TLS_DHE_DSS_EXPORT_WITH_DES40_CBC_SHA"}), (Names{"DH", "DSA", "DES-40-CBC", "HMAC-SHA-1"}));
  EXPECT_EQ(names_in({"TLS_DH_anon_WITH_NULL_SHA"}), (Names{"DH", "HMAC-SHA-1"}));
  EXPECT_EQ(names_in({"TLS_EMPTY_RENEGOTIATION_INFO_SCSV"}), Names{});
  for (const char* strange : {"", "TLS_", "0x1234", "GREASE", "TLS__WITH_", "TLS_WITH_", "TLS_RSA_WITH_"})
    EXPECT_LE(names_in({strange}).size(), 1U) << strange;
}

}  // namespace
}  // namespace tracer
