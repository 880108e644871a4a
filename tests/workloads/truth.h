// The ground-truth log: one JSON object a line for each transaction that was made. tests/conformance compares it with
// what a tracer said; its fields are described in tests/workloads/README.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tests/workloads/exchange.h"
#include "tests/workloads/transport.h"

namespace tracer::workload {

// The processes that may rightly be called the server. Lives in memory shared by all processes of a scenario: each
// server process enters itself before it serves. Held in a mapping, so it must stay trivially destructible.
class ServerRegistry {
 public:
  struct Entry {
    std::atomic<std::int32_t> pid = 0;  // set last: until then the entry is not there
    std::uint16_t peer_port = 0;        // serves only the connection from there; 0: any
    char comm[16] = {};
  };
  static constexpr std::size_t entries_max = 256;

  static ServerRegistry* create();
  void add(std::int32_t pid, std::string_view comm, std::uint16_t peer_port = 0);
  void clear();
  [[nodiscard]] std::span<const Entry> entries() const;

 private:
  std::atomic<std::size_t> count_ = 0;
  Entry entries_[entries_max] = {};
};

struct Transaction {
  Address client, server;
  unsigned sequence = 0;              // position on its connection
  std::int64_t request_time_ns = 0;   // wall clock just before the first byte was sent
  std::int64_t response_time_ns = 0;  // and just after the last was received
  bool observable = true;             // false: made before the go signal
  std::string_view tls;  // inside of TLS: what a record should say of it, a JSON object; "null" if nobody could know
};

// Wall clock, nanoseconds since the epoch.
[[nodiscard]] std::int64_t wall_time_ns();

// JSON members. For anything but printable ASCII the exact bytes go into "name_base64", and the text is a stand-in.
[[nodiscard]] std::string text_member(std::string_view name, std::string_view value);
[[nodiscard]] std::string list_member(std::string_view name, std::span<const std::string> values);
[[nodiscard]] std::string number_member(std::string_view name, std::optional<std::int64_t> value);

// Wall clock, around something.
struct Span {
  std::int64_t begin_ns = 0, end_ns = 0;
};

// Collects what one client process made; usable from several threads.
class TruthLog {
 public:
  TruthLog(int fd, std::string scenario, const ServerRegistry& servers);
  void add(const Exchange& made, const Transaction& how);
  // What a process did, as a record of that event type should say it.
  void add_fact(std::string_view event_type, std::int32_t pid, std::string_view comm, std::int64_t at_ns,
                std::span<const std::string> members);
  void add_fact(std::string_view event_type, std::int32_t pid, std::string_view comm, std::int64_t at_ns,
                std::initializer_list<std::string> members) {
    add_fact(event_type, pid, comm, at_ns, std::span(members.begin(), members.size()));
  }
  // `fields`: a JSON object.
  void add_handshake(std::string_view name, const Address& client, const Address& server, std::string_view fields,
                     Span when);
  // Writes what was collected, as the calling process.
  void flush();

 private:
  [[nodiscard]] std::string servers_of(const Address& client) const;
  void add_line(std::span<const std::string> members);

  int fd_;
  std::string scenario_;
  const ServerRegistry& servers_;
  std::mutex mutex_;
  std::string lines_;
};

}  // namespace tracer::workload
