// The TCP sockets of the tracer's own network namespace, for questions about their owners: asked of sock_diag, else
// read from /proc/PID/net at most every now and then. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "backends/procfs/proc_reader.h"
#include "backends/procfs/sock_diag.h"
#include "backends/procfs/socket_lister.h"

namespace tracer::procfs {

class OwnSockets {
 public:
  struct Socket {
    SocketFacts facts;
    std::optional<std::uint32_t> uid;  // of whoever made it; the tables are read without it
  };

  // Fails where neither sock_diag nor the tables answer.
  [[nodiscard]] static Result<OwnSockets> open(const ProcReader& proc, bool use_sock_diag, std::size_t sockets_max,
                                               std::function<std::uint64_t()> now_ns);

  // The socket with exactly these two ends. not_found: there is none, or (in the tables) no process holds it.
  // exhausted: it is too soon to read the tables again, and it was not in them.
  [[nodiscard]] Result<Socket> lookup(const Endpoint& local, const Endpoint& remote);
  // Those that listen; of the tables, as they were read last.
  [[nodiscard]] Result<std::vector<SocketFacts>> listeners();
  // All that a process holds, now.
  [[nodiscard]] Result<std::vector<Socket>> all(std::size_t count_max);

 private:
  // Of them, `read` is what was in them last.
  struct Tables {
    ProcessDirectory self;
    SocketLister lister;
    std::vector<SocketFacts> read;
    std::uint64_t next_read_ns = 0;
  };
  OwnSockets(std::size_t sockets_max, std::function<std::uint64_t()> now_ns)
      : sockets_max_(sockets_max), now_ns_(std::move(now_ns)) {}
  [[nodiscard]] Result<void> open_sock_diag();
  [[nodiscard]] Result<void> read_tables();
  // Answers whether they were read.
  [[nodiscard]] Result<bool> read_tables_if_due();

  std::size_t sockets_max_;
  std::function<std::uint64_t()> now_ns_;
  std::optional<SockDiag> sock_diag_;
  std::optional<Tables> tables_;  // one of the two
};

}  // namespace tracer::procfs
