// The ground-truth log: one JSON object a line for each transaction that was made. tests/conformance compares it with
// what a tracer said; its fields are described in tests/workloads/README.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
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
};

// Wall clock, nanoseconds since the epoch.
[[nodiscard]] std::int64_t wall_time_ns();

// Collects what one client process made; usable from several threads.
class TruthLog {
 public:
  TruthLog(int fd, std::string scenario, const ServerRegistry& servers);
  void add(const Exchange& made, const Transaction& how);
  // Writes what was collected, as the calling process.
  void flush();

 private:
  int fd_;
  std::string scenario_;
  const ServerRegistry& servers_;
  std::mutex mutex_;
  std::string lines_;
};

}  // namespace tracer::workload
