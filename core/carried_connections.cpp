#include "core/carried_connections.h"

#include <utility>

namespace tracer {

CarriedConnections::CarriedConnections(std::vector<CarriedConnection> connections) {
  for (CarriedConnection& it : connections) {
    const AddressPair pair{it.low, it.high};
    by_pair_[pair].push_back({std::move(it)});
  }
}

const CarriedConnection* CarriedConnections::find(const JoinEnd& end, std::optional<WallTime> opened_at) {
  const auto found = by_pair_.find(AddressPair::of(*end.local, *end.remote));
  if (found == by_pair_.end()) return nullptr;
  Entry* match = nullptr;
  for (Entry& it : found->second) {
    const std::uint64_t there = it.connection.network_namespace;
    if (there != 0 && end.network_namespace != 0 && there != end.network_namespace) continue;
    // Opened after the last word of it: the pair of addresses is used again.
    if (opened_at && opened_at->ns > it.connection.told_at.ns + static_cast<std::int64_t>(carried_slack_ns)) continue;
    if (match == nullptr || match->connection.told_at < it.connection.told_at) match = &it;
  }
  if (match == nullptr) return nullptr;
  match->used = true;
  return &match->connection;
}

void CarriedConnections::advance(EventTime now) {
  if (since_.ns == 0) since_ = now;
  if (now.ns >= since_.ns + keep_ns) by_pair_.clear();
}

std::vector<CarriedConnection> CarriedConnections::unused() const {
  std::vector<CarriedConnection> list;
  for (const auto& [pair, entries] : by_pair_) {
    for (const Entry& it : entries) {
      if (!it.used && !it.connection.ended) list.push_back(it.connection);
    }
  }
  return list;
}

void EndedConnections::add(CarriedConnection connection, EventTime at) {
  connection.ended = true;
  if (ended_.size() >= connections_max) ended_.pop_front();
  ended_.emplace_back(at, std::move(connection));
}

void EndedConnections::append_to(std::vector<CarriedConnection>& list, EventTime now) const {
  for (const auto& [at, connection] : ended_) {
    if (at.ns + keep_ns >= now.ns) list.push_back(connection);
  }
}

}  // namespace tracer
