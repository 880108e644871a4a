// Connections that another pipeline told of before this one, by their addresses: for a while, since a backend that
// opens tells of what is open at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/connection_join.h"
#include "core/event.h"
#include "core/handover.h"

namespace tracer {

// Two backends may read two clocks. What began so shortly after the other one's last word may have been a part of it.
inline constexpr std::uint64_t carried_slack_ns = 5'000'000;

class CarriedConnections {
 public:
  static constexpr std::uint64_t keep_ns = 60'000'000'000;

  explicit CarriedConnections(std::vector<CarriedConnection> connections);

  // nullptr: a connection of its own. `opened_at`: when it was opened; absent: before this backend watched.
  [[nodiscard]] const CarriedConnection* find(const JoinEnd& end, std::optional<WallTime> opened_at);
  // Forgets all that were not asked for in time.
  void advance(EventTime now);
  [[nodiscard]] bool empty() const { return by_pair_.empty(); }
  // Those that no flow was found for, for the next one to take over.
  [[nodiscard]] std::vector<CarriedConnection> unused() const;

 private:
  struct Entry {
    CarriedConnection connection;
    bool used = false;
  };
  std::unordered_map<AddressPair, std::vector<Entry>, AddressPairHash> by_pair_;
  EventTime since_;  // 0: no time is known yet
};

// The last connections that ended: what an overlapping successor may still have seen.
class EndedConnections {
 public:
  static constexpr std::size_t connections_max = 1024;
  static constexpr std::uint64_t keep_ns = 5'000'000'000;

  void add(CarriedConnection connection, EventTime at);
  void append_to(std::vector<CarriedConnection>& list, EventTime now) const;

 private:
  std::deque<std::pair<EventTime, CarriedConnection>> ended_;
};

}  // namespace tracer
