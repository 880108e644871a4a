// What doctor says of TLS on this machine: backends/ebpf/tls_coverage.h, as its report has it.
#pragma once

#include "probe-matrix/tls_libraries.h"

namespace tracer::cli {

// Looks at every process: some 50 ms where there are hundreds.
[[nodiscard]] TlsLibraries tls_files_here();

}  // namespace tracer::cli
