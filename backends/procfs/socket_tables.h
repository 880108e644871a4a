// The TCP sockets last listed, per network namespace, found by inode. Pure: time is an argument, and somebody else
// reads the lists. Sorted arrays, because a list is replaced as a whole and then only searched: 72 bytes a socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/ownership.h"

namespace tracer::procfs {

struct SocketTableLimits {
  std::uint64_t refresh_interval_ns_min = 2'000'000;  // between two lists of one namespace
  std::uint32_t refresh_cost_factor = 10;             // and at least this many times what the last list cost
  std::uint64_t answer_age_ns_max =
      10'000'000'000;               // inodes come round again after 2^32 of them: an old answer is none
  std::size_t namespaces_max = 64;  // beyond it the one listed longest ago is forgotten
};

class SocketTables {
 public:
  explicit SocketTables(const SocketTableLimits& limits) : limits_(limits) {}

  // Whether a list of this namespace may be made now: reading them is the only dear thing in this folder.
  [[nodiscard]] bool may_refresh(std::uint64_t network_namespace, std::uint64_t now_ns) const;

  // Puts `sockets` in the place of what was known of the namespace. The list was begun at `began_ns`, done at `now_ns`.
  // Sets SocketFacts::network_namespace of each.
  void replace(std::uint64_t network_namespace, std::vector<SocketFacts> sockets, std::uint64_t began_ns,
               std::uint64_t now_ns);

  // In whatever namespace it is: an inode of a socket is unique on the machine, and a process may hold a socket of a
  // namespace that it has left.
  [[nodiscard]] const SocketFacts* find(std::uint64_t inode, std::uint64_t now_ns) const;

  // Of one namespace, or of all for nullopt.
  [[nodiscard]] std::vector<Endpoint> listeners(std::optional<std::uint64_t> network_namespace) const;

  [[nodiscard]] std::uint64_t namespaces_evicted() const { return namespaces_evicted_; }

 private:
  struct Table {
    std::uint64_t network_namespace = 0;
    std::uint64_t began_ns = 0, done_ns = 0;
    std::vector<SocketFacts> sockets;  // by inode
  };
  [[nodiscard]] const Table* table_of(std::uint64_t network_namespace) const;

  SocketTableLimits limits_;
  std::vector<Table> tables_;
  std::uint64_t namespaces_evicted_ = 0;
};

// Whether an answer can be given again without another look: both ends of a connection stay what they are, those of an
// unconnected or connecting socket do not.
[[nodiscard]] bool is_settled(const SocketFacts& socket);

}  // namespace tracer::procfs
