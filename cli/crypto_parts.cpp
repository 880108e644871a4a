#include "cli/crypto_parts.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "core/analyzers/crypto/crypto_catalog.h"

namespace tracer::cli {
namespace {

constexpr std::size_t registry_bytes_max = 4u << 20;

Result<std::string> read_rules(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    Error error = os_failure(errno, "cannot read '" + path + "'");
    error.suggestion = "tracer help files    # of --registry";
    return std::unexpected(std::move(error));
  }
  std::string text(registry_bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > registry_bytes_max)
    return fail(Errc::invalid_argument, "'" + path + "' is larger than 4 MiB: these are no rules");
  return text;
}

}  // namespace

Result<std::unique_ptr<CryptoParts>> CryptoParts::make(const Options& options) {
  auto registry = Registry::built_in();
  if (!registry) return std::unexpected(registry.error());
  for (const std::string& path : options.registry_paths) {
    const auto text = read_rules(path);
    if (!text) return std::unexpected(text.error());
    if (auto added = registry->add(*text, path); !added) return std::unexpected(added.error());
  }
  std::unique_ptr<CryptoParts> parts(new CryptoParts(std::move(*registry)));
  if (auto files = open_file_source()) {
    parts->files_ = std::move(*files);
    parts->lookup_ = make_crypto_lookup(parts->registry_, *parts->files_);
  }
  return parts;
}

FileFilter CryptoParts::filter(const Options& options, std::span<const Facet> facets) const {
  const auto wanted = [&](Facet facet) { return std::ranges::find(facets, facet) != facets.end(); };
  return registry_.file_filter(options.filters.files, wanted(Facet::file), wanted(Facet::library));
}

}  // namespace tracer::cli
