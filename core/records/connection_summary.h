// A connection that ended (or is still open at the end of the run).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/event.h"
#include "core/records/flow_identity.h"

namespace tracer {

// The ledger of one direction: moved = kept + sum of gaps.
struct StreamLedger {
  std::uint64_t moved = 0;
  std::uint64_t kept = 0;
  std::array<std::uint64_t, gap_cause_count> gaps{};  // by GapCause
  // The kernel's count minus what it had counted when the tracer first saw the flow; absent: unwitnessed.
  std::optional<std::uint64_t> witnessed;
};

struct ConnectionSummary {
  FlowIdentity flow;
  // "unknown", "TLS", "HTTP/2", "HTTP/1.1", …; static storage. Absent: nobody looked at its payload.
  std::optional<std::string_view> protocol;
  std::string_view state = "closed";                               // "closed" or "open"
  std::optional<StreamLedger> client_to_server, server_to_client;  // absent: nothing tells of bytes
  std::optional<WallTime> opened_at, closed_at;                    // opened_at absent: before the tracer
  std::optional<double> duration_ms;
  std::optional<std::uint64_t> transactions;  // records of its own kind that were printed for it; absent: as protocol
  // As last measured.
  std::optional<double> rtt_ms;               // smoothed
  std::optional<std::string_view> tcp_state;  // "ESTABLISHED", …; static storage
  std::optional<std::uint64_t> retransmits;
};

}  // namespace tracer
