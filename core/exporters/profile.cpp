// What the processes that were asked for did during one run.
#include <algorithm>
#include <cmath>

#include "core/exporters/document_parts.h"
#include "core/exporters/writers.h"

namespace tracer {
namespace {

Json target_of(const DocumentTarget& target, JsonMaker& maker) {
  Json object = Json::object();
  if (!target.pids.empty()) object["pids"] = target.pids;
  if (!target.names.empty()) object["names"] = json_list(target.names);
  if (!target.command.empty()) object["command"] = json_list(maker.safe_arguments(target.command));
  return object;
}

// The one that a profile is about: the command that was run, else the first that was asked for. Null: none was seen.
const ProcessItem* profiled_process(const Inventory& inventory, const DocumentTarget& target) {
  const std::vector<ProcessItem>& processes = inventory.processes();
  const auto first = [&](const auto& wanted) -> const ProcessItem* {
    const auto at = std::ranges::find_if(processes, wanted);
    return at == processes.end() ? nullptr : &*at;
  };
  if (target.command_pid != 0) {
    const auto* item = first([&](const ProcessItem& p) { return p.facts.local_pid == target.command_pid; });
    if (item != nullptr) return item;
  }
  if (!target.command.empty()) {
    const auto* item = first([](const ProcessItem& p) { return p.exec_seen && !p.preexisting; });
    if (item != nullptr) return item;
  }
  return first([](const ProcessItem& p) { return p.asked_for; });
}

Json process_json(const ProcessItem& item, JsonMaker& maker) {
  const ProcessFacts& facts = item.facts;
  Json object = Json::object(), missing = Json::array();
  const auto expect = [&](std::string_view key) {
    if (!object.contains(key)) missing.push_back(key);
  };
  maker.put_if(object, "pid", facts.local_pid);
  expect("pid");
  if (!facts.local_pid) object["host_pid"] = facts.tgid;
  maker.put_unless_empty(object, "name", facts.comm);
  expect("name");
  maker.put_unless_empty(object, "exe", item.program(), Redaction::path);
  expect("exe");
  if (item.arguments) {
    const std::vector<std::string> arguments = maker.safe_arguments(*item.arguments);
    maker.put(object, "cmdline", command_line(arguments));
    object["argv"] = json_list(arguments);
    if (item.arguments_cut) object["argv_cut"] = true;
  }
  expect("cmdline");
  maker.put_if(object, "uid", facts.uid);
  expect("uid");
  maker.put_if(object, "gid", item.gid);
  expect("gid");
  if (item.started_at) object["start_time"] = time_text(*item.started_at);
  expect("start_time");
  maker.put_if(object, "ppid", item.parent);
  maker.put_unless_empty(object, "container_id", facts.container_id);
  if (item.preexisting) object["already_running"] = true;
  if (item.exited) {
    object["exited"] = true;
    maker.put_if(object, "exit_code", item.exit_code);
    maker.put_if(object, "signal", item.signal);
  }
  object["missing"] = std::move(missing);
  return object;
}

}  // namespace

void put_profile(const Inventory& inventory, const DocumentOptions& options, std::string& out) {
  const ProcessItem* const first = profiled_process(inventory, options.target);
  if (first == nullptr) return;
  DocumentParts parts(inventory, options);
  JsonMaker& maker = parts.maker();
  Json document = Json::object();
  document["profile_version"] = "1.0";
  parts.put_heading(document);
  const double ms = duration_ms(inventory);
  document["duration_seconds"] = std::llround(ms / 1000);
  document["duration_ms"] = std::round(ms * 1000) / 1000;
  document["target"] = target_of(options.target, maker);
  document["process"] = process_json(*first, maker);
  Json& processes = document["processes"] = Json::array();
  for (const std::uint32_t index : by_number(inventory))
    processes.push_back(process_json(inventory.processes()[index], maker));

  Json& libraries = document["libraries"] = Json::array();
  for (const auto& [key, item] : inventory.libraries()) libraries.push_back(parts.library(item));
  Json& files = document["files_accessed"] = Json::array();
  for (const auto& [key, item] : inventory.files()) files.push_back(parts.file(item));
  Json& calls = document["api_calls"] = Json::object();
  Json details = Json::array();
  std::uint64_t calls_made = 0;
  for (const auto& [kind, item] : inventory.calls()) {
    Json& count = calls[kind.function];
    count = (count.is_null() ? 0 : count.get<std::uint64_t>()) + item.seen.count;
    calls_made += item.seen.count;
    details.push_back(parts.call(item));
  }
  document["api_call_details"] = std::move(details);
  Json& handshakes = document["tls_handshakes"] = Json::array();
  for (const auto& [kind, item] : inventory.handshakes()) handshakes.push_back(parts.handshake(item));
  document["certificates"] = parts.certificates();
  document["statistics"] = {{"total_events", inventory.records()},
                            {"libraries_loaded", inventory.libraries().size()},
                            {"files_accessed", inventory.files().size()},
                            {"api_calls_made", calls_made},
                            {"tls_handshakes", inventory.handshakes_seen()}};
  parts.put_accounts(document);
  put_document(document, options.layout, out);
}

}  // namespace tracer
