// Processes that began a short time ago, and who everybody is: heard from the proc connector, or, without it, found by
// listing /proc when somebody asks. Fills a ProcessCache on the way. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>

#include "backends/procfs/proc_connector.h"
#include "backends/procfs/proc_reader.h"
#include "backends/procfs/process_cache.h"

namespace tracer::procfs {

struct NewcomerLimits {
  std::size_t new_processes_max = 64;  // the newest
  std::uint64_t new_process_ns_max = 2'000'000'000;
  std::uint64_t listing_interval_ns_min = 1'000'000;  // without the connector
  std::uint32_t listing_cost_factor = 10;             // and at least this many times what the last one cost
  std::size_t processes_max = 32'768;
};

class Newcomers {
 public:
  Newcomers(const ProcReader& proc, bool local_is_ours, std::shared_ptr<ProcessCache> cache,
            std::optional<ProcConnector> connector, const NewcomerLimits& limits,
            std::function<std::uint64_t()> now_ns);

  [[nodiscard]] int fd() const { return connector_ ? connector_->fd() : -1; }
  // Takes in what happened; without the connector, by listing /proc if that is due.
  void refresh();
  // Those that began at `since_ns` or later, the youngest first.
  [[nodiscard]] std::vector<std::uint32_t> pids(std::uint64_t since_ns = 0) const;
  // Who that is; asks /proc where nobody would have told of a change.
  [[nodiscard]] const ProcessFacts* facts(std::uint32_t pid);
  [[nodiscard]] std::uint64_t last_begin_ns() const { return last_begin_ns_; }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] std::uint64_t events_lost() const { return connector_ ? connector_->overflows() : 0; }

 private:
  struct Newcomer {
    std::uint32_t pid = 0;
    std::uint64_t began_ns = 0;
  };
  void take_in(const ProcessMessage& message);
  void list();
  void began(std::uint32_t pid);
  bool note(std::uint32_t pid);

  const ProcReader& proc_;
  bool local_is_ours_;
  std::shared_ptr<ProcessCache> cache_;
  std::optional<ProcConnector> connector_;
  NewcomerLimits limits_;
  std::function<std::uint64_t()> now_ns_;
  std::deque<Newcomer> newcomers_;  // the youngest first
  std::unordered_set<std::uint32_t> listed_;
  std::vector<ProcessMessage> messages_;
  std::uint64_t last_begin_ns_ = 0;
  std::uint64_t next_listing_ns_ = 0;
  std::uint64_t events_ = 0;
};

}  // namespace tracer::procfs
