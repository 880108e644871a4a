#include "core/exporters/bom_assets.h"

#include <algorithm>

namespace tracer {
namespace {

// relatedCryptoMaterialProperties.type of what the registry calls so; "other" is what the schema has no word for.
std::string_view material_type(std::string_view type) {
  if (type == "private_key") return "private-key";
  if (type == "public_key") return "public-key";
  if (type == "secret_key") return "secret-key";
  return "other";
}

std::string_view key_kind(std::string_view type) {
  if (type == "private_key") return "key:private";
  if (type == "public_key") return "key:public";
  if (type == "keystore") return "keystore";
  if (type == "certificate") return "cert";
  return "material";
}

std::string base_name(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

std::string numbered(std::string text, std::size_t number) {
  return number == 0 ? text : std::move(text) + "#" + std::to_string(number + 1);
}

Technique technique_of(EvidenceKind kind) {
  switch (kind) {
    case EvidenceKind::bytes:
      return Technique::binary_analysis;
    case EvidenceKind::symbol:
      return Technique::instrumentation;
    case EvidenceKind::handshake_field:
      return Technique::dynamic_analysis;
    case EvidenceKind::path_rule:
      return Technique::filename;
  }
  return Technique::filename;
}

void prove_algorithm(Bom& bom, const std::string& key, Technique technique, const std::string& value,
                     const Occurrence& occurrence) {
  Component& component = bom.at(key);
  bom.prove(component, technique, value);
  bom.occur(component, occurrence);
  // What it is made of is used wherever it is.
  const std::set<std::string> parts = component.depends_on;
  for (const std::string& part : parts) prove_algorithm(bom, part, technique, value, occurrence);
}

// An algorithm that a certificate or a key names.
std::string add_named(Bom& bom, const AlgorithmFacts& facts, const std::string& owner, const std::string& value) {
  const std::string key = bom.add(facts);
  prove_algorithm(bom, key, Technique::binary_analysis, value, {owner, {}, value});
  return key;
}

}  // namespace

std::optional<std::string> add_certificate(Bom& bom, const CertificateFacts& facts) {
  if (facts.sha256.empty()) return std::nullopt;
  const std::string key = Bom::key("cert", {}, facts.sha256);
  if (bom.has(key)) return key;
  Json properties = Json::object();
  JsonMaker& maker = bom.maker();
  if (!facts.subject.empty()) properties["subjectName"] = facts.subject;
  if (!facts.issuer.empty()) properties["issuerName"] = facts.issuer;
  if (facts.not_before) properties["notValidBefore"] = short_time_text(*facts.not_before);
  if (facts.not_after) properties["notValidAfter"] = short_time_text(*facts.not_after);
  std::set<std::string> depends_on;
  if (!facts.signature_algorithm.empty()) {
    const std::string signature = add_named(bom, algorithm_of_signature(facts.signature_algorithm), key,
                                            "signatureAlgorithm " + facts.signature_algorithm);
    properties["signatureAlgorithmRef"] = signature;
    depends_on.insert(signature);
  }
  if (!facts.public_key_sha256.empty()) {
    const std::string public_key = Bom::key("key:public", {}, facts.public_key_sha256);
    properties["subjectPublicKeyRef"] = public_key;
    depends_on.insert(public_key);
    Component& component = bom.at(public_key);
    component.name = "public key of " + (facts.subject.empty() ? facts.sha256 : facts.subject);
    Json material = {{"type", "public-key"}, {"id", facts.public_key_sha256}};
    if (!facts.key_type.empty()) {
      const std::string algorithm = add_named(bom, algorithm_of_key(facts.key_type, facts.key_bits, facts.curve), key,
                                              "subjectPublicKeyInfo " + facts.key_type);
      material["algorithmRef"] = algorithm;
      bom.at(public_key).depends_on.insert(algorithm);
    }
    if (facts.key_bits) material["size"] = *facts.key_bits;
    Component& made = bom.at(public_key);
    made.crypto = {{"assetType", "related-crypto-material"}, {"relatedCryptoMaterialProperties", std::move(material)}};
    bom.prove(made, Technique::binary_analysis, "subjectPublicKeyInfo");
    bom.occur(made, {key, {}, "certificate"});
  }
  properties["certificateFormat"] = "X.509";
  Component& component = bom.at(key);
  component.name = facts.subject.empty() ? "certificate " + facts.sha256 : maker.safe(Redaction::none, facts.subject);
  component.crypto = {{"assetType", "certificate"}, {"certificateProperties", std::move(properties)}};
  component.depends_on = std::move(depends_on);
  component.properties.emplace("cbom:cert:fingerprint_sha256", facts.sha256);
  if (!facts.serial.empty()) component.properties.emplace("tracer:cert:serial", facts.serial);
  for (const std::string& name : facts.names) component.properties.emplace("tracer:cert:name", name);
  return key;
}

std::string add_asset(Bom& bom, const FileItem& item, const FileAsset& asset, std::size_t number) {
  std::optional<std::string> known;
  if (asset.certificate) known = add_certificate(bom, *asset.certificate);
  // A key by the fingerprint of its public half, where that is in clear; else by where it lies.
  const std::string& half = asset.public_key_sha256;
  const std::string by_place = numbered(Bom::key(key_kind(asset.type), item.container_id, item.path), number);
  const std::string key = known ? *known : half.empty() ? by_place : Bom::key(key_kind(asset.type), {}, half);
  if (!known && !bom.has(key)) {
    Json material = {{"type", material_type(asset.type)}};
    Component& component = bom.at(key);
    if (!asset.algorithm.empty()) {
      const std::string algorithm =
          add_named(bom, algorithm_of_key(asset.algorithm, asset.bits, asset.curve), item.path, asset.evidence.detail);
      material["algorithmRef"] = algorithm;
      component.depends_on.insert(algorithm);
      component.properties.emplace("cbom:key:type", asset.algorithm);
    }
    if (!half.empty()) material["id"] = half;
    if (asset.bits) material["size"] = *asset.bits;
    if (!asset.format.empty()) material["format"] = asset.format;
    if (asset.encrypted.value_or(false)) material["securedBy"] = {{"mechanism", "encryption"}};
    component.name = base_name(item.path);
    if (asset.type == "certificate")
      component.crypto = {{"assetType", "certificate"},
                          {"certificateProperties", {{"certificateFormat", asset.format}}}};
    else
      component.crypto = {{"assetType", "related-crypto-material"},
                          {"relatedCryptoMaterialProperties", std::move(material)}};
    component.properties.emplace("tracer:asset_type", std::string(asset.type));
    if (asset.encrypted) component.properties.emplace("tracer:encrypted", *asset.encrypted ? "true" : "false");
  }
  Component& component = bom.at(key);
  bom.prove(component, technique_of(asset.evidence.kind), asset.evidence.detail);
  bom.occur(component, {item.path, {}, asset.evidence.rule.empty() ? asset.evidence.detail : asset.evidence.rule});
  if (!item.resolved.empty() && item.resolved != item.path) bom.occur(component, {item.resolved, {}, "resolved path"});
  return key;
}

// ---- handshakes ----

namespace {

// "ServerHello.cipher_suite 0x1301" → "0x1301"; empty: no such evidence.
std::string evidence_value(const HandshakeItem& item, std::string_view field) {
  for (const Evidence& each : item.seen.evidence)
    if (std::string_view(each.detail).starts_with(field) && each.detail.size() > field.size() + 1)
      return each.detail.substr(field.size() + 1);
  return {};
}

// The two bytes of a suite's number, as the schema's examples write them.
Json identifiers(std::string_view number) {
  if (number.size() != 6 || !number.starts_with("0x")) return Json::array();
  return {"0x" + std::string(number.substr(2, 2)), "0x" + std::string(number.substr(4, 2))};
}

Json& suite_of(Json& protocol, const std::string& name) {
  Json& suites = protocol["protocolProperties"]["cipherSuites"];
  const auto at = std::ranges::find_if(suites, [&](const Json& suite) { return suite["name"] == name; });
  if (at != suites.end()) return *at;
  suites.push_back({{"name", name}});
  return suites.back();
}

}  // namespace

std::optional<std::string> add_protocol(Bom& bom, const HandshakeItem& item, const std::string& location) {
  const HandshakeKind& kind = item.kind;
  if (!kind.version) return std::nullopt;
  const std::string& version = *kind.version;
  const std::size_t space = version.find(' ');
  const bool named = space != std::string::npos;
  const std::string name = named ? version.substr(0, space) : "TLS";
  const std::string number = named ? version.substr(space + 1) : version;
  const std::string key = Bom::key(name == "SSL" ? "protocol:ssl" : "protocol:tls", {}, number);
  if (!bom.has(key)) {
    Component& made = bom.at(key);
    made.name = name;
    made.version = number;
    made.crypto = {{"assetType", "protocol"},
                   {"protocolProperties", {{"type", "tls"}, {"version", named && name != "TLS" ? version : number}}}};
  }
  std::set<std::string> negotiated;
  const auto add = [&](const AlgorithmFacts& facts, const std::string& value) {
    const std::string algorithm = bom.add(facts);
    prove_algorithm(bom, algorithm, Technique::dynamic_analysis, value, {location, {}, value});
    negotiated.insert(algorithm);
    return algorithm;
  };
  if (kind.cipher_suite) {
    std::set<std::string> algorithms;
    const SuiteQuestion question{*kind.cipher_suite, kind.group.has_value(),
                                 kind.signature_algorithm.has_value() || version == "TLS 1.3"};
    for (const AlgorithmFacts& facts : algorithms_of_suite(question))
      algorithms.insert(add(facts, "ServerHello.cipher_suite " + *kind.cipher_suite));
    Json& suite = suite_of(bom.at(key).crypto, *kind.cipher_suite);
    if (suite.contains("algorithms"))
      for (const Json& each : suite["algorithms"]) algorithms.insert(each.get<std::string>());
    if (!algorithms.empty()) suite["algorithms"] = json_list(algorithms);
    if (Json bytes = identifiers(evidence_value(item, "ServerHello.cipher_suite")); !bytes.empty())
      suite["identifiers"] = std::move(bytes);
  }
  if (kind.group) add(algorithm_of_group(*kind.group), "group " + *kind.group);
  if (kind.signature_algorithm)
    add(algorithm_of_signature(*kind.signature_algorithm), "signature_algorithm " + *kind.signature_algorithm);
  Component& component = bom.at(key);
  component.depends_on.merge(negotiated);
  bom.prove(component, Technique::dynamic_analysis, "ServerHello.version " + version);
  bom.occur(component, {location, {}, std::string(to_string(kind.role))});
  return key;
}

// ---- calls ----

std::optional<std::string> add_called(Bom& bom, const CallItem& item) {
  const CallKind& kind = item.kind;
  const std::string_view function = kind.function;
  const bool names_one = function.ends_with("_fetch") || function.ends_with("byname") ||
                         function.ends_with("_new_from_name") || function.ends_with("_Q_keygen");
  // Null came back: there is no such algorithm.
  if (!names_one || kind.argument.empty() || kind.result == 0) return std::nullopt;
  const std::string key = bom.add(algorithm_of_name(kind.argument));
  const std::string location = kind.library.empty() ? "library not known" : kind.library;
  prove_algorithm(bom, key, Technique::instrumentation, kind.function + " " + kind.argument,
                  {location, kind.function, kind.argument});
  return key;
}

}  // namespace tracer
