// Which functions of which TLS libraries carry plaintext, and where their arguments are. A further library is further
// rows, no further code, as long as its functions take session, buffer and size as arguments (NSS, BoringSSL).
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "backends/ebpf/library_table.h"
#include "backends/ebpf/tls_wire.h"

namespace tracer {

struct TlsFunction {
  std::string_view family;  // of LibraryFile
  std::string_view name;    // the symbol
  tls_slot slot;
  std::string_view unless{};  // not needed where there is this one, which it ends in
};

// The functions' places in `functions` number them.
struct TlsTable {
  std::span<const LibraryFile> files;
  std::span<const TlsFunction> functions;

  // By the last part of a path; nullopt: not a library of the table.
  [[nodiscard]] std::optional<std::string_view> family_of(std::string_view path) const {
    return tracer::family_of(files, path);
  }
  // A program holds a library itself if it has a function that sends and one that receives.
  [[nodiscard]] LibraryTable libraries() const;
};

[[nodiscard]] TlsTable tls_table();

}  // namespace tracer
