// CycloneDX 1.6 (ECMA-424): which programs used which libraries, algorithms, protocols, certificates and keys.
//
// Numbers of processes, counts and times of use are left out on purpose: two runs over the same machine differ in the
// document's own time and serial number only.
#include <algorithm>

#include "core/exporters/bom_assets.h"
#include "core/exporters/document_parts.h"
#include "core/exporters/snapshot_view.h"
#include "core/exporters/writers.h"

namespace tracer {
namespace {

// RFC 9562 section 5.4.
std::string uuid_text(std::array<std::uint8_t, 16> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back(digits[bytes[i] >> 4]);
    text.push_back(digits[bytes[i] & 0xf]);
  }
  return text;
}

class Writer {
 public:
  Writer(const Inventory& inventory, const DocumentOptions& options)
      : inventory_(inventory), options_(options), bom_(options.sink.redact) {}

  void put(std::string& out) {
    add_root();
    for (const auto& [key, item] : inventory_.libraries()) add_library(item);
    for (const auto& [key, item] : inventory_.files()) add_file(item);
    for (const auto& [kind, item] : inventory_.handshakes()) add_handshake(item);
    for (const auto& [kind, item] : inventory_.calls()) add_call(item);
    Json document = Json::object();
    document["$schema"] = "http://cyclonedx.org/schema/bom-1.6.schema.json";
    document["bomFormat"] = "CycloneDX";
    document["specVersion"] = "1.6";
    if (std::ranges::any_of(options_.random, [](std::uint8_t byte) { return byte != 0; }))
      document["serialNumber"] = "urn:uuid:" + uuid_text(options_.random);
    document["version"] = 1;
    document["metadata"] = nullptr;  // its place: references are made with the components
    bom_.put(document, root_);
    document["metadata"] = metadata();
    // What did not run while the tracer watched is not here.
    document["compositions"] = Json::array();
    document["compositions"].push_back({{"aggregate", "incomplete"}, {"assemblies", Json::array({bom_.ref(root_)})}});
    put_document(document, options_.layout == DocumentLayout::line ? DocumentLayout::line : DocumentLayout::pretty,
                 out);
  }

 private:
  void add_root() {
    const auto& start = inventory_.trace_start();
    const std::string host = start && !start->host.empty() ? start->host : "unknown";
    root_ = Bom::key("host", {}, host);
    Component& component = bom_.at(root_);
    component.type = "device";
    component.name = host;
  }

  // The program of a process; made where it is not there yet.
  std::string application(std::uint32_t process) {
    const ProcessItem& item = inventory_.processes()[process];
    const ProcessFacts& facts = item.facts;
    const std::string& path = item.program();
    const std::string& name = path.empty() ? facts.comm : path;
    const std::string key = Bom::key(path.empty() ? "app:name" : "app", facts.container_id, name);
    if (!bom_.has(key)) {
      Component& component = bom_.at(key);
      component.type = "application";
      component.name = name.empty() ? "unknown" : name.substr(name.rfind('/') + 1);
      bom_.prove(component, Technique::dynamic_analysis,
                 path.empty() ? "name of the process" : "executable of the process");
      if (!path.empty()) bom_.occur(component, {path, {}, {}});
      if (!facts.container_id.empty()) component.properties.emplace("tracer:container_id", facts.container_id);
    }
    bom_.at(root_).depends_on.insert(key);
    return key;
  }

  void use(const Sightings& seen, const std::string& key) {
    for (const Sightings::User& user : seen.users)
      if (!user.got_nothing()) bom_.at(application(user.process)).depends_on.insert(key);
  }

  [[nodiscard]] static std::string key_of(const LibraryItem& item) {
    return Bom::key("lib", item.container_id, item.path.empty() ? item.name : item.path);
  }

  void add_library(const LibraryItem& item) {
    const std::string key = key_of(item);
    Component& component = bom_.at(key);
    component.type = "library";
    component.name = name_of(item);
    component.version = bom_.maker().safe(Redaction::none, item.version);
    component.description = item.note;
    if (!item.family.empty()) component.properties.emplace("tracer:lib:family", item.family);
    component.properties.emplace("cbom:lib:soname", std::string(name_of(item)));
    bom_.prove(component, Technique::dynamic_analysis, "mapped into a process");
    for (const Evidence& each : item.seen.evidence)
      bom_.prove(component, each.kind == EvidenceKind::path_rule ? Technique::filename : Technique::binary_analysis,
                 each.rule.empty() ? each.detail : each.detail + " (rule " + each.rule + ")");
    if (!item.path.empty()) bom_.occur(component, {item.path, {}, {}});
    use(item.seen, key);
  }

