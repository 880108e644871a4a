// What the doctor says of TLS in running processes: of whom facet https can read what is protected, and of whom not.
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "probe-matrix/tls_libraries.h"

namespace tracer::cli {

// A section of the report for people: each file with its processes, those that are covered first. `obstacle`: why the
// mappings of some may not be read; empty: nobody knows.
[[nodiscard]] std::string tls_section(const TlsLibraries& libraries, std::string_view obstacle);

}  // namespace tracer::cli
