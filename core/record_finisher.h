// Fills what only the connection knows into a finished record: the two parties, the times, what is missing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/connection.h"
#include "core/records/record.h"
#include "core/transaction_times.h"

namespace tracer {

// `wait`: an answer from the client's end that may still come is worth more than one from the server's end now.
[[nodiscard]] TransactionTimes times_of(const Connection& connection, const RecordExtent& extent, bool wait);
// Those of one end alone.
[[nodiscard]] TransactionTimes times_seen_at(const Channel& channel, Side end, Side client, const RecordExtent& extent);

// nullopt: it is not made of the bytes of a connection.
[[nodiscard]] std::optional<RecordExtent> extent_of(const Record& record);

// The client's side; from the ports, where neither end's role nor the protocol said it.
[[nodiscard]] Side client_of(const Connection& connection);

// Where the bytes of a record came from; inside of TLS also what is known of its protection (null: nothing).
struct RecordOrigin {
  Layer layer = Layer::socket;
  const HandshakeFacts* handshake = nullptr;
};

// `processes`: tgid by Side, 0 where not known.
void fill_record(PipelineContext& context, const Connection& connection, const RecordOrigin& origin,
                 const TransactionTimes& times, const std::array<std::uint32_t, 2>& processes, EventTime at,
                 Record& record);

// The parties of a connection. Says in `inferred` when the client side had to be deduced from the ports.
[[nodiscard]] FlowIdentity identity_of(PipelineContext& context, const Connection& connection, Layer layer,
                                       const std::array<std::uint32_t, 2>& processes, EventTime at, Record& record);

}  // namespace tracer
