#include "core/exporters/bom.h"

#include <algorithm>

namespace tracer {
namespace {

constexpr std::size_t occurrences_max = 64;
constexpr std::size_t methods_max = 64;

std::string_view name_of(Technique technique) {
  switch (technique) {
    case Technique::instrumentation:
      return "instrumentation";
    case Technique::dynamic_analysis:
      return "dynamic-analysis";
    case Technique::binary_analysis:
      return "binary-analysis";
    case Technique::filename:
      return "filename";
  }
  return "other";
}

// How far each kind of evidence can be believed: what was negotiated was used; what was fetched by name may not have
// been; a name alone is a hint.
double confidence_of(Technique technique) {
  switch (technique) {
    case Technique::dynamic_analysis:
      return 1.0;
    case Technique::binary_analysis:
      return 0.95;
    case Technique::instrumentation:
      return 0.9;
    case Technique::filename:
      return 0.5;
  }
  return 0;
}

// Printable ASCII stays, but for what marks the parts of a key.
std::string encoded(std::string_view raw) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string text;
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '%' && c != '#') {
      text.push_back(c);
      continue;
    }
    text.push_back('%');
    text.push_back(digits[byte >> 4]);
    text.push_back(digits[byte & 0xf]);
  }
  return text;
}

Json algorithm_json(const AlgorithmFacts& facts) {
  Json properties = Json::object();
  properties["primitive"] = facts.primitive;
  if (!facts.parameter_set.empty()) properties["parameterSetIdentifier"] = facts.parameter_set;
  if (!facts.curve.empty()) properties["curve"] = facts.curve;
  if (!facts.mode.empty()) properties["mode"] = facts.mode;
  if (!facts.padding.empty()) properties["padding"] = facts.padding;
  if (!facts.functions.empty()) properties["cryptoFunctions"] = json_list(facts.functions);
  if (facts.classical_bits) properties["classicalSecurityLevel"] = *facts.classical_bits;
  if (facts.quantum_level) properties["nistQuantumSecurityLevel"] = *facts.quantum_level;
  return {{"assetType", "algorithm"}, {"algorithmProperties", std::move(properties)}};
}

}  // namespace

std::string Bom::key(std::string_view kind, std::string_view container, std::string_view path) {
  std::string text = std::string(kind) + ":";
  if (!container.empty()) text += encoded(container) + ":";
  return text + encoded(path);
}

void Bom::prove(Component& component, Technique technique, std::string value) {
  if (component.methods.size() < methods_max) component.methods.emplace(technique, std::move(value));
}

void Bom::occur(Component& component, Occurrence occurrence) {
  if (component.occurrences.size() < occurrences_max || component.occurrences.contains(occurrence))
    component.occurrences.insert(std::move(occurrence));
  else
    component.occurrences_cut = true;
}

std::string Bom::add(const AlgorithmFacts& facts) {
  std::string name = key("algo", {}, facts.name);
  if (!has(name)) {
    Component& component = at(name);
    component.name = facts.name;
    component.crypto = algorithm_json(facts);
  }
  for (const AlgorithmFacts& part : facts.parts) {
    std::string part_name = add(part);
    if (part_name != name) at(name).depends_on.insert(std::move(part_name));
  }
  return name;
}

// ---- references ----

std::string Bom::ref(const std::string& key) const {
  const auto known = refs_.find(key);
  return known == refs_.end() ? key : known->second;
}

// The kind and the container stay; of the rest, paths are redacted as everywhere.
void Bom::make_refs() {
  std::set<std::string> taken;
  for (const auto& [key, component] : components_) {
    const std::size_t colon = key.find(":/");
    const std::size_t path = colon == std::string::npos ? 0 : colon + 1;
    const std::string text = key.substr(0, path) + maker_.safe(Redaction::path, std::string_view(key).substr(path));
    std::string unique = text;
    for (unsigned number = 2; !taken.insert(unique).second; ++number) unique = text + "#" + std::to_string(number);
    refs_[key] = std::move(unique);
  }
}

// ---- as JSON ----

Json Bom::evidence(const Component& component) {
  Json methods = Json::array();
  double best = 0;
  for (const auto& [technique, value] : component.methods) {
    Json method = {{"technique", name_of(technique)}, {"confidence", confidence_of(technique)}};
    if (!value.empty()) method["value"] = maker_.safe(Redaction::path, value);
    best = std::max(best, confidence_of(technique));
    methods.push_back(std::move(method));
  }
  Json result = Json::object();
  if (!methods.empty())
    result["identity"] = Json::array({{{"field", "name"}, {"confidence", best}, {"methods", std::move(methods)}}});
  Json occurrences = Json::array();
  for (const Occurrence& each : component.occurrences) {
    Json row = {{"location", maker_.safe(Redaction::path, each.location)}};
    if (!each.symbol.empty()) row["symbol"] = each.symbol;
    if (!each.context.empty()) row["additionalContext"] = maker_.safe(Redaction::path, each.context);
    occurrences.push_back(std::move(row));
  }
  if (!occurrences.empty()) result["occurrences"] = std::move(occurrences);
  return result;
}

Json Bom::component(const std::string& key, const Component& component) {
  Json object = Json::object();
  object["type"] = component.type;
  object["bom-ref"] = ref(key);
  object["name"] = maker_.safe(Redaction::path, component.name);
  if (!component.version.empty()) object["version"] = component.version;
  if (!component.description.empty()) object["description"] = component.description;
  if (!component.crypto.is_null()) object["cryptoProperties"] = component.crypto;
  if (Json found = evidence(component); !found.empty()) object["evidence"] = std::move(found);
  std::set<std::pair<std::string, std::string>> properties = component.properties;
  if (component.occurrences_cut) properties.emplace("tracer:occurrences_cut", "true");
  if (!properties.empty()) {
    Json& list = object["properties"] = Json::array();
    for (const auto& [name, value] : properties) list.push_back({{"name", name}, {"value", value}});
  }
  return object;
}

void Bom::put(Json& document, const std::string& root) {
  make_refs();
  std::map<std::string, const std::pair<const std::string, Component>*> sorted;
  for (const auto& entry : components_) sorted.emplace(ref(entry.first), &entry);
  Json& components = document["components"] = Json::array();
  Json dependencies = Json::array();
  const auto refs_of = [&](const std::set<std::string>& keys) {
    std::set<std::string> refs;
    for (const std::string& key : keys) refs.insert(ref(key));
    return json_list(refs);
  };
  for (const auto& [name, entry] : sorted) {
    const Component& each = entry->second;
    if (entry->first != root) components.push_back(component(entry->first, each));
    if (each.depends_on.empty() && each.provides.empty()) continue;
    Json row = {{"ref", name}};
    if (!each.depends_on.empty()) row["dependsOn"] = refs_of(each.depends_on);
    if (!each.provides.empty()) row["provides"] = refs_of(each.provides);
    dependencies.push_back(std::move(row));
  }
  document["dependencies"] = std::move(dependencies);
}

}  // namespace tracer
