// What the pipeline of one backend hands to that of the next when the watch changes hands, so that no connection gets a
// second id and no transaction is told twice. Plain data.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/event.h"
#include "core/records/connection_summary.h"

namespace tracer {

struct HandshakeFacts;

struct CarriedConnection {
  Endpoint low, high;                   // its two ends, the smaller first
  std::uint64_t network_namespace = 0;  // 0: not known, or the ends are in two
  std::uint64_t connection_id = 0;
  // What the low end sent, then what the high end sent: TCP sequence number one past the last byte that the old backend
  // brought. Absent where it counted offsets in another way: then times are compared.
  std::array<std::optional<std::uint32_t>, 2> told_until;
  WallTime told_at;    // the last event of it
  bool ended = false;  // it was over: carried only so that a backend that saw it too does not tell it again

  // What its one `connection` record will want to know.
  std::array<StreamLedger, 2> ledgers;  // as told_until
  std::uint64_t transactions = 0;
  std::optional<WallTime> opened_at;
  std::shared_ptr<const HandshakeFacts> handshake;  // null: none was seen
  bool plaintext = false;                           // what is inside of its TLS was seen
};

struct Handover {
  std::uint64_t next_connection_id = 1;
  std::vector<CarriedConnection> connections;  // open when the watch changed hands, or ended shortly before
};

}  // namespace tracer
