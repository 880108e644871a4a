// What the pipeline of one backend hands to that of the next when the watch changes hands, so that no connection gets a
// second id and no transaction is told twice. Plain data.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/event.h"

namespace tracer {

struct CarriedConnection {
  Endpoint low, high;                   // its two ends, the smaller first
  std::uint64_t network_namespace = 0;  // 0: not known
  std::uint64_t connection_id = 0;
  // What the low end sent, then what the high end sent: TCP sequence number one past the last byte that the old backend
  // brought. Absent where it counted offsets in another way: then nothing can be compared, and the first message in
  // that direction is not told again.
  std::array<std::optional<std::uint32_t>, 2> told_until;
};

struct Handover {
  std::uint64_t next_connection_id = 1;
  std::vector<CarriedConnection> connections;  // open when the watch changed hands
};

}  // namespace tracer
