// What the user gets: one typed struct per event type, with what all of them have in common.
#pragma once

#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "core/capability.h"
#include "core/records/connection_summary.h"
#include "core/records/crypto_records.h"
#include "core/records/flow_identity.h"
#include "core/records/http_transaction.h"
#include "core/records/process_records.h"
#include "core/records/tls_handshake.h"
#include "core/records/trace_records.h"

namespace tracer {

struct Record {
  WallTime timestamp;
  std::optional<BackendKind> backend;  // absent on records about the trace itself
  std::optional<Mechanism> mechanism;
  std::vector<std::string_view> missing, inferred;  // field names, static storage
  std::variant<HttpTransaction, ConnectionSummary, TlsHandshake, ProcessExec, ProcessExit, FileOpen, LibLoad, ApiCall,
               TraceStart, TraceEnd, Loss, BackendSwitch>
      body;
};

}  // namespace tracer
