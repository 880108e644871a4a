// Records for tests of fields and sinks.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/records/record.h"

namespace tracer::samples {

inline constexpr std::int64_t noon_ns = 1'767'323'045'678'901'234;  // 2026-01-02T03:04:05.678901Z

inline Endpoint v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port) {
  return Endpoint{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, port};
}

inline std::shared_ptr<ProcessFacts> process(std::uint32_t pid, std::string comm, std::string exe) {
  ProcessFacts facts;
  facts.tgid = pid;
  facts.local_pid = pid;
  facts.uid = 33;
  facts.comm = std::move(comm);
  facts.executable = std::move(exe);
  return std::make_shared<ProcessFacts>(std::move(facts));
}

inline FlowIdentity flow() {
  FlowIdentity flow;
  flow.connection_id = 7;
  flow.client = {v4(127, 0, 0, 1, 41234), process(4213, "curl", "/usr/bin/curl")};
  flow.server = {v4(127, 0, 0, 1, 8080), process(811, "nginx", "/usr/sbin/nginx")};
  flow.observed_at = ObservedAt::client;
  return flow;
}

inline TextSlice add(HttpMessage& message, std::string_view text) {
  const TextSlice slice{static_cast<std::uint32_t>(message.text.size()), static_cast<std::uint32_t>(text.size())};
  message.text.append(text);
  return slice;
}

using Headers = std::vector<std::pair<std::string_view, std::string_view>>;

inline HttpMessage request(std::string_view method, std::string_view url, const Headers& headers) {
  HttpMessage message;
  message.present = true;
  message.method = add(message, method);
  message.url = add(message, url);
  message.version = add(message, "HTTP/1.1");
  for (const auto& [name, value] : headers) {
    const TextSlice at = add(message, name);
    message.headers.push_back({at, add(message, value)});
  }
  message.header_bytes = 321;
  message.body_bytes = 0;
  return message;
}

inline HttpMessage response(std::uint16_t status, std::string_view text, const Headers& headers) {
  HttpMessage message = request("", "", headers);
  message.method = message.url = {};
  message.status_code = status;
  message.status_text = add(message, text);
  message.header_bytes = 210;
  message.body_bytes = 307200;
  return message;
}

inline Record wrap(decltype(Record::body) body) {
  Record record;
  record.timestamp = {noon_ns};
  record.body = std::move(body);
  return record;
}

inline Record http(HttpMessage request_message, HttpMessage response_message) {
  HttpTransaction t;
  t.flow = flow();
  t.request = std::move(request_message);
  t.response = std::move(response_message);
  t.complete = true;
  t.request_time = WallTime{noon_ns};
  t.response_time = WallTime{noon_ns + 12'345'678};
  t.duration_ms = 12.345678;
  t.time_to_first_byte_ms = 3.5;
  t.time_source = TimeSource::client;
  Record record = wrap(std::move(t));
  record.backend = BackendKind::tracepoint;
  record.mechanism = Mechanism::tp_btf;
  return record;
}

