#include "core/analyzers/crypto/asset_list.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/asn1/x509.h"

namespace tracer {

void AssetList::add(FileAsset asset) {
  if (others_.size() >= limits_.assets_max) {
    ++left_out_;
    return;
  }
  others_.push_back(std::move(asset));
}

void AssetList::add_key(std::string_view type, const KeyFacts& key, const FoundAs& found, std::optional<bool> encrypted,
                        std::string public_key_sha256) {
  FileAsset asset;
  asset.type = type;
  asset.format = found.format;
  asset.algorithm = key.type;
  asset.bits = key.bits;
  asset.curve = key.curve;
  asset.encrypted = encrypted;
  asset.public_key_sha256 = std::move(public_key_sha256);
  asset.evidence = {EvidenceKind::bytes, found.evidence, {}};
  add(std::move(asset));
}

bool AssetList::add_certificate(Bytes der, const FoundAs& found) {
  auto facts = parse_certificate(der);
  if (!facts) return false;
  if (++certificate_count_ > limits_.certificates_max) return true;
  FileAsset asset;
  asset.type = "certificate";
  asset.format = found.format;
  asset.certificate = *std::move(facts);
  asset.evidence = {EvidenceKind::bytes, found.evidence, {}};
  certificates_.push_back(std::move(asset));
  return true;
}

FileContents AssetList::finish() {
  FileContents contents;
  if (certificate_count_ > limits_.certificates_max) {
    FileAsset store;
    store.type = "trust_store";
    store.format = certificates_.front().format;
    store.entries = certificate_count_;
    store.evidence = {
        EvidenceKind::bytes,
        std::to_string(certificate_count_) + " certificates; the first: " + certificates_.front().evidence.detail,
        {}};
    left_out_ += certificate_count_;
    contents.assets.push_back(std::move(store));
  } else {
    contents.assets = std::move(certificates_);
  }
  contents.assets.insert(contents.assets.end(), std::make_move_iterator(others_.begin()),
                         std::make_move_iterator(others_.end()));
  contents.left_out = left_out_;
  others_.clear();
  certificates_.clear();
  return contents;
}

std::string_view file_type_of(const std::vector<FileAsset>& assets) {
  for (const std::string_view type : {"keystore", "private_key", "trust_store", "certificate", "certificate_request",
                                      "crl", "public_key", "parameters"}) {
    if (std::ranges::any_of(assets, [&](const FileAsset& asset) { return asset.type == type; })) return type;
  }
  return "unknown";
}

}  // namespace tracer
