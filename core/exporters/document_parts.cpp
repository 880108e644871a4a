#include "core/exporters/document_parts.h"

#include <algorithm>
#include <cmath>
#include <ranges>
#include <span>
#include <tuple>

namespace tracer {
namespace {

// Where more than this was left out of a list of evidence, order says nothing any more.
auto order_of(const Evidence& evidence) { return std::tie(evidence.kind, evidence.detail, evidence.rule); }

// Blind spots that a document has because of processes that it is about.
constexpr std::string_view of_those_looked_at[] = {
    "unreadable_processes", "scan_time_limit",         "scan_process_limit",        "scan_descriptor_limit",
    "scan_maps_limit",      "crypto_libraries_unseen", "crypto_calls_without_begin"};
// Counted over the whole machine: of a document about some processes they say nothing.
constexpr std::string_view of_all_processes[] = {"opens_32bit", "io_uring_opens", "unknown_mappings",
                                                 "opens_without_name"};

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_plain(std::string_view argument) {
  constexpr std::string_view plain = "_-./=:,+@%^";
  return !argument.empty() && std::ranges::all_of(argument, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           plain.find(c) != std::string_view::npos || static_cast<unsigned char>(c) >= 0x80;
  });
}

}  // namespace

std::vector<std::string_view> shortcomings(const Inventory& inventory, const DocumentOptions& options) {
  std::vector<std::string_view> reasons;
  if (!inventory.trace_end()) reasons.push_back("no_end");
  if (!inventory.losses().empty()) reasons.push_back("lost");
  if (inventory.left_out().any()) reasons.push_back("left_out");
  if (!inventory.switches().empty()) reasons.push_back("backend_switch");
  if (inventory.trace_start() && !inventory.trace_start()->blind.empty()) reasons.push_back("blind");
  const bool about_everybody = options.processes == nullptr || options.processes->everybody();
  const auto concerns = [&](const BlindCount& row) {
    if (row.count.value_or(0) == 0) return false;
    return contains(of_those_looked_at, row.what) || (about_everybody && contains(of_all_processes, row.what));
  };
  if (inventory.trace_end() && std::ranges::any_of(inventory.trace_end()->blind, concerns))
    reasons.push_back("not_seen");
  const auto unseen = [](const FileItem& item) { return item.out_of_reach && !item.contents_seen; };
  if (std::ranges::any_of(inventory.files() | std::views::values, unseen)) reasons.push_back("contents");
  return reasons;
}

std::vector<std::uint32_t> by_number(const Inventory& inventory) {
  const std::vector<ProcessItem>& processes = inventory.processes();
  std::vector<std::uint32_t> order(processes.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](std::uint32_t index) {
    const ProcessFacts& facts = processes[index].facts;
    return std::tuple(facts.local_pid.value_or(UINT32_MAX), facts.tgid, facts.start_ticks, index);
  });
  return order;
}

double duration_ms(const Inventory& inventory) {
  if (inventory.trace_end()) return inventory.trace_end()->duration_ms;
  if (!inventory.first_time() || !inventory.last_time()) return 0;
  return static_cast<double>(inventory.last_time()->ns - inventory.first_time()->ns) / 1e6;
}

std::string command_line(const std::vector<std::string>& arguments) {
  std::string line;
  for (const std::string& argument : arguments) {
    if (!line.empty()) line.push_back(' ');
    if (is_plain(argument)) {
      line.append(argument);
      continue;
    }
    line.push_back('\'');
    for (const char c : argument) line.append(c == '\'' ? std::string_view("'\\''") : std::string_view(&c, 1));
    line.push_back('\'');
  }
  return line;
}

// ---- around everything ----

void DocumentParts::put_heading(Json& document) {
  document["tool"] = Json::object();
  document["tool"]["name"] = "tracer";
  maker_.put_unless_empty(document["tool"], "version", options_.version);
  if (options_.now) document["generated_at"] = time_text(options_.now());
  if (const auto& start = inventory_.trace_start()) {
    maker_.put_unless_empty(document, "hostname", start->host);
    maker_.put_unless_empty(document, "kernel", start->kernel);
  }
}

