// Which files with TLS in them the processes of a machine have mapped, and of which of them facet https can read what
// is protected. Part of doctor's report. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace tracer {

struct TlsProcess {
  std::uint32_t pid = 0;
  std::string name;
};

// One file, under however many paths it is mapped.
struct TlsLibrary {
  std::string path;                       // in the first process that was found with it
  std::string kind;                       // "OpenSSL", "GnuTLS", "Go", …
  bool program = false;                   // the program holds it itself: no library of its own
  bool deleted = false;                   // it was replaced, and has no name any more
  std::string coverage;                   // "covered", or a stable name of why not
  std::string reason;                     // why not; empty: covered
  std::size_t functions = 0, wanted = 0;  // that are read: found in it, known of its kind
  std::vector<TlsProcess> processes;

  [[nodiscard]] bool covered() const { return coverage == "covered"; }
};

struct TlsLibraries {
  std::vector<TlsLibrary> files;
  std::size_t processes = 0;   // that were looked at
  std::size_t unreadable = 0;  // whose mappings may not be read
  std::size_t left_out = 0;    // processes and files over a limit
};

// Adds the members `tls_libraries` and `tls_processes`.
void add_to(nlohmann::ordered_json& document, const TlsLibraries& libraries);
// Of a document that has a member `tls_libraries`. Errc::malformed: damaged.
[[nodiscard]] Result<TlsLibraries> tls_libraries_from_json(const nlohmann::ordered_json& document);

}  // namespace tracer
