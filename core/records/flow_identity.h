// What every record about a connection says of its two ends.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "core/event.h"
#include "core/ownership.h"

namespace tracer {

// Nanoseconds since the Unix epoch, UTC.
struct WallTime {
  std::int64_t ns = 0;
  auto operator<=>(const WallTime&) const = default;
};

// One end of a connection. Absent parts are not known, and the record lists them in `missing`.
struct Party {
  std::optional<Endpoint> endpoint;
  std::shared_ptr<const ProcessFacts> process;
};

enum class ObservedAt : std::uint8_t { client, server, both, wire };
[[nodiscard]] constexpr std::string_view to_string(ObservedAt where) {
  switch (where) {
    case ObservedAt::client:
      return "client";
    case ObservedAt::server:
      return "server";
    case ObservedAt::both:
      return "both";
    case ObservedAt::wire:
      return "wire";
  }
  return "";
}

struct FlowIdentity {
  std::uint64_t connection_id = 0;  // unique in the run, one per socket generation pair
  Party client, server;
  ObservedAt observed_at = ObservedAt::client;  // whose bytes the record was made of; both: one direction each
};

}  // namespace tracer
