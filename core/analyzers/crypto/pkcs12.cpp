#include "core/analyzers/crypto/pkcs12.h"

#include <string>
#include <vector>

#include "core/analyzers/crypto/der_contents.h"
#include "core/asn1/der.h"

namespace tracer {

namespace {

constexpr std::string_view data_oid = "1.2.840.113549.1.7.1", encrypted_data_oid = "1.2.840.113549.1.7.6",
                           enveloped_data_oid = "1.2.840.113549.1.7.3", signed_data_oid = "1.2.840.113549.1.7.2";
constexpr std::string_view key_bag_oid = "1.2.840.113549.1.12.10.1.1",
                           shrouded_key_bag_oid = "1.2.840.113549.1.12.10.1.2",
                           certificate_bag_oid = "1.2.840.113549.1.12.10.1.3", x509_oid = "1.2.840.113549.1.9.22.1";
constexpr std::string_view format = "PKCS#12";

// ContentInfo: its type and what [0] holds.
struct Content {
  std::string type;
  Bytes value;
};
std::optional<Content> read_content_info(Bytes content) {
  DerReader reader(content);
  const auto type = reader.next(der::oid);
  const auto value = reader.next(der::context_constructed(0));
  if (!type || !value || !reader.at_end()) return std::nullopt;
  return Content{dotted_oid(type->content), value->content};
}

struct Bags {
  std::uint64_t in_clear = 0;
  bool encrypted = false;
  AssetList& assets;
};

void read_certificate_bag(Bytes value, Bags& bags) {
  const auto bag = der_only(value, der::sequence);
  if (!bag) return;
  const auto content = read_content_info(bag->content);
  if (!content || content->type != x509_oid) return;
  if (const auto certificate = der_only(content->value, der::octet_string))
    (void)bags.assets.add_certificate(certificate->content, {format, "PKCS#12 certBag in clear"});
}

void read_safe_contents(Bytes safe_contents, Bags& bags) {
  const auto list = der_only(safe_contents, der::sequence);
  if (!list) return;
  DerReader reader(list->content);
  while (const auto bag = reader.next(der::sequence)) {
    DerReader fields(bag->content);
    const auto type = fields.next(der::oid);
    const auto value = fields.next(der::context_constructed(0));
    if (!type || !value) continue;
    ++bags.in_clear;
    const std::string oid = dotted_oid(type->content);
    if (oid == certificate_bag_oid) read_certificate_bag(value->content, bags);
    if (oid == key_bag_oid)
      (void)add_private_key_info(value->content, {format, "PKCS#12 keyBag in clear"}, bags.assets);
    if (oid == shrouded_key_bag_oid) {
      bags.encrypted = true;
      (void)add_encrypted_private_key_info(value->content, {format, "PKCS#12 pkcs8ShroudedKeyBag"}, bags.assets);
    }
  }
}

FileAsset store(std::string evidence) {
  FileAsset asset;
  asset.type = "keystore";
  asset.format = format;
  asset.evidence = {EvidenceKind::bytes, std::move(evidence), {}};
  return asset;
}

}  // namespace

bool add_pkcs12(Bytes der, AssetList& assets) {
  const auto pfx = der_only(der, der::sequence);
  if (!pfx) return false;
  DerReader reader(pfx->content);
  const auto version = reader.next(der::integer);
  const auto safe = reader.next(der::sequence);
  if (!version || !safe || small_integer(version->content) != 3U) return false;
  const auto outer = read_content_info(safe->content);
  if (!outer || (outer->type != data_oid && outer->type != signed_data_oid)) return false;

  Bags bags{0, false, assets};
  const auto octets = outer->type == data_oid ? der_only(outer->value, der::octet_string) : std::nullopt;
  const auto authenticated = octets ? der_only(octets->content, der::sequence) : std::nullopt;
  FileAsset asset = store("PKCS#12 version 3 (RFC 7292)");
  if (authenticated) {
    DerReader contents(authenticated->content);
    while (const auto info = contents.next(der::sequence)) {
      const auto content = read_content_info(info->content);
      if (!content) continue;
      if (content->type == encrypted_data_oid || content->type == enveloped_data_oid) bags.encrypted = true;
      if (content->type != data_oid) continue;
      if (const auto inside = der_only(content->value, der::octet_string)) read_safe_contents(inside->content, bags);
    }
    asset.encrypted = bags.encrypted;
    asset.entries = bags.in_clear;
  }
  assets.add(std::move(asset));
  return true;
}

bool add_ber_pkcs12(Bytes bytes, AssetList& assets) {
  // SEQUENCE of indefinite length { INTEGER 3, SEQUENCE of indefinite length { OID data or signedData
  constexpr std::string_view head("\x30\x80\x02\x01\x03\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07", 17);
  if (!as_text(bytes).starts_with(head)) return false;
  assets.add(store("PKCS#12 version 3 (RFC 7292), in BER"));
  return true;
}

}  // namespace tracer
