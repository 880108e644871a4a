// Who owns a socket, answered from /proc and sock_diag. Not thread-safe; every question is a few system calls, made
// now.
//
// Processes are named by their number in the initial pid namespace, as BPF names them. Where this /proc counts
// otherwise (the tracer runs in a container) a number means nothing until learn() was told its local one; until then
// the process is not visible: process() has no answer and descriptor() says `unreadable`. A wrong process is never
// looked up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/procfs/pid_numbering.h"
#include "backends/procfs/proc_reader.h"
#include "backends/procfs/process_cache.h"
#include "backends/procfs/socket_lister.h"
#include "backends/procfs/socket_tables.h"
#include "core/base/result.h"
#include "core/ownership.h"

namespace tracer {

namespace procfs {
[[nodiscard]] std::uint64_t monotonic_now_ns();  // CLOCK_MONOTONIC
}

struct OwnershipOptions {
  std::string proc_root = "/proc";
  bool use_sock_diag = true;
  procfs::SocketTableLimits tables{};
  std::size_t sockets_per_namespace_max = 65'536;    // 4.7 MB
  std::size_t processes_max = 32'768;                // looked at by the all_… questions
  std::size_t descriptors_per_process_max = 65'536;  // looked at by all_tcp_descriptors
  std::size_t learned_pids_max = 32'768;
  std::shared_ptr<procfs::ProcessCache> processes = nullptr;         // asked about those that are gone; null: nobody is
  std::function<std::uint64_t()> now_ns = procfs::monotonic_now_ns;  // any clock that never goes back
};

struct OwnershipCounters {
  procfs::ListerCounters lists;
  std::uint64_t descriptor_questions = 0;
  // Of those questions: answered without a list; TCP whose ends are not known (unconnected, or asked too soon);
  // left open, because the kernel names no protocol and a list was not due.
  std::uint64_t answered_from_table = 0;
  std::uint64_t answered_without_address = 0;
  std::uint64_t unanswered_too_soon = 0;
  std::uint64_t processes_not_numbered = 0;  // questions about a tgid that nobody translated
  std::uint64_t processes_over_limit = 0;
  std::uint64_t descriptors_over_limit = 0;
  std::uint64_t learned_over_limit = 0;
  std::uint64_t namespaces_evicted = 0;
};

class ProcOwnership final : public Ownership {
 public:
  // not_found: no such /proc. Works without privileges too; then other users' descriptors are `unreadable`.
  [[nodiscard]] static Result<std::unique_ptr<ProcOwnership>> open(OwnershipOptions options = {});

  // 12 system calls. A thread that leads no group has no answer. Of one that is gone: what the cache remembers.
  [[nodiscard]] std::optional<ProcessFacts> process(std::uint32_t tgid) override;
  [[nodiscard]] std::optional<std::uint32_t> local_pid(std::uint32_t tgid) override;
  // 8 system calls; at most 4 KiB.
  [[nodiscard]] std::optional<StartArguments> arguments(std::uint32_t tgid, std::string_view comm) override;
  [[nodiscard]] std::vector<ProcessFacts> all_processes() override;
  // 1 system call where the socket is in the last list (its state is then as old as the list) or the descriptor is no
  // socket; 3 where it is another kind of socket; else 6, and a list if one is due. A TCP socket in no list is `tcp`
  // without addresses and with state 0: unconnected, or younger than a list that is not due again. `unreadable` also
  // where it could not be told this time.
  [[nodiscard]] FdAnswer descriptor(std::uint32_t tgid, int fd) override;
  // 3 system calls.
  [[nodiscard]] std::uint64_t network_namespace(std::uint32_t tgid) override;
  // Connected, connecting, bound or listening; lists every namespace met, due or not.
  [[nodiscard]] std::vector<OwnedSocket> all_tcp_descriptors() override;

  // Where somebody listens, sorted, without repeats: in one network namespace, or for 0 in all that were listed so far.
  // The tracer's own namespace is listed again if that is due.
  [[nodiscard]] std::vector<Endpoint> listeners(std::uint64_t network_namespace = 0);

  // `local_pid` is the number that this /proc has for the process. Not needed, and ignored, where translates() is
  // false.
  void learn(std::uint32_t tgid, std::uint32_t local_pid) override;
  void forget(std::uint32_t tgid);  // at its exit
  [[nodiscard]] bool translates() const { return !numbering_.facts().proc_is_initial; }

  [[nodiscard]] std::uint64_t own_network_namespace() const { return own_namespace_; }  // 0: not known
  // Why sock_diag is not in use, for the user; nullopt: it is.
  [[nodiscard]] const std::optional<Error>& sock_diag_error() const { return lister_.sock_diag_error(); }
  [[nodiscard]] OwnershipCounters counters() const;

 private:
  enum class Refreshed : std::uint8_t { yes, too_soon, failed };

  ProcOwnership(OwnershipOptions options, procfs::ProcReader proc, procfs::NumberingFacts numbering,
                std::uint64_t own_namespace);

  struct Look {
    std::uint64_t inode = procfs::not_a_socket;
    procfs::Protocol protocol = procfs::Protocol::unsaid;
    const SocketFacts* settled = nullptr;  // known from the last list; then the protocol was not asked for
  };
  [[nodiscard]] procfs::Found<Look> look_at(std::uint32_t local_pid, int fd) const;
  [[nodiscard]] procfs::Found<procfs::ProcessDirectory> open_local(procfs::PidNumbering::Local local) const;
  [[nodiscard]] std::optional<ProcessFacts> read(std::uint32_t tgid, procfs::PidNumbering::Local local) const;
  [[nodiscard]] std::optional<ProcessFacts> remembered(std::uint32_t tgid) const;
  template <typename Visit>
  void for_each_process(Visit visit);
  Refreshed refresh(const procfs::ProcessDirectory& member, std::uint64_t network_namespace, bool even_if_not_due);

  OwnershipOptions options_;
  procfs::ProcReader proc_;
  procfs::PidNumbering numbering_;
  std::uint64_t own_namespace_;
  procfs::SocketLister lister_;
  procfs::SocketTables tables_;
  OwnershipCounters counters_;
};

}  // namespace tracer