inline Record typical_http() {
  return http(request("GET", "/users/42?page=3&sort=name",
                      {{"Host", "example.com"},
                       {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
                       {"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
                       {"Accept-Language", "en-US,en;q=0.5"},
                       {"Accept-Encoding", "gzip, deflate, br"},
                       {"Connection", "keep-alive"},
                       {"Referer", "http://example.com/users"},
                       {"Cache-Control", "no-cache"}}),
              response(200, "OK",
                       {{"Server", "nginx/1.22.1"},
                        {"Date", "Fri, 02 Jan 2026 03:04:05 GMT"},
                        {"Content-Type", "text/html; charset=utf-8"},
                        {"Content-Length", "307200"},
                        {"Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"},
                        {"Connection", "keep-alive"},
                        {"ETag", "\"6954a3c0-4b000\""},
                        {"Accept-Ranges", "bytes"}}));
}

// Inside of TLS 1.3: which protocol was chosen is encrypted.
inline Record https() {
  Record record = http(request("GET", "/account?token=secret",
                               {{"Host", "example.com"}, {"Authorization", "Bearer abcdef"}, {"Cookie", "id=1234"}}),
                       response(200, "OK", {{"Set-Cookie", "id=5678; HttpOnly"}, {"Content-Length", "307200"}}));
  auto& t = std::get<HttpTransaction>(record.body);
  t.tls = std::make_shared<const HttpTls>(
      HttpTls{"TLS 1.3", "TLS_AES_256_GCM_SHA384", "x25519", "example.com", std::nullopt});
  record.backend = BackendKind::ebpf;
  record.mechanism = Mechanism::uprobe;
  record.missing = {"tls.alpn"};
  return record;
}

// A library that never sees the socket.
inline Record https_without_connection() {
  Record record = http(request("GET", "/", {{"Host", "example.com"}}), response(204, "No Content", {}));
  auto& t = std::get<HttpTransaction>(record.body);
  t.tls = std::make_shared<const HttpTls>();
  t.flow.client = {};
  t.flow.server.endpoint.reset();
  t.flow.observed_at = ObservedAt::server;
  t.time_source = TimeSource::server;
  record.backend = BackendKind::ebpf;
  record.mechanism = Mechanism::uprobe;
  record.missing = {"client.address",   "server.address", "client.process", "tls.version",
                    "tls.cipher_suite", "tls.group",      "tls.sni",        "tls.alpn"};
  return record;
}

inline Record incomplete_http() {
  Record record = http(request("POST", "/upload", {{"Host", "[::1]:9000"}, {"Content-Type", "text/plain"}}), {});
  auto& t = std::get<HttpTransaction>(record.body);
  t.complete = false;
  t.incomplete_reason = "no_response";
  t.request.body_bytes = std::nullopt;
  t.response_time = std::nullopt;
  t.duration_ms = t.time_to_first_byte_ms = std::nullopt;
  t.flow.client.process = nullptr;
  t.flow.client.endpoint = Endpoint{{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 50000};
  t.flow.observed_at = ObservedAt::server;
  t.anomalies = {"conflicting-content-length"};
  record.missing = {"client.process"};  // declared by the mechanism, and found missing too
  record.inferred = {"server.process"};
  return record;
}

inline Record connection() {
  ConnectionSummary c;
  c.flow = flow();
  auto hidden = process(900, "sshd", "/usr/sbin/sshd");
  hidden->local_pid = std::nullopt;
  hidden->container_id = "0123456789ab";
  c.flow.server.process = hidden;
  c.protocol = "TLS";
  c.transactions = 0;
  c.client_to_server.emplace().moved = 1000;
  c.client_to_server->kept = 600;
  c.client_to_server->gaps[static_cast<std::size_t>(GapCause::verdict_skip)] = 300;
  c.client_to_server->gaps[static_cast<std::size_t>(GapCause::ring_full)] = 100;
  c.client_to_server->witnessed = 1000;
  c.server_to_client.emplace().moved = 50;
  c.server_to_client->kept = 50;
  c.opened_at = WallTime{noon_ns};
  c.closed_at = WallTime{noon_ns + 2'500'000'000};
  c.duration_ms = 2500;
  Record record = wrap(std::move(c));
  record.backend = BackendKind::tracepoint;
  record.mechanism = Mechanism::syscall_tp;
  return record;
}

// As told by a mechanism that reads counters.
inline Record counted_connection() {
  ConnectionSummary c;
  c.flow = flow();
  c.client_to_server.emplace().moved = 1000;
  c.client_to_server->gaps[static_cast<std::size_t>(GapCause::no_payload)] = 1000;
  c.client_to_server->witnessed = 1000;
  c.server_to_client.emplace();
  c.state = "open";
  c.rtt_ms = 0.057;
  c.tcp_state = "ESTABLISHED";
  c.retransmits = 2;
  Record record = wrap(std::move(c));
  record.backend = BackendKind::procfs;
  record.mechanism = Mechanism::sock_diag;
  record.inferred = {"client.process"};
  return record;
}

template <typename Body>
Record about_process(Body body, Mechanism mechanism) {
  body.process = process(4213, "curl", "/home/alice/bin/curl");
  Record record = wrap(std::move(body));
  record.backend = mechanism == Mechanism::tracefs ? BackendKind::tracepoint : BackendKind::procfs;
  record.mechanism = mechanism;
  return record;
}
inline Record process_exec() {
  return about_process(ProcessExec{nullptr, 812, "/home/alice/bin/curl"}, Mechanism::tracefs);
}
inline Record process_exit() { return about_process(ProcessExit{nullptr, 22, {}}, Mechanism::proc_events); }
inline Record process_killed() {
  Record record = about_process(ProcessExit{nullptr, {}, 9}, Mechanism::proc_events);
  std::get<ProcessExit>(record.body).process = nullptr;
  return record;
}
inline Record file_open() {
  FileOpen open{nullptr, "/home/alice/.ssh/id_rsa", open_flag_names(02000000 | 0100000 | (1U << 30U)), result_name(2)};
  open.error = 2;
  open.finding.path = "/home/alice/.ssh/id_rsa";
  open.finding.expected = "private_key";
  open.finding.name_rule = "ssh-identity";
  open.finding.not_seen_reason = "the process did not open it";
  return about_process(std::move(open), Mechanism::tracefs);
}
inline Record file_opened() {
  FileOpen open{nullptr, "notes.key", {}, "success"};
  open.finding.path = "/home/alice/notes.key";
  open.finding.file_type = "unknown";
  open.finding.expected = "private_key";
  open.finding.name_rule = "key-extension";
  open.finding.contents_seen = open.finding.contents_cut = true;
  return about_process(std::move(open), Mechanism::tracefs);
}
inline CertificateFacts certificate() {
  CertificateFacts facts;
  facts.subject = facts.issuer = "CN=example.org,O=Example\\, Ltd";
  facts.serial = "0fa2";
  facts.names = {"DNS:example.org", "IP:2001:db8::1"};
  facts.not_before = WallTime{noon_ns};
  facts.key_type = "EC";
  facts.key_bits = 256;
  facts.curve = "P-256";
  facts.signature_algorithm = "ecdsa-with-SHA256";
  facts.sha256 = std::string(64, 'a');
  facts.public_key_sha256 = std::string(64, 'b');
  facts.self_issued = true;
  facts.is_ca = false;
  facts.names_left_out = 3;
  return facts;
}
inline Record file_with_assets() {
  FileOpen open{nullptr, "/etc/nginx/both.pem", open_flag_names(0), "success"};
  open.error = 0;
  open.preexisting = true;
  open.finding.path = open.file;
  open.finding.file_type = "private_key";
  open.finding.name_rule = "pem-extension";
  open.finding.contents_seen = true;
  open.finding.assets_left_out = 1;
  FileAsset one, key;
  one.type = "certificate";
  one.format = key.format = "PEM";
  one.certificate = certificate();
  one.evidence = {EvidenceKind::bytes, "PEM label CERTIFICATE", {}};
  key.type = "private_key";
  key.algorithm = "EC";
  key.bits = 256;
  key.curve = "P-256";
  key.encrypted = false;
  key.public_key_sha256 = std::string(64, 'b');
  key.evidence = {EvidenceKind::bytes, "PEM label EC PRIVATE KEY", {}};
  open.finding.assets = {std::move(one), std::move(key)};
  return about_process(std::move(open), Mechanism::fanotify);
}
inline Record lib_load() {
  LibLoad load;
  load.library = "/usr/lib/x86_64-linux-gnu/libcrypto.so.3";
  load.library_name = "libcrypto.so.3";
  load.family = "OpenSSL";
  load.version = "3.0.22";
  load.preexisting = true;
  load.evidence = {{EvidenceKind::path_rule, "libcrypto.so.3", "openssl-libcrypto"},
                   {EvidenceKind::bytes, "OpenSSL 3.0.22", "openssl-libcrypto"}};
  return about_process(std::move(load), Mechanism::poll);
}

inline Record trace_start() {
  TraceStart t;
  t.schema_version = "1.0";
  t.version = "0.1.0";
  t.host = "box";
  t.boot_id = "6a3f9d3e-8f0e-4a77-9a50-1d2f3c4b5a69";
  t.kernel = "6.1.0-40-amd64";
  for (std::size_t i = 0; i < facet_count; ++i) t.plan.facets.push_back({static_cast<Facet>(i), {}, {}, {}, {}});
  t.plan.facets[0].backend = BackendKind::tracepoint;
  t.plan.facets[0].mechanism = Mechanism::tp_btf;
  t.plan.facets[0].rejected.push_back({BackendKind::ebpf, Mechanism::fentry, "not built into this version"});
  t.scope = {"pid:[4026531836]", "net: all"};
  t.attached = {{"sys_enter_connect", true, "", 12.25}, {"sys_exit_splice", false, "attach: Permission denied"}};
  t.blind = {"https: no backend"};
  t.self_test_seen = true;
  t.attached_after_ms = 210.5;
  return wrap(std::move(t));
}

inline Record trace_end() {
  TraceEnd t;
  t.reason = "signal SIGINT";
  t.duration_ms = 61234.5;
  t.events_produced = 1000;
  t.events_delivered = 997;
  t.records_decoded = 40;
  t.records_filtered = 2;
  t.records_written = 38;
  t.flows_filtered = 41;
  t.self = 12;
  t.lost = {{"ring_full", 3, 4096}};
  t.unjoined = 1;
  t.unwitnessed = 2;
  t.coverage = {39, 1'000'000, 700'000, 299'000, 900, 100};
  t.blind_row("TLS").flows = 33;
  t.blind_row("io_uring").count = 5;
  t.blind_row("zero_copy").flows = 2;
  t.blind_row("zero_copy").bytes = 4096;
  return wrap(std::move(t));
}

inline Record loss() { return wrap(Loss{{"ring_full", 3, 4096}, "kernel"}); }

inline Record backend_switch() {
  BackendSwitch s;
  s.facet = Facet::http;
  s.from_backend = BackendKind::ebpf;
  s.from_mechanism = Mechanism::fentry;
  s.to_backend = BackendKind::tracepoint;
  s.to_mechanism = Mechanism::tp_btf;
  s.reason = "two heartbeats missed";
  s.unwatched_ms = 12.5;
  return wrap(std::move(s));
}

inline Record last_switch() {
  Record record = backend_switch();
  auto& s = std::get<BackendSwitch>(record.body);
  s.to_backend.reset();
  s.to_mechanism.reset();
  s.reason = "eth0: No such device";
  return record;
}

// A whole run in order, every event type at least once.
inline std::vector<Record> run() {
  std::vector<Record> records;
  records.push_back(trace_start());
  records.push_back(typical_http());
  records.push_back(https());
  records.push_back(https_without_connection());
  records.push_back(incomplete_http());
  records.push_back(connection());
  records.push_back(counted_connection());
  records.push_back(process_exec());
  records.push_back(file_open());
  records.push_back(file_opened());
  records.push_back(file_with_assets());
  records.push_back(lib_load());
  records.push_back(process_exit());
  records.push_back(process_killed());
  records.push_back(loss());
  records.push_back(backend_switch());
  records.push_back(last_switch());
  records.push_back(trace_end());
  return records;
}

}  // namespace tracer::samples
