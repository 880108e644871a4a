// The protocols that this program can analyze: wires core/analyzers into the router, which knows none of them.
#pragma once

#include <vector>

#include "core/capability.h"
#include "core/router.h"

namespace tracer::cli {

// Protocols of other facets than these are named, and left alone. Handshakes are also read for what is inside of TLS.
[[nodiscard]] Routers make_routers(const std::vector<Facet>& facets);

}  // namespace tracer::cli