void DocumentParts::put_accounts(Json& document) {
  const std::vector<std::string_view> reasons = shortcomings(inventory_, options_);
  document["complete"] = reasons.empty();
  document["incomplete_reasons"] = json_list(reasons);
  std::vector<LossCount> lost;
  for (const auto& [cause, count] : inventory_.losses()) lost.push_back(count);
  document["lost"] = json_of(lost);
  document["not_seen"] = inventory_.trace_end() ? json_of(inventory_.trace_end()->blind) : Json::object();
  const InventoryLosses& left_out = inventory_.left_out();
  Json& limits = document["left_out"] = Json::object();
  const auto limit = [&](std::string_view name, std::uint64_t count) {
    if (count != 0) limits[std::string(name)] = count;
  };
  limit("processes", left_out.processes);
  limit("libraries", left_out.libraries);
  limit("files", left_out.files);
  limit("assets", left_out.assets);
  limit("api_calls", left_out.calls);
  limit("tls_handshakes", left_out.handshakes);
  limit("certificates", left_out.certificates);
  limit("pids", left_out.users);
  limit("values", left_out.values);
  limit("texts_cut", left_out.texts);
  limit("backend_switches", left_out.switches);
  if (const auto& start = inventory_.trace_start()) {
    Json& blind = document["blind"] = Json::array();
    for (const std::string& each : start->blind) blind.push_back(maker_.safe(Redaction::message, each));
    document["plan"] = maker_.plan(start->plan);
  }
  document["backend_switches"] = maker_.objects(inventory_.switches());
}

void DocumentParts::put_users(Json& object, const Sightings& seen) {
  std::set<std::uint32_t> pids, host_pids, refused_pids;
  for (const Sightings::User& user : seen.users) {
    const ProcessFacts& facts = inventory_.processes()[user.process].facts;
    (facts.local_pid ? pids : host_pids).insert(facts.local_pid.value_or(facts.tgid));
    if (user.refused != 0) refused_pids.insert(facts.local_pid.value_or(facts.tgid));
  }
  object["pids"] = pids;
  if (!host_pids.empty()) object["host_pids"] = host_pids;
  if (!refused_pids.empty()) object["refused_pids"] = refused_pids;
  if (seen.users_cut) object["pids_cut"] = true;
}

void DocumentParts::put_times(Json& object, const Sightings& seen, std::string_view first, std::string_view last) {
  object[std::string(first)] = time_text(seen.first);
  object[std::string(last)] = time_text(seen.last);
}

void DocumentParts::put_grounds(Json& object, const Sightings& seen) {
  if (!seen.evidence.empty()) {
    std::vector<Evidence> sorted = seen.evidence;
    std::ranges::sort(sorted, {}, order_of);
    object["evidence"] = maker_.objects(sorted);
    if (seen.evidence_left_out != 0) object["evidence_left_out"] = seen.evidence_left_out;
  }
  Json& origins = object["observed_by"] = Json::array();
  for (const Sightings::Origin& origin : seen.origins) {
    Json row = {{"backend", to_string(origin.backend)}};
    if (origin.mechanism) row["mechanism"] = to_string(*origin.mechanism);
    origins.push_back(std::move(row));
  }
  if (!seen.missing.empty()) object["missing"] = json_list(seen.missing);
  if (!seen.inferred.empty()) object["inferred"] = json_list(seen.inferred);
}

// ---- one thing each ----

Json DocumentParts::library(const LibraryItem& item) {
  Json object = Json::object();
  maker_.put_unless_empty(object, "name", item.name);
  maker_.put_unless_empty(object, "path", item.path, Redaction::path);
  if (item.loaded_at) object["load_time"] = time_text(*item.loaded_at);
  if (item.found_mapped) object["already_loaded"] = true;
  maker_.put_unless_empty(object, "family", item.family);
  maker_.put_unless_empty(object, "version", item.version);
  maker_.put_unless_empty(object, "note", item.note);
  maker_.put_unless_empty(object, "container_id", item.container_id);
  put_users(object, item.seen);
  put_grounds(object, item.seen);
  return object;
}

