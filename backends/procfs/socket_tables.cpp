#include "backends/procfs/socket_tables.h"

#include <algorithm>
#include <utility>

namespace tracer::procfs {

bool is_settled(const SocketFacts& socket) {
  if (socket.state == TcpState::listen) return socket.local.has_value();
  return socket.local && socket.remote && socket.state != TcpState::syn_sent && socket.state != TcpState::close;
}

const SocketTables::Table* SocketTables::table_of(std::uint64_t network_namespace) const {
  const auto table = std::ranges::find(tables_, network_namespace, &Table::network_namespace);
  return table == tables_.end() ? nullptr : &*table;
}

bool SocketTables::may_refresh(std::uint64_t network_namespace, std::uint64_t now_ns) const {
  const Table* table = table_of(network_namespace);
  if (table == nullptr) return true;
  const std::uint64_t cost_ns = table->done_ns - table->began_ns;
  const std::uint64_t pause_ns = std::max(limits_.refresh_interval_ns_min, cost_ns * limits_.refresh_cost_factor);
  return now_ns >= table->done_ns + pause_ns;
}

void SocketTables::replace(std::uint64_t network_namespace, std::vector<SocketFacts> sockets, std::uint64_t began_ns,
                           std::uint64_t now_ns) {
  for (SocketFacts& socket : sockets) socket.network_namespace = network_namespace;
  std::ranges::sort(sockets, {}, &SocketFacts::inode);
  Table fresh{network_namespace, began_ns, now_ns, std::move(sockets)};
  if (const Table* known = table_of(network_namespace)) {
    tables_[static_cast<std::size_t>(known - tables_.data())] = std::move(fresh);
    return;
  }
  if (tables_.size() >= limits_.namespaces_max && !tables_.empty()) {
    *std::ranges::min_element(tables_, {}, &Table::done_ns) = std::move(fresh);
    ++namespaces_evicted_;
    return;
  }
  tables_.push_back(std::move(fresh));
}

const SocketFacts* SocketTables::find(std::uint64_t inode, std::uint64_t now_ns) const {
  if (inode == 0) return nullptr;
  for (const Table& table : tables_) {
    if (now_ns > table.done_ns && now_ns - table.done_ns > limits_.answer_age_ns_max) continue;
    const auto socket = std::ranges::lower_bound(table.sockets, inode, {}, &SocketFacts::inode);
    if (socket != table.sockets.end() && socket->inode == inode) return &*socket;
  }
  return nullptr;
}

std::vector<Endpoint> SocketTables::listeners(std::optional<std::uint64_t> network_namespace) const {
  std::vector<Endpoint> found;
  for (const Table& table : tables_) {
    if (network_namespace && table.network_namespace != *network_namespace) continue;
    for (const SocketFacts& socket : table.sockets) {
      if (socket.state == TcpState::listen && socket.local) found.push_back(*socket.local);
    }
  }
  std::ranges::sort(found);
  const auto repeated = std::ranges::unique(found);  // SO_REUSEPORT: many sockets, one endpoint
  found.erase(repeated.begin(), repeated.end());
  return found;
}

}  // namespace tracer::procfs
