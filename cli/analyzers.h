// The protocols that this program can analyze: wires core/analyzers into the router, which knows none of them.
#pragma once

#include "core/router.h"

namespace tracer::cli {

[[nodiscard]] Router make_router();

}  // namespace tracer::cli
