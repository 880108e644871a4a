// Which processes use cryptography now.
#include <algorithm>

#include "core/exporters/document_parts.h"
#include "core/exporters/snapshot_view.h"
#include "core/exporters/writers.h"

namespace tracer {
namespace {

Json process_json(const ProcessUse& use, const Inventory& inventory, const DocumentOptions& options, JsonMaker& maker) {
  const ProcessItem& item = inventory.processes()[use.process];
  const ProcessFacts& facts = item.facts;
  Json object = Json::object();
  maker.put_if(object, "pid", facts.local_pid);
  if (!facts.local_pid) object["host_pid"] = facts.tgid;
  maker.put_unless_empty(object, "name", facts.comm);
  maker.put_unless_empty(object, "exe", item.program(), Redaction::path);
  if (facts.uid) {
    const auto name = options.user_name ? options.user_name(*facts.uid) : std::nullopt;
    maker.put(object, "running_as", name.value_or("uid:" + std::to_string(*facts.uid)));
    object["uid"] = *facts.uid;
  }
  maker.put_unless_empty(object, "container_id", facts.container_id);
  std::set<std::string_view> names;
  for (const LibraryItem* library : use.libraries) names.insert(name_of(*library));
  object["libraries"] = json_list(names);
  Json& files = object["open_crypto_files"] = Json::array();
  for (const FileItem* file : use.files) files.push_back(maker.safe(Redaction::path, file->path));
  return object;
}

// By its contents; or by its name, where nobody could look into it. A file that was looked into and in which nothing
// was found is none, whatever it is called.
bool is_cryptographic(const FileItem& item) {
  if (!item.assets.empty()) return true;
  return !item.contents_seen && (!item.name_suggests.empty() || !item.name_rule.empty());
}

// The scan that the inventory was made of ended before it had looked at everything.
bool is_truncated(const Inventory& inventory) {
  if (inventory.left_out().any() || !inventory.trace_end()) return true;
  return std::ranges::any_of(inventory.trace_end()->blind,
                             [](const BlindCount& row) { return row.what.ends_with("_limit"); });
}

}  // namespace

std::string_view name_of(const LibraryItem& item) {
  if (!item.name.empty()) return item.name;
  const std::string_view path = item.path;
  return path.substr(path.rfind('/') + 1);
}

SnapshotView snapshot_view(const Inventory& inventory) {
  std::vector<ProcessUse> uses(inventory.processes().size());
  SnapshotView view;
  for (const auto& [key, item] : inventory.libraries()) {
    view.library_names.insert(name_of(item));
    for (const Sightings::User& user : item.seen.users) uses[user.process].libraries.push_back(&item);
  }
  for (const auto& [key, item] : inventory.files()) {
    if (!is_cryptographic(item)) continue;
    view.files.push_back(&item);
    for (const Sightings::User& user : item.seen.users)
      if (!user.got_nothing()) uses[user.process].files.push_back(&item);
  }
  for (const std::uint32_t index : by_number(inventory)) {
    ProcessUse& use = uses[index];
    use.process = index;
    if (!use.libraries.empty() || !use.files.empty()) view.processes.push_back(std::move(use));
  }
  return view;
}

void put_snapshot(const Inventory& inventory, const DocumentOptions& options, std::string& out) {
  DocumentParts parts(inventory, options);
  const SnapshotView view = snapshot_view(inventory);
  Json document = Json::object();
  document["snapshot_version"] = "1.0";
  parts.put_heading(document);
  Json& processes = document["processes"] = Json::array();
  std::uint64_t uses_of_libraries = 0;
  for (const ProcessUse& use : view.processes) {
    processes.push_back(process_json(use, inventory, options, parts.maker()));
    uses_of_libraries += use.libraries.size();
  }
  Json& libraries = document["libraries"] = Json::array();
  for (const auto& [key, item] : inventory.libraries()) libraries.push_back(parts.library(item));
  // Those too that turned out to be nothing: why they are not in the list of any process is there to be seen.
  Json& files = document["files"] = Json::array();
  for (const auto& [key, item] : inventory.files()) files.push_back(parts.file(item));
  document["summary"] = {
      {"total_processes", view.processes.size()}, {"total_libraries", inventory.libraries().size()},
      {"total_files", view.files.size()},         {"unique_libraries", view.library_names.size()},
      {"library_uses", uses_of_libraries},        {"processes_looked_at", inventory.processes().size()}};
  document["truncated"] = is_truncated(inventory);
  parts.put_accounts(document);
  put_document(document, options.layout, out);
}

}  // namespace tracer