  // Only what was found in it, and by whom it was really opened.
  void add_file(const FileItem& item) {
    for (std::size_t number = 0; number < item.assets.size(); ++number) {
      use(item.seen, add_asset(bom_, item, item.assets[number], number));
    }
  }

  void add_handshake(const HandshakeItem& item) {
    std::set<std::string> locations;
    for (const Sightings::User& user : item.seen.users) {
      const ProcessItem& process = inventory_.processes()[user.process];
      locations.insert(process.program().empty() ? process.facts.comm : process.program());
    }
    locations.erase("");
    if (locations.empty()) locations.insert("wire");
    std::optional<std::string> protocol;
    for (const std::string& location : locations) protocol = add_protocol(bom_, item, location);
    if (protocol) use(item.seen, *protocol);
    add_shown(item, item.certificates, "server certificate", locations);
    add_shown(item, item.client_certificates, "client certificate", locations);
  }

  void add_shown(const HandshakeItem& item, const std::vector<std::string>& fingerprints, const std::string& whose,
                 const std::set<std::string>& locations) {
    for (const std::string& sha256 : fingerprints) {
      const auto known = inventory_.certificates().find(sha256);
      if (known == inventory_.certificates().end()) continue;
      const auto key = add_certificate(bom_, known->second);
      if (!key) continue;
      Component& component = bom_.at(*key);
      bom_.prove(component, Technique::dynamic_analysis, "TLS handshake, " + whose);
      for (const std::string& location : locations) bom_.occur(component, {location, {}, whose});
      use(item.seen, *key);
    }
  }

  void add_call(const CallItem& item) {
    const auto algorithm = add_called(bom_, item);
    if (!algorithm) return;
    use(item.seen, *algorithm);
    for (const Sightings::User& user : item.seen.users)
      if (const LibraryItem* library = library_of(item.kind.library, user.process))
        bom_.at(key_of(*library)).provides.insert(*algorithm);
  }

  // The library of that path; else the one that the same process opened by a link to it, under an equal or shorter
  // name.
  [[nodiscard]] const LibraryItem* library_of(const std::string& path, std::uint32_t process) const {
    const std::string& container = inventory_.processes()[process].facts.container_id;
    if (const auto known = inventory_.libraries().find({path, container}); known != inventory_.libraries().end())
      return &known->second;
    const std::string name = path.substr(path.rfind('/') + 1);
    for (const auto& [key, item] : inventory_.libraries()) {
      const std::string_view other = name_of(item);
      const bool same_name = name == other || (name.starts_with(other) && name[other.size()] == '.');
      const auto at = std::ranges::lower_bound(item.seen.users, process, {}, &Sightings::User::process);
      if (same_name && at != item.seen.users.end() && at->process == process) return &item;
    }
    return nullptr;
  }

  [[nodiscard]] Json metadata() {
    JsonMaker& maker = bom_.maker();
    Json result = Json::object();
    if (options_.now) result["timestamp"] = time_text(options_.now());
    result["lifecycles"] = Json::array();
    result["lifecycles"].push_back({{"phase", "operations"}});
    Json tool = {{"type", "application"}, {"name", "tracer"}};
    if (!options_.version.empty()) tool["version"] = options_.version;
    result["tools"]["components"] = Json::array();
    result["tools"]["components"].push_back(std::move(tool));
    Json& root = result["component"] = Json::object();
    root["type"] = "device";
    root["bom-ref"] = bom_.ref(root_);
    root["name"] = bom_.at(root_).name;
    Json& properties = result["properties"] = Json::array();
    const auto property = [&](std::string name, std::string value) {
      properties.push_back({{"name", std::move(name)}, {"value", std::move(value)}});
    };
    if (const auto& start = inventory_.trace_start(); start && !start->kernel.empty())
      property("tracer:kernel", maker.safe(Redaction::none, start->kernel));
    const std::vector<std::string_view> reasons = shortcomings(inventory_, options_);
    property("tracer:complete", reasons.empty() ? "true" : "false");
    for (const std::string_view reason : reasons) property("tracer:incomplete_reason", std::string(reason));
    if (inventory_.trace_end())
      for (const BlindCount& row : inventory_.trace_end()->blind)
        if (row.count) property("tracer:not_seen:" + std::string(row.what), std::to_string(*row.count));
    return result;
  }

  const Inventory& inventory_;
  const DocumentOptions& options_;
  Bom bom_;
  std::string root_;
};

}  // namespace

void put_cyclonedx(const Inventory& inventory, const DocumentOptions& options, std::string& out) {
  Writer(inventory, options).put(out);
}

}  // namespace tracer
