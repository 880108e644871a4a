// Lists the TCP sockets of one network namespace by the best way there is: sock_diag for the tracer's own, the tables
// under /proc/PID/net for any other, and for its own too where sock_diag does not answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "backends/procfs/proc_reader.h"
#include "backends/procfs/sock_diag.h"
#include "core/ownership.h"

namespace tracer::procfs {

struct ListerCounters {
  std::uint64_t sock_diag_dumps = 0;
  std::uint64_t proc_tables_read = 0;  // a tcp and its tcp6 count as one
  std::uint64_t inconsistent_dumps = 0;
  std::uint64_t sockets_over_limit = 0;
  std::uint64_t lines_malformed = 0;
};

class SocketLister {
 public:
  // `own_namespace` 0: not known, then sock_diag is not used, for nobody could say whose sockets it lists.
  SocketLister(std::uint64_t own_namespace, bool use_sock_diag, std::size_t sockets_max);

  // The sockets of `network_namespace`, of which `member` is a process. Those that no process holds are left out.
  // Cookies are known only where sock_diag answered.
  [[nodiscard]] Found<std::vector<SocketFacts>> list(std::uint64_t network_namespace, const ProcessDirectory& member);

  // Why sock_diag is not in use; nullopt: it is, or nobody has asked for it yet.
  [[nodiscard]] const std::optional<Error>& sock_diag_error() const { return sock_diag_error_; }
  [[nodiscard]] const ListerCounters& counters() const { return counters_; }

 private:
  [[nodiscard]] bool list_by_sock_diag(SockDiag& sock_diag, std::vector<SocketFacts>& found);
  [[nodiscard]] Found<void> list_table(const ProcessDirectory& member, const char* name,
                                       std::vector<SocketFacts>& found);

  std::uint64_t own_namespace_;
  std::size_t sockets_max_;
  std::optional<SockDiag> sock_diag_;
  std::optional<Error> sock_diag_error_;
  ListerCounters counters_;
};

}  // namespace tracer::procfs
