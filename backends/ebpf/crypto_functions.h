// Which functions of which cryptographic libraries are counted, and what of their arguments is told: names of
// algorithms and files, sizes, results. Never what a buffer holds, never a key or a passphrase. A further library is
// further rows, no further code; LibreSSL and BoringSSL carry the names of OpenSSL's files and of most of its
// functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "backends/ebpf/library_table.h"

namespace tracer {

enum class CallResult : std::uint8_t {
  none,     // not told: only calls are counted, when they begin
  integer,  // an int
  number,   // a long
  pointer,  // told as 1, or 0 for null
};

struct CryptoFunction {
  std::string_view family;     // of LibraryFile
  std::string_view name;       // the symbol
  std::uint8_t name_argument;  // its place from 1: a NUL-terminated name; 0: none
  std::uint8_t size_argument;  // its place from 1: an int or unsigned; 0: none
  CallResult result;
};

// What is looked for. The functions' places in `functions` number them.
struct CryptoTable {
  std::span<const LibraryFile> files;
  std::span<const CryptoFunction> functions;

  // By the last part of a path; nullopt: not a library of the table.
  [[nodiscard]] std::optional<std::string_view> family_of(std::string_view path) const {
    return tracer::family_of(files, path);
  }
  [[nodiscard]] LibraryTable libraries() const;
};

[[nodiscard]] CryptoTable crypto_table();

}  // namespace tracer
