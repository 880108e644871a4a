// The records of a run that met cryptography, as sources of documents: nginx with TLS, and curl that talks to it.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/records/record.h"

namespace tracer::samples {

inline constexpr std::int64_t start_ns = 1'767'323'045'000'000'000;  // 2026-01-02T03:04:05Z
inline constexpr std::int64_t second_ns = 1'000'000'000;

inline Record crypto_record(decltype(Record::body) body, std::int64_t after_ms, BackendKind backend,
                            Mechanism mechanism) {
  Record record;
  record.timestamp = {start_ns + after_ms * 1'000'000};
  record.backend = backend;
  record.mechanism = mechanism;
  record.body = std::move(body);
  return record;
}
inline Record traced(decltype(Record::body) body, std::int64_t after_ms) {
  return crypto_record(std::move(body), after_ms, BackendKind::ebpf, Mechanism::fentry);
}
inline Record scanned(decltype(Record::body) body) {
  return crypto_record(std::move(body), 0, BackendKind::procfs, Mechanism::poll);
}

inline std::shared_ptr<ProcessFacts> crypto_process(std::uint32_t pid, std::string comm, std::string exe,
                                                    std::uint32_t uid = 33) {
  auto facts = std::make_shared<ProcessFacts>();
  facts->tgid = pid;
  facts->local_pid = pid;
  facts->uid = uid;
  facts->comm = std::move(comm);
  facts->executable = std::move(exe);
  facts->start_ticks = pid * 100;
  return facts;
}
inline std::shared_ptr<ProcessFacts> nginx() { return crypto_process(811, "nginx", "/usr/sbin/nginx"); }
inline std::shared_ptr<ProcessFacts> curl() { return crypto_process(4213, "curl", "/usr/bin/curl", 1000); }

inline CertificateFacts certificate(std::string subject, std::string sha256) {
  CertificateFacts facts;
  facts.issuer = "CN=Example CA";
  facts.subject = std::move(subject);
  facts.serial = "0a1b";
  facts.names = {"DNS:localhost", "IP:127.0.0.1"};
  facts.not_before = WallTime{start_ns - 3600 * second_ns};
  facts.not_after = WallTime{start_ns + 30 * 24 * 3600 * second_ns};
  facts.key_type = "RSA";
  facts.key_bits = 2048;
  facts.signature_algorithm = "sha256WithRSAEncryption";
  facts.public_key_sha256 = "5e" + sha256.substr(2);
  facts.sha256 = std::move(sha256);
  return facts;
}
inline CertificateFacts server_certificate() { return certificate("CN=localhost", std::string(64, 'a')); }

inline Record exec(std::shared_ptr<const ProcessFacts> process, std::vector<std::string> arguments, bool preexisting,
                   std::int64_t after_ms = 0) {
  ProcessExec body;
  body.parent = 1;
  body.executable = process->executable;
  body.arguments = std::move(arguments);
  body.gid = 33;
  body.preexisting = preexisting;
  if (preexisting) body.started_at = WallTime{start_ns - 60 * second_ns};
  body.process = std::move(process);
  return preexisting ? scanned(std::move(body)) : traced(std::move(body), after_ms);
}

inline LibLoad library(std::shared_ptr<const ProcessFacts> process, std::string path, std::string version) {
  LibLoad body;
  body.process = std::move(process);
  body.library_name = path.substr(path.rfind('/') + 1);
  body.evidence = {{EvidenceKind::path_rule, "name " + body.library_name, "openssl"},
                   {EvidenceKind::bytes, "text \"OpenSSL " + version + "\"", "openssl"}};
  body.library = std::move(path);
  body.family = "OpenSSL";
  body.version = std::move(version);
  return body;
}

inline FileOpen open_of(std::shared_ptr<const ProcessFacts> process, std::string path, std::string result = "success",
                        std::int32_t error = 0) {
  FileOpen body;
  body.process = std::move(process);
  body.flags = {"O_RDONLY", "O_CLOEXEC"};
  body.result = std::move(result);
  body.error = error;
  body.finding.path = path;
  body.file = std::move(path);
  body.finding.file_type = "unknown";
  return body;
}

inline FileAsset asset(std::string_view type, std::string detail) {
  FileAsset asset;
  asset.type = type;
  asset.format = "PEM";
  asset.evidence = {EvidenceKind::bytes, std::move(detail), "pem"};
  return asset;
}

inline FileOpen certificate_file(std::shared_ptr<const ProcessFacts> process) {
  FileOpen body = open_of(std::move(process), "/etc/nginx/tls/server.pem");
  body.finding.file_type = "certificate";
  body.finding.name_rule = "pem";
  body.finding.contents_seen = true;
  body.finding.assets = {asset("certificate", "PEM label CERTIFICATE")};
  body.finding.assets[0].certificate = server_certificate();
  return body;
}

inline FileOpen key_file(std::shared_ptr<const ProcessFacts> process) {
  FileOpen body = open_of(std::move(process), "/etc/nginx/tls/server.key");
  body.finding.file_type = "private_key";
  body.finding.expected = "private_key";
  body.finding.name_rule = "key";
  body.finding.contents_seen = true;
  body.finding.assets = {asset("private_key", "PEM label PRIVATE KEY")};
  body.finding.assets[0].algorithm = "RSA";
  body.finding.assets[0].bits = 2048;
  body.finding.assets[0].encrypted = false;
  body.finding.assets[0].public_key_sha256 = server_certificate().public_key_sha256;
  return body;
}

// A text that is called as keys are.
inline FileOpen decoy_file(std::shared_ptr<const ProcessFacts> process) {
  FileOpen body = open_of(std::move(process), "/srv/notes/server.key");
  body.finding.expected = "private_key";
  body.finding.name_rule = "key";
  body.finding.contents_seen = true;
  return body;
}

inline FileOpen refused_file(std::shared_ptr<const ProcessFacts> process, std::string result, std::int32_t error) {
  FileOpen body = open_of(std::move(process), "/etc/nginx/tls/old.key", std::move(result), error);
  body.finding.expected = "private_key";
  body.finding.name_rule = "key";
  body.finding.not_seen_reason = "it was not opened";
  return body;
}

inline Endpoint loopback(std::uint16_t port) {
  return Endpoint{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, port};
}

inline TlsHandshake handshake(std::string version, std::string suite, std::string number) {
  TlsHandshake body;
  body.flow.client = {loopback(41234), curl()};
  body.flow.server = {loopback(443), nginx()};
  body.complete = body.client_hello = body.server_hello = true;
  body.sni = "localhost";
  body.version = std::move(version);
  body.cipher_suite = std::move(suite);
  body.ja4 = "t13d1516h2_8daaf6152771_e5627efa2ab1";
  body.evidence = {{EvidenceKind::handshake_field, "ServerHello.cipher_suite " + number, {}}};
  return body;
}
inline TlsHandshake handshake13() {
  TlsHandshake body = handshake("TLS 1.3", "TLS_AES_256_GCM_SHA384", "0x1302");
  body.group = "X25519MLKEM768";
  body.post_quantum = PostQuantum::negotiated;
  body.resumed = false;
  return body;
}
inline TlsHandshake handshake12() {
  TlsHandshake body = handshake("TLS 1.2", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "0xc013");
  body.group = "secp256r1";
  body.signature_algorithm = "rsa_pkcs1_sha256";
  body.post_quantum = PostQuantum::none;
  body.certificates = {server_certificate(), certificate("CN=Example CA", std::string(64, 'b'))};
  body.client_certificates = {certificate("CN=client", std::string(64, 'c'))};
  body.certificates_known = body.client_certificates_known = true;
  body.findings = {"sha1_signature"};
  body.alerts = {{"client", "warning", "close_notify"}};
  return body;
}

inline Record call(std::string function, std::string argument, std::int64_t result, std::uint64_t count,
                   std::int64_t after_ms) {
  ApiCall body;
  body.process = nginx();
  body.library = function.starts_with("SSL") ? "/usr/lib/libssl.so.3" : "/usr/lib/libcrypto.so.3";
  body.evidence = {{EvidenceKind::symbol, function, {}}};
  body.function_name = std::move(function);
  body.argument = std::move(argument);
  body.result = result;
  body.count = count;
  return crypto_record(std::move(body), after_ms, BackendKind::ebpf, Mechanism::uprobe);
}

inline Record trace_start() {
  TraceStart body;
  body.schema_version = "1";
  body.version = "0.1.0";
  body.host = "box";
  body.kernel = "6.1.0";
  for (std::size_t i = 0; i < facet_count; ++i)
    body.plan.facets.push_back({static_cast<Facet>(i), BackendKind::ebpf, Mechanism::fentry, {}, {}});
  FacetPlan& calls = body.plan.facets[static_cast<std::size_t>(Facet::crypto_api)];
  calls.backend.reset();
  calls.mechanism.reset();
  calls.rejected = {{BackendKind::ebpf, Mechanism::uprobe, "no permission"}};
  Record record;
  record.timestamp = {start_ns};
  record.body = std::move(body);
  return record;
}

inline Record trace_end(std::vector<BlindCount> blind = {}) {
  TraceEnd body;
  body.reason = "duration";
  body.duration_ms = 2004.25;
  body.blind = std::move(blind);
  Record record;
  record.timestamp = {start_ns + 2 * second_ns};
  record.body = std::move(body);
  return record;
}

inline std::vector<Record> profile_run() {
  std::vector<Record> run;
  run.push_back(trace_start());
  run.push_back(exec(nginx(), {"nginx", "-g", "daemon off;", "--token=hunter2"}, true));
  for (const char* path : {"/usr/lib/libssl.so.3", "/usr/lib/libcrypto.so.3"}) {
    LibLoad mapped = library(nginx(), path, "3.0.15");
    mapped.preexisting = true;
    run.push_back(scanned(std::move(mapped)));
  }
  FileOpen found = certificate_file(nginx());
  found.preexisting = true;
  found.result.reset();
  found.error.reset();
  run.push_back(scanned(std::move(found)));
  run.push_back(exec(curl(), {"curl", "https://alice:secret@localhost/"}, false, 100));
  run.push_back(traced(library(curl(), "/usr/lib/libssl.so.3", "3.0.15"), 110));
  run.push_back(traced(certificate_file(nginx()), 200));
  run.push_back(traced(key_file(nginx()), 210));
  run.push_back(traced(key_file(nginx()), 220));
  run.push_back(traced(decoy_file(nginx()), 230));
  run.push_back(traced(refused_file(nginx(), "ENOENT", 2), 240));
  run.push_back(traced(refused_file(nginx(), "EACCES", 13), 250));
  run.push_back(traced(handshake13(), 300));
  run.push_back(traced(handshake13(), 310));
  run.push_back(traced(handshake12(), 320));
  run.push_back(call("EVP_CIPHER_fetch", "AES-256-GCM", 1, 3, 330));
  run.push_back(call("EVP_MD_fetch", "SHA2-256", 1, 1, 340));
  run.push_back(call("EVP_MD_fetch", "NO-SUCH-HASH", 0, 1, 345));
  run.push_back(call("SSL_do_handshake", "", 1, 2, 350));
  run.push_back(call("SSL_do_handshake", "", -1, 1, 360));
  ProcessExit exit;
  exit.process = curl();
  exit.exit_code = 0;
  run.push_back(traced(std::move(exit), 400));
  run.push_back(trace_end());
  return run;
}

// What a look at /proc tells, without the right to look at everything.
inline std::vector<Record> snapshot_run() {
  std::vector<Record> run;
  run.push_back(trace_start());
  run.push_back(exec(nginx(), {"nginx"}, true));
  run.push_back(exec(crypto_process(5, "cat", "/usr/bin/cat", 0), {"cat"}, true));
  run.push_back(exec(crypto_process(900, "ssh", "/usr/bin/ssh", 1000), {"ssh"}, true));
  const auto found = [&](FileOpen body) {
    body.preexisting = true;
    body.result.reset();
    body.error.reset();
    run.push_back(scanned(std::move(body)));
  };
  const auto mapped = [&](LibLoad body) {
    body.preexisting = true;
    run.push_back(scanned(std::move(body)));
  };
  mapped(library(nginx(), "/usr/lib/libssl.so.3", "3.0.15"));
  mapped(library(nginx(), "/usr/lib/libcrypto.so.3", "3.0.15"));
  mapped(library(crypto_process(900, "ssh", "/usr/bin/ssh", 1000), "/usr/lib/libcrypto.so.3", "3.0.15"));
  found(certificate_file(nginx()));
  found(decoy_file(nginx()));
  found(key_file(crypto_process(900, "ssh", "/usr/bin/ssh", 1000)));
  run.push_back(trace_end({{"unreadable_processes", std::nullopt, 3, std::nullopt}}));
  return run;
}

}  // namespace tracer::samples
