// Whole files of every format, as what looks into files meets them: keystores, keys, lists of keys.
#include <cstdint>
#include <cstdlib>

#include "core/analyzers/crypto/file_contents.h"
#include "core/analyzers/crypto/library_version.h"

using namespace tracer;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

const Registry& registry() {
  static const Result<Registry> built_in = Registry::built_in();
  if (!built_in) std::abort();
  return *built_in;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(reinterpret_cast<const std::byte*>(data), size);
  CryptoLimits limits;
  limits.assets_max = 3;
  limits.certificates_max = 2;
  const FileContents contents = read_contents(input, registry(), limits);
  require(contents.assets.size() <= limits.assets_max + limits.certificates_max + 1);
  for (const FileAsset& asset : contents.assets) {
    require(!asset.type.empty() && asset.type != "unknown");
    require(asset.evidence.kind == EvidenceKind::bytes && !asset.evidence.detail.empty());
    require((asset.type == "certificate") == asset.certificate.has_value());
    require(asset.public_key_sha256.empty() || asset.public_key_sha256.size() == 64);
  }
  require((file_type_of(contents.assets) == "unknown") == contents.assets.empty());
  const std::vector<std::string> texts{"OpenSSL ", "x"};
  if (const auto version = find_version(input, texts)) {
    require(!version->version.empty() && version->version.size() <= 32);
    require(as_text(input).find(version->text) != std::string_view::npos);
  }
  return 0;
}
