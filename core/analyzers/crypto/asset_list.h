// Collects what is found in one file, within limits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/analyzers/crypto/crypto_limits.h"
#include "core/asn1/public_key.h"
#include "core/base/bytes.h"
#include "core/records/crypto_records.h"

namespace tracer {

// Where in a file something was found: the format that is told, and the bytes that prove it, in words.
struct FoundAs {
  std::string_view format;
  std::string evidence;
};

struct FileContents {
  std::vector<FileAsset> assets;
  std::uint64_t left_out = 0;
};

class AssetList {
 public:
  explicit AssetList(const CryptoLimits& limits) : limits_(limits) {}

  void add(FileAsset asset);
  void add_key(std::string_view type, const KeyFacts& key, const FoundAs& found, std::optional<bool> encrypted = {},
               std::string public_key_sha256 = {});
  // False: it is no certificate.
  [[nodiscard]] bool add_certificate(Bytes der, const FoundAs& found);

  [[nodiscard]] bool empty() const { return others_.empty() && certificate_count_ == 0; }
  // More certificates than the limit are one trust store. Ends the list.
  [[nodiscard]] FileContents finish();

 private:
  const CryptoLimits& limits_;
  std::vector<FileAsset> others_, certificates_;
  std::uint64_t certificate_count_ = 0, left_out_ = 0;
};

// What a file with these assets is, in one word of file_types: a keystore before a private key, before a trust store,
// before certificates, and so on, so that a key among certificates is not overlooked; "unknown" if there are none.
[[nodiscard]] std::string_view file_type_of(const std::vector<FileAsset>& assets);

}  // namespace tracer
