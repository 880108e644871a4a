// SocketOwners from sock_diag (else /proc/PID/net) and /proc/PID/fd: the socket with exactly these ends, its inode, and
// the process that has a descriptor of it. Not thread-safe. Answers for the tracer's own network namespace.
//
// Kept warm by the proc connector where it tells anything: a process that has just begun is looked at first, and who it
// is is noted at once, so that it can be named when it is gone. Where /proc does not count as the initial pid namespace
// does, processes are named by the number that this /proc has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "backends/procfs/ownership.h"
#include "backends/procfs/process_cache.h"
#include "core/base/result.h"
#include "core/ownership.h"

namespace tracer {

struct SocketOwnersOptions {
  std::string proc_root = "/proc";
  // Give the same one to OwnershipOptions, and ProcOwnership::process() answers for the dead too. Null: an own one.
  std::shared_ptr<procfs::ProcessCache> processes = nullptr;
  bool use_sock_diag = true;  // false, or where it does not answer: the tables of /proc
  bool use_proc_connector = true;
  std::size_t new_processes_max = 64;  // that count as new, the newest first
  std::uint64_t new_process_ns_max = 2'000'000'000;
  std::size_t processes_per_question_max = 256;
  std::size_t processes_max = 32'768;  // of one scan
  std::size_t descriptors_per_process_max = 65'536;
  std::uint64_t scan_interval_ns_min = 50'000'000;  // between two looks at all processes
  std::uint32_t scan_cost_factor = 10;              // and at least this many times what the last one cost
  std::size_t holders_max = 65'536;                 // sockets of which a holder is remembered
  std::size_t answers_max = 65'536;                 // connections whose owner is remembered beyond their end
  std::uint64_t answer_keep_ns = 10'000'000'000;
  std::function<std::uint64_t()> now_ns = procfs::monotonic_now_ns;  // any clock that never goes back
};

struct SocketOwnersCounters {
  std::uint64_t questions = 0;
  std::uint64_t found = 0;  // with `inferred` among them
  std::uint64_t inferred = 0;
  std::uint64_t processes_looked_at = 0;  // whose descriptors were read
  std::uint64_t scans = 0;
  std::uint64_t scans_refused = 0;  // a look at all processes was needed and not due
  std::uint64_t processes_over_limit = 0;
  std::uint64_t descriptors_over_limit = 0;
  std::uint64_t holders_over_limit = 0;
  std::uint64_t answers_over_limit = 0;
  std::uint64_t process_events = 0;
  std::uint64_t process_events_lost = 0;  // times that the connector had no room; how many is not known
};

class ProcSocketOwners final : public SocketOwners {
 public:
  // Fails where /proc is not there at all, or tells no sockets where sock_diag does not either.
  [[nodiscard]] static Result<std::unique_ptr<ProcSocketOwners>> open(SocketOwnersOptions options = {});
  ~ProcSocketOwners() override;

  [[nodiscard]] SocketOwner owner(const Endpoint& local, const Endpoint& remote) override;
  [[nodiscard]] std::vector<HeldEnd> all(std::size_t count_max) override;
  [[nodiscard]] int fd() const override;
  void refresh() override;

  // The same for a socket that was listed already; `uid`: whose it is, where the list told.
  [[nodiscard]] SocketOwner owner_of(const SocketFacts& socket, std::optional<std::uint32_t> uid);
  // For a connection that is over: what was answered before, else who listens at `local`.
  [[nodiscard]] SocketOwner owner_of_closed(const Endpoint& local, const Endpoint& remote);
  // Why new processes are found by looking and not by being told; nullopt: they are told.
  [[nodiscard]] const std::optional<Error>& proc_connector_error() const;
  // When a process last began, as now_ns() counts; 0: none did.
  [[nodiscard]] std::uint64_t last_process_ns() const;
  [[nodiscard]] SocketOwnersCounters counters() const;

 private:
  struct State;
  explicit ProcSocketOwners(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tracer
