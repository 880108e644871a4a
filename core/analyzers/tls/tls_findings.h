// What is weak about a handshake: of what was agreed on and of the certificates that were shown, not of mere offers.
#pragma once

#include "core/analyzers/tls/tls_seen.h"
#include "core/records/tls_handshake.h"

namespace tracer {

void find_weaknesses(const TlsSeen& seen, TlsHandshake& handshake);

}  // namespace tracer
