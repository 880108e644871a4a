// What the pipeline asks of a file or a library: is it cryptography, and which? Implemented by core/analyzers/crypto
// over a registry of rules and a FileSource; wired by the composition root.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/file_source.h"
#include "core/records/crypto_records.h"

namespace tracer {

struct LibraryFinding {
  std::string family, version, note;
  std::string path;  // with all links followed, as the process sees it; empty: could not be resolved
  std::vector<Evidence> evidence;
};

class CryptoLookup {
 public:
  virtual ~CryptoLookup() = default;
  // Is a file of this name worth telling of? By its name alone; called for every open.
  [[nodiscard]] virtual bool is_candidate(std::string_view path) const = 0;
  // What the file is. `opened` false: it could not be opened by the process, and is not looked into by us either.
  [[nodiscard]] virtual FileFinding look_into(const FileQuestion& question, bool opened) = 0;
  // Some time has passed (25 ms of the events' time): an answer that was given without a look at the file is not to be
  // given again without one.
  virtual void tick() {}
  // nullopt: no cryptographic library by any rule.
  [[nodiscard]] virtual std::optional<LibraryFinding> library(const FileQuestion& question) = 0;
};

}  // namespace tracer
