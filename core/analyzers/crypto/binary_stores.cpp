#include "core/analyzers/crypto/binary_stores.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/analyzers/crypto/forward_reader.h"

namespace tracer {

namespace {

bool take_certificate(ForwardReader& reader, std::string_view format, AssetList& assets) {
  const auto type = reader.counted(2);
  const auto certificate = reader.counted(4);
  if (!type || !certificate) return false;
  if (as_text(*type) == "X.509" || as_text(*type) == "X509")
    (void)assets.add_certificate(*certificate, {format, std::string(format) + " certificate entry in clear"});
  return true;
}

// One entry; false: it is not whole, or of a kind whose size does not stand before it.
bool take_entry(ForwardReader& reader, std::string_view format, bool& encrypted, AssetList& assets) {
  constexpr std::uint32_t private_key = 1, trusted_certificate = 2;
  const auto tag = reader.number(4);
  if (!tag || !reader.counted(2) || !reader.take(8)) return false;  // alias, time of creation
  if (*tag == trusted_certificate) return take_certificate(reader, format, assets);
  if (*tag != private_key) {
    encrypted = true;  // a secret key, sealed
    return false;
  }
  if (!reader.counted(4)) return false;
  encrypted = true;
  const auto chain = reader.number(4);
  if (!chain) return false;
  for (std::uint32_t i = 0; i < *chain; ++i)
    if (!take_certificate(reader, format, assets)) return false;
  return true;
}

}  // namespace

bool add_java_keystore(Bytes bytes, AssetList& assets) {
  ForwardReader reader(bytes);
  const auto magic = reader.number(4), version = reader.number(4), count = reader.number(4);
  if (!magic || !version || !count || *version != 2) return false;
  if (*magic != 0xfeedfeed && *magic != 0xcececece) return false;
  const std::string_view format = *magic == 0xfeedfeed ? "JKS" : "JCEKS";
  bool encrypted = false;
  for (std::uint32_t i = 0; i < *count && take_entry(reader, format, encrypted, assets); ++i) {
  }
  FileAsset store;
  store.type = "keystore";
  store.format = format;
  store.encrypted = encrypted;
  store.entries = *count;
  store.evidence = {EvidenceKind::bytes, "first bytes " + std::string(format == "JKS" ? "feedfeed" : "cececece"), {}};
  assets.add(std::move(store));
  return true;
}

bool add_keytab(Bytes bytes, AssetList& assets) {
  ForwardReader reader(bytes);
  if (reader.number(2) != 0x0502U) return false;
  std::uint64_t entries = 0;
  while (!reader.at_end()) {
    const auto size = reader.number(4);
    if (!size || *size == 0) break;
    const bool hole = (*size & 0x80000000U) != 0;  // of a deleted entry; the size is negative
    const auto entry = reader.take(hole ? 0U - *size : *size);
    if (!entry) break;
    if (hole) continue;
    // The first one must read like a principal: two bytes alone prove nothing.
    ForwardReader fields(*entry);
    const auto components = fields.number(2);
    const auto realm = fields.counted(2);
    const auto printable = [](std::byte b) { return b >= std::byte{0x21} && b < std::byte{0x7f}; };
    if (!components || *components == 0 || *components > 16 || !realm || realm->empty() ||
        !std::ranges::all_of(*realm, printable))
      break;
    ++entries;
  }
  if (entries == 0) return false;
  FileAsset store;
  store.type = "keystore";
  store.format = "keytab";
  store.encrypted = false;
  store.entries = entries;
  store.evidence = {EvidenceKind::bytes, "first bytes 0502 and an entry with a realm", {}};
  assets.add(std::move(store));
  return true;
}

}  // namespace tracer
