// What is known of cryptographic files and libraries, put together: the rules, the files as processes see them, and the
// answers made of both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/procfs/file_source.h"
#include "cli/options.h"
#include "core/analyzers/crypto/registry.h"
#include "core/crypto_lookup.h"
#include "core/file_filter.h"

namespace tracer::cli {

class CryptoParts {
 public:
  // Reads the files of --registry. Where /proc cannot be read there is no lookup.
  [[nodiscard]] static Result<std::unique_ptr<CryptoParts>> make(const Options& options);

  // What the kernel has to let pass for `facets`.
  [[nodiscard]] FileFilter filter(const Options& options, std::span<const Facet> facets) const;
  [[nodiscard]] CryptoLookup* lookup() const { return lookup_.get(); }
  // Null where /proc cannot be read.
  [[nodiscard]] ProcFileSource* files() const { return files_.get(); }

 private:
  explicit CryptoParts(Registry registry) : registry_(std::move(registry)) {}

  Registry registry_;
  std::unique_ptr<ProcFileSource> files_;
  std::unique_ptr<CryptoLookup> lookup_;
};

}  // namespace tracer::cli
