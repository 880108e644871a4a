// Fills what only the connection knows into a finished record: the two parties, the times, what is missing.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/connection.h"
#include "core/records/record.h"
#include "core/transaction_times.h"

namespace tracer {

// `wait`: an answer from the client's end that may still come is worth more than one from the server's end now.
[[nodiscard]] TransactionTimes times_of(const Connection& connection, Layer layer, const HttpTransaction& transaction,
                                        bool wait);

// The client's side; from the ports, where neither end's role nor the protocol said it.
[[nodiscard]] Side client_of(const Connection& connection);

// `layer`: where its bytes came from. `processes`: tgid by Side, 0 where not known.
void fill_record(PipelineContext& context, const Connection& connection, Layer layer, const TransactionTimes& times,
                 const std::array<std::uint32_t, 2>& processes, EventTime at, Record& record);

// The parties of a connection. Says in `inferred` when the client side had to be deduced from the ports.
[[nodiscard]] FlowIdentity identity_of(PipelineContext& context, const Connection& connection, Layer layer,
                                       const std::array<std::uint32_t, 2>& processes, EventTime at, Record& record);

}  // namespace tracer
