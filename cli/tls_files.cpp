#include "cli/tls_files.h"

#include <algorithm>
#include <string>
#include <utility>

#include "backends/ebpf/tls_coverage.h"

namespace tracer::cli {

TlsLibraries tls_files_here() {
  TlsCoverageReport found = find_tls_files();
  TlsLibraries libraries;
  libraries.processes = found.processes - std::min(found.unreadable, found.processes);
  libraries.unreadable = found.unreadable;
  libraries.left_out = found.left_out;
  for (TlsFile& file : found.files) {
    TlsLibrary library;
    library.path = std::move(file.path);
    library.kind = file.kind;
    library.program = file.program;
    library.deleted = file.deleted;
    library.coverage = to_string(file.coverage);
    library.reason = std::move(file.reason);
    library.functions = file.functions;
    library.wanted = file.wanted;
    for (TlsUser& user : file.users) library.processes.push_back({user.pid, std::move(user.name)});
    libraries.files.push_back(std::move(library));
  }
  return libraries;
}

}  // namespace tracer::cli