namespace {
// "O_RDONLY", or of several kinds of opens all of them.
std::string mode_of(const FileItem& item) {
  std::string mode;
  for (const std::string_view each : {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_PATH"}) {
    if (!item.flags.contains(std::string(each))) continue;
    if (!mode.empty()) mode.push_back('|');
    mode.append(each);
  }
  return mode;
}
}  // namespace

Json DocumentParts::file(const FileItem& item) {
  Json object = Json::object();
  maker_.put_unless_empty(object, "path", item.path, Redaction::path);
  if (item.resolved != item.path) maker_.put_unless_empty(object, "resolved_path", item.resolved, Redaction::path);
  maker_.put_unless_empty(object, "type", item.type);
  maker_.put_unless_empty(object, "name_suggests", item.name_suggests);
  maker_.put_unless_empty(object, "name_rule", item.name_rule);
  object["access_count"] = item.seen.count;
  if (item.opened != 0) object["opened"] = item.opened;
  if (item.found_open != 0) object["found_open"] = item.found_open;
  if (item.result_unknown != 0) object["result_unknown"] = item.result_unknown;
  Json& failures = object["failures"] = Json::object();
  for (const auto& [error, count] : item.failures) failures[error] = count;
  // A file that was found open was opened before, nobody knows when.
  if (item.found_open < item.seen.count) put_times(object, item.seen, "first_access", "last_access");
  if (!item.flags.empty()) {
    maker_.put_unless_empty(object, "mode", mode_of(item));
    object["flags"] = json_list(item.flags);
  }
  maker_.put_unless_empty(object, "container_id", item.container_id);
  put_users(object, item.seen);
  object["assets"] = maker_.objects(item.assets);
  if (item.assets_left_out != 0) object["assets_left_out"] = item.assets_left_out;
  object["contents"] = !item.contents_seen ? "not_seen" : item.contents_cut ? "cut" : "seen";
  if (!item.contents_seen) maker_.put_unless_empty(object, "contents_reason", item.not_seen_reason, Redaction::message);
  put_grounds(object, item.seen);
  return object;
}

Json DocumentParts::handshake(const HandshakeItem& item) {
  const HandshakeKind& kind = item.kind;
  Json object = Json::object();
  object["role"] = to_string(kind.role);
  if (kind.peer) {
    object["peer"] = Json::object();
    object["peer"]["address"] = address_text(kind.peer->address);
    if (kind.role != HandshakeRole::server) object["peer"]["port"] = kind.peer->port;
  }
  maker_.put_if(object, "sni", kind.sni);
  maker_.put_if(object, "alpn", kind.alpn);
  maker_.put_if(object, "version", kind.version);
  maker_.put_if(object, "cipher_suite", kind.cipher_suite);
  maker_.put_if(object, "group", kind.group);
  maker_.put_if(object, "signature_algorithm", kind.signature_algorithm);
  maker_.put_if(object, "resumed", kind.resumed);
  if (kind.post_quantum) object["post_quantum"] = to_string(*kind.post_quantum);
  object["complete"] = kind.complete;
  maker_.put_unless_empty(object, "incomplete_reason", kind.incomplete_reason);
  object["count"] = item.seen.count;
  put_times(object, item.seen, "first_seen", "last_seen");
  put_users(object, item.seen);
  const auto shown = [&](const char* key, const std::vector<std::string>& fingerprints, bool known) {
    if (known || !fingerprints.empty()) object[key] = json_list(fingerprints);
  };
  shown("certificates", item.certificates, item.certificates_known);
  shown("client_certificates", item.client_certificates, item.client_certificates_known);
  object["findings"] = json_list(item.findings);
  if (!item.alerts.empty()) {
    Json& alerts = object["alerts"] = Json::object();
    for (const auto& [alert, count] : item.alerts) alerts[alert] = count;
  }
  if (!item.ja3.empty()) object["ja3"] = json_list(item.ja3);
  if (!item.ja3s.empty()) object["ja3s"] = json_list(item.ja3s);
  if (!item.ja4.empty()) object["ja4"] = json_list(item.ja4);
  put_grounds(object, item.seen);
  return object;
}

Json DocumentParts::call(const CallItem& item) {
  Json object = Json::object();
  maker_.put(object, "function_name", item.kind.function);
  maker_.put_unless_empty(object, "library", item.kind.library, Redaction::path);
  maker_.put_unless_empty(object, "argument", item.kind.argument, Redaction::path);
  maker_.put_if(object, "size", item.kind.size);
  maker_.put_if(object, "result", item.kind.result);
  object["count"] = item.seen.count;
  put_times(object, item.seen, "first_seen", "last_seen");
  put_users(object, item.seen);
  put_grounds(object, item.seen);
  return object;
}

Json DocumentParts::certificates() {
  Json list = Json::array();
  for (const auto& [sha256, facts] : inventory_.certificates()) list.push_back(maker_.object(facts));
  return list;
}

}  // namespace tracer
