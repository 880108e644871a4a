// Which processes have a descriptor of a socket, read from /proc/PID/fd and remembered. Not thread-safe.
//
// Nothing in the kernel leads from a socket to its process, so processes are looked at in the order in which they are
// likely to be the one: those that hold sockets of this port, the newest, then all others a portion at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "backends/procfs/proc_reader.h"

namespace tracer::procfs {

struct HolderLimits {
  std::size_t processes_per_question_max = 256;
  std::size_t processes_max = 32'768;  // of one scan
  std::size_t descriptors_per_process_max = 65'536;
  std::uint64_t scan_interval_ns_min = 50'000'000;  // between two looks at all processes
  std::uint32_t scan_cost_factor = 10;              // and at least this many times what the last one cost
  std::size_t holders_max = 65'536;
};

struct HolderCounters {
  std::uint64_t processes_looked_at = 0;
  std::uint64_t scans = 0, scans_refused = 0;
  std::uint64_t processes_over_limit = 0, descriptors_over_limit = 0, holders_over_limit = 0;
};

class SocketHolders {
 public:
  SocketHolders(const ProcReader& proc, const HolderLimits& limits, std::function<std::uint64_t()> now_ns)
      : proc_(proc), limits_(limits), now_ns_(std::move(now_ns)) {}

  // Whoever holds it, if it was met before and is still held: one system call for each that is asked.
  [[nodiscard]] std::optional<std::uint32_t> remembered(std::uint64_t inode);
  [[nodiscard]] std::vector<std::uint32_t> all_remembered(std::uint64_t inode);
  // Reads one process's descriptors; true if it holds the socket.
  [[nodiscard]] bool look_at(std::uint32_t pid, std::uint64_t inode);

  enum class Scan : std::uint8_t {
    complete,  // everybody has been looked at since `since_ns`
    going_on,  // the portion of this question is used up, or a scan is not due: ask again
  };
  // The next portion of the look at all processes. Stops early at a holder of `inode`, unless that is 0.
  [[nodiscard]] Scan scan(std::uint64_t since_ns, std::uint64_t inode, std::optional<std::uint32_t>& holder);
  // When the last look at all processes that is over began; 0: none is.
  [[nodiscard]] std::uint64_t complete_since_ns() const { return complete_since_ns_; }
  // Somebody could not be looked at during the last scan.
  [[nodiscard]] bool somebody_denied() const { return denied_; }
  void forget(std::uint32_t pid);
  [[nodiscard]] const HolderCounters& counters() const { return counters_; }

 private:
  struct Holder {
    std::uint32_t pid = 0;
    int fd = -1;
  };
  void remember(std::uint64_t inode, Holder holder);
  [[nodiscard]] bool begin_scan(std::uint64_t now_ns);

  const ProcReader& proc_;
  HolderLimits limits_;
  std::function<std::uint64_t()> now_ns_;
  std::unordered_map<std::uint64_t, std::vector<Holder>> holders_;
  std::vector<std::uint32_t> left_;      // of the scan that goes on
  std::uint64_t scan_began_ns_ = 0;      // of the last one, over or not
  std::uint64_t scan_done_ns_ = 0;       // when it was over
  std::uint64_t scan_cost_ns_ = 0;       // so far
  std::uint64_t complete_since_ns_ = 0;  // the beginning of the last scan that is over; 0: none is
  bool denied_ = false;
  std::vector<SocketDescriptor> sockets_;  // kept for its memory
  HolderCounters counters_;
};

}  // namespace tracer::procfs
