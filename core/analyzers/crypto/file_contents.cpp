#include "core/analyzers/crypto/file_contents.h"

#include <algorithm>
#include <string>

#include "core/analyzers/crypto/binary_stores.h"
#include "core/analyzers/crypto/der_contents.h"
#include "core/analyzers/crypto/openpgp.h"
#include "core/analyzers/crypto/openssh.h"
#include "core/analyzers/crypto/pem.h"
#include "core/analyzers/crypto/text_keys.h"
#include "core/asn1/der.h"

namespace tracer {

namespace {

// Labels of RFC 7468, of OpenSSL before it, and what their bodies must be.
using AddBody = bool (*)(Bytes, const FoundAs&, AssetList&);
struct LabelRow {
  std::string_view label;
  std::string_view format;
  AddBody add;
};

bool add_certificate(Bytes body, const FoundAs& found, AssetList& assets) {
  return assets.add_certificate(body, found);
}
// OpenSSL's own: trust settings stand behind the certificate.
bool add_trusted_certificate(Bytes body, const FoundAs& found, AssetList& assets) {
  DerReader reader(body);
  const auto certificate = reader.next(der::sequence);
  return certificate && assets.add_certificate(certificate->whole, found);
}
bool add_dh_parameters(Bytes body, const FoundAs& found, AssetList& assets) {
  return add_parameters(body, "DH", found, assets);
}
bool add_dsa_parameters(Bytes body, const FoundAs& found, AssetList& assets) {
  return add_parameters(body, "DSA", found, assets);
}
bool add_ec_parameters(Bytes body, const FoundAs& found, AssetList& assets) {
  return add_parameters(body, "EC", found, assets);
}

constexpr LabelRow labels[] = {
    {"CERTIFICATE", "PEM", add_certificate},
    {"X509 CERTIFICATE", "PEM", add_certificate},
    {"TRUSTED CERTIFICATE", "PEM", add_trusted_certificate},
    {"CERTIFICATE REQUEST", "PEM", add_certificate_request},
    {"NEW CERTIFICATE REQUEST", "PEM", add_certificate_request},
    {"X509 CRL", "PEM", add_crl},
    {"PKCS7", "PKCS#7", add_pkcs7},
    {"CMS", "PKCS#7", add_pkcs7},
    {"PRIVATE KEY", "PEM", add_private_key_info},
    {"ENCRYPTED PRIVATE KEY", "PEM", add_encrypted_private_key_info},
    {"RSA PRIVATE KEY", "PEM", add_rsa_private_key},
    {"EC PRIVATE KEY", "PEM", add_ec_private_key},
    {"DSA PRIVATE KEY", "PEM", add_dsa_private_key},
    {"PUBLIC KEY", "PEM", add_public_key_info},
    {"RSA PUBLIC KEY", "PEM", add_rsa_public_key},
    {"DH PARAMETERS", "PEM", add_dh_parameters},
    {"X9.42 DH PARAMETERS", "PEM", add_dh_parameters},
    {"DSA PARAMETERS", "PEM", add_dsa_parameters},
    {"EC PARAMETERS", "PEM", add_ec_parameters},
    {"OPENSSH PRIVATE KEY", "OpenSSH", add_openssh_private_key},
    {"PGP PUBLIC KEY BLOCK", "OpenPGP", add_openpgp_key},
    {"PGP PRIVATE KEY BLOCK", "OpenPGP", add_openpgp_key},
};

// The algorithm that the label of an encrypted key tells, as its body does not: "RSA PRIVATE KEY".
KeyFacts key_of_label(std::string_view label) {
  constexpr std::string_view end = " PRIVATE KEY";
  if (!label.ends_with(end)) return {};
  label.remove_suffix(end.size());
  const bool known = label == "RSA" || label == "EC" || label == "DSA";
  return {known ? std::string(label) : std::string(), {}, {}};
}

void add_by_rule(const ContentRule& rule, std::string evidence, AssetList& assets) {
  FileAsset asset;
  asset.type = rule.type;
  asset.format = rule.format;
  asset.encrypted = rule.encrypted;
  asset.evidence = {EvidenceKind::bytes, std::move(evidence), rule.id};
  assets.add(std::move(asset));
}

void add_pem_block(const PemBlock& block, const Registry& registry, AssetList& assets) {
  const auto row = std::ranges::find(labels, block.label, &LabelRow::label);
  const bool known = row != std::ranges::end(labels);
  const ContentRule* rule = known ? nullptr : registry.pem_rule(block.label);
  if (!known && rule == nullptr) return;
  const bool openpgp = known && row->format == "OpenPGP";
  const auto body = decode_base64(block.body, openpgp ? openpgp_bytes_max : SIZE_MAX);
  if (!body || body->view().empty()) return;
  std::string evidence = "PEM label " + std::string(block.label);
  if (rule != nullptr) {
    add_by_rule(*rule, std::move(evidence), assets);
  } else if (block.encrypted) {
    evidence += ", Proc-Type ENCRYPTED";
    if (!block.dek_info.empty()) evidence += ", DEK-Info " + std::string(block.dek_info.substr(0, 32));
    if (block.label.ends_with("PRIVATE KEY"))
      assets.add_key("private_key", key_of_label(block.label), {row->format, std::move(evidence)}, true);
  } else {
    (void)row->add(body->view(), {row->format, std::move(evidence)}, assets);
  }
}

}  // namespace

FileContents read_contents(Bytes bytes, const Registry& registry, const CryptoLimits& limits) {
  AssetList assets(limits);
  const std::string_view text = as_text(bytes);
  if (!add_putty_key(text, assets)) {
    PemReader blocks(text);
    while (const auto block = blocks.next()) add_pem_block(*block, registry, assets);
  }
  if (!assets.empty()) return assets.finish();
  if (add_any_der(bytes, assets) || add_java_keystore(bytes, assets) || add_keytab(bytes, assets) ||
      add_openpgp_key(bytes.first(std::min(bytes.size(), openpgp_bytes_max)), {"OpenPGP", "first packet is a key"},
                      assets))
    return assets.finish();
  if (const ContentRule* rule = registry.content_rule(bytes)) {
    add_by_rule(*rule, "bytes of " + rule->format, assets);
  } else if (!add_json_web_keys(text, assets)) {
    add_ssh_lines(text, assets);
  }
  return assets.finish();
}

}  // namespace tracer
