#include "tests/workloads/truth.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <new>
#include <optional>
#include <utility>
#include <vector>

namespace tracer::workload {
namespace {

std::string base64(std::string_view bytes) {
  static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string made;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    const auto held = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8U | (i < held ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) made += i <= held ? alphabet[group >> (18U - 6U * i) & 63U] : '=';
  }
  return made;
}

bool plain(std::string_view value) {
  return std::ranges::all_of(value, [](char byte) { return byte >= 0x20 && byte < 0x7f; });
}

std::string quoted(std::string_view value) {
  std::string text = "\"";
  for (const char byte : value) {
    if (byte == '"' || byte == '\\') text += '\\';
    text += byte >= 0x20 && byte < 0x7f ? byte : '?';
  }
  return text + "\"";
}

}  // namespace

std::string text_member(std::string_view name, std::string_view value) {
  auto made = "\"" + std::string(name) + "\":" + quoted(value);
  if (!plain(value)) made += ",\"" + std::string(name) + "_base64\":\"" + base64(value) + "\"";
  return made;
}

std::string list_member(std::string_view name, std::span<const std::string> values) {
  std::string texts, exact;
  for (const auto& each : values) {
    texts += (texts.empty() ? "" : ",") + quoted(each);
    exact += (exact.empty() ? "\"" : ",\"") + base64(each) + "\"";
  }
  return "\"" + std::string(name) + "\":[" + texts + "],\"" + std::string(name) + "_base64\":[" + exact + "]";
}

std::string number_member(std::string_view name, std::optional<std::int64_t> value) {
  return "\"" + std::string(name) + "\":" + (value ? std::to_string(*value) : "null");
}

namespace {

std::string flag_member(std::string_view name, bool value) {
  return "\"" + std::string(name) + "\":" + (value ? "true" : "false");
}

std::string process_object(std::int32_t pid, std::string_view comm) {
  return "{" + number_member("pid", pid) + "," + text_member("comm", comm) + "}";
}

std::string party_object(const Address& address, const std::string& processes) {
  return "{" + text_member("address", address.host) + "," + number_member("port", address.port) + ",\"processes\":[" +
         processes + "]}";
}

std::string own_comm() {
  std::array<char, 16> comm{};
  const auto path = "/proc/self/comm";  // the leader's: a thread may call itself something else
  if (std::FILE* file = std::fopen(path, "re")) {
    const auto size = std::fread(comm.data(), 1, comm.size(), file);
    std::fclose(file);
    if (size > 0) return {comm.data(), size - 1};
  }
  ::prctl(PR_GET_NAME, comm.data());  // no /proc in an empty initramfs
  return comm.data();
}

std::uint64_t network_namespace() {
  struct stat status{};
  return ::stat("/proc/self/ns/net", &status) == 0 ? status.st_ino : 0;
}

std::optional<std::int64_t> widened(const std::optional<std::uint64_t>& value) {
  return value ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
}

}  // namespace

ServerRegistry* ServerRegistry::create() {
  void* memory = ::mmap(nullptr, sizeof(ServerRegistry), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "mmap");
  return new (memory) ServerRegistry;
}

void ServerRegistry::add(std::int32_t pid, std::string_view comm, std::uint16_t peer_port) {
  const auto index = count_.fetch_add(1);
  require(index < entries_max, "too many server processes");
  auto& entry = entries_[index];
  entry.peer_port = peer_port;
  std::memcpy(entry.comm, comm.data(), std::min<std::size_t>(comm.size(), 15));
  entry.pid = pid;
}

void ServerRegistry::clear() {
  for (auto& entry : entries_) {
    entry.pid = 0;
    std::memset(entry.comm, 0, sizeof(entry.comm));
  }
  count_ = 0;
}

std::span<const ServerRegistry::Entry> ServerRegistry::entries() const { return {entries_, count_.load()}; }

std::int64_t wall_time_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

TruthLog::TruthLog(int fd, std::string scenario, const ServerRegistry& servers)
    : fd_(fd), scenario_(std::move(scenario)), servers_(servers) {}

std::string TruthLog::servers_of(const Address& client) const {
  std::string servers;
  for (const auto& entry : servers_.entries()) {
    if (entry.pid == 0) continue;
    if (entry.peer_port != 0 && entry.peer_port != client.port) continue;
    if (!servers.empty()) servers += ",";
    servers += process_object(entry.pid, entry.comm);
  }
  return servers;
}

void TruthLog::add(const Exchange& made, const Transaction& how) {
  std::vector<std::string> members{
      text_member("scenario", scenario_),
      number_member("network_namespace", static_cast<std::int64_t>(network_namespace())),
      "\"client\":" + party_object(how.client, process_object(::getpid(), own_comm())),
      "\"server\":" + party_object(how.server, servers_of(how.client)),
      number_member("sequence", how.sequence),
      text_member("method", made.method),
      text_member("url", made.url),
      number_member("status", made.status),
      number_member("request_body_bytes", widened(made.request_body_bytes)),
      number_member("response_body_bytes", widened(made.response_body_bytes)),
      number_member("request_bytes", static_cast<std::int64_t>(made.request_wire_bytes())),
      number_member("response_bytes", static_cast<std::int64_t>(made.response_wire_bytes())),
      number_member("request_headers", static_cast<std::int64_t>(made.request.header_count)),
      number_member("response_headers", static_cast<std::int64_t>(made.response.header_count)),
      flag_member("complete", made.complete),
      flag_member("optional", made.optional),
      flag_member("observable", how.observable),
      number_member("request_time_ns", how.request_time_ns),
      number_member("response_time_ns", how.response_time_ns),
  };
  if (!how.tls.empty()) {
    members.push_back(text_member("event_type", "http_transaction"));
    members.push_back(text_member("scheme", "https"));
    members.push_back("\"tls\":" + std::string(how.tls));
  }
  add_line(members);
}

void TruthLog::add_fact(std::string_view event_type, std::int32_t pid, std::string_view comm, std::int64_t at_ns,
                        std::span<const std::string> members) {
  std::vector<std::string> all{text_member("event_type", event_type), text_member("scenario", scenario_),
                               number_member("pid", pid), text_member("process", comm),
                               number_member("time_ns", at_ns)};
  all.insert(all.end(), members.begin(), members.end());
  add_line(all);
}

void TruthLog::add_handshake(std::string_view name, const Address& client, const Address& server,
                             std::string_view fields, Span when) {
  const std::string members[] = {
      text_member("event_type", "tls_handshake"),
      text_member("scenario", scenario_),
      text_member("name", name),
      "\"client\":" + party_object(client, process_object(::getpid(), own_comm())),
      "\"server\":" + party_object(server, servers_of(client)),
      number_member("time_ns", when.begin_ns),
      number_member("end_time_ns", when.end_ns),
      "\"fields\":" + std::string(fields),
  };
  add_line(members);
}

void TruthLog::add_line(std::span<const std::string> members) {
  std::string line = "{";
  for (const auto& member : members) line += (line.size() > 1 ? "," : "") + member;
  const std::lock_guard lock(mutex_);
  lines_ += line + "}\n";
}

void TruthLog::flush() {
  const std::lock_guard lock(mutex_);
  write_all(fd_, lines_);
  lines_.clear();
}

}  // namespace tracer::workload
