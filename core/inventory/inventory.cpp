#include "core/inventory/inventory.h"

#include <algorithm>

namespace tracer {
namespace {

constexpr std::size_t evidence_max = 16;  // of one thing
constexpr std::size_t values_max = 16;    // different fingerprints, flags, alerts or certificates of one thing
constexpr std::size_t switches_max = 64;
constexpr std::size_t text_list_max = 1024;  // of trace_start

bool same(const Evidence& a, const Evidence& b) { return a.kind == b.kind && a.detail == b.detail && a.rule == b.rule; }

// The same thing found again. Of keys no more is known than what is compared here.
bool same(const FileAsset& a, const FileAsset& b) {
  if (a.certificate && b.certificate && !a.certificate->sha256.empty())
    return a.certificate->sha256 == b.certificate->sha256;
  return a.type == b.type && a.format == b.format && a.algorithm == b.algorithm && a.bits == b.bits &&
         a.curve == b.curve && a.encrypted == b.encrypted && a.certificate.has_value() == b.certificate.has_value() &&
         same(a.evidence, b.evidence);
}

void fill_in(std::string& to, std::string_view from) {
  if (to.empty()) to = from;
}

bool is_absolute(std::string_view path) { return path.starts_with('/'); }

}  // namespace

void Inventory::add(const Record& record) {
  std::visit([&](const auto& body) { on(body, record); }, record.body);
}

// ---- processes ----

std::string Inventory::text(std::string_view raw) {
  if (raw.size() > limits_.text_bytes_max) ++left_out_.texts;
  return std::string(raw.substr(0, limits_.text_bytes_max));
}

// `fresh`: it has just become another program, so one that has exited cannot be it.
Inventory::Index Inventory::process_of(const std::shared_ptr<const ProcessFacts>& facts, bool asked_for, bool fresh) {
  if (!facts || facts->tgid == 0) return std::nullopt;
  const auto known = latest_.find(facts->tgid);
  if (known != latest_.end()) {
    ProcessItem& item = processes_[known->second];
    const bool ticks_differ =
        facts->start_ticks != 0 && item.facts.start_ticks != 0 && facts->start_ticks != item.facts.start_ticks;
    if (!ticks_differ && !(fresh && item.exited)) {
      item.asked_for = item.asked_for || asked_for;
      // What was learned last holds, but nothing is forgotten because it was not learned again.
      ProcessFacts& old = item.facts;
      if (facts->local_pid) old.local_pid = facts->local_pid;
      if (facts->uid) old.uid = facts->uid;
      if (!facts->comm.empty()) old.comm = facts->comm;
      if (!facts->executable.empty()) old.executable = text(facts->executable);
      if (!facts->container_id.empty()) old.container_id = text(facts->container_id);
      if (facts->start_ticks != 0) old.start_ticks = facts->start_ticks;
      return known->second;
    }
    // Its number was given to another one, of which this may be a late record.
    if (!fresh)
      for (std::uint32_t i = 0; i < processes_.size(); ++i)
        if (processes_[i].facts.tgid == facts->tgid && processes_[i].facts.start_ticks == facts->start_ticks) return i;
  }
  if (processes_.size() >= limits_.processes_max) {
    ++left_out_.processes;
    return std::nullopt;
  }
  const auto index = static_cast<std::uint32_t>(processes_.size());
  ProcessItem item;
  item.facts = *facts;
  item.facts.executable = text(facts->executable);
  item.facts.container_id = text(facts->container_id);
  item.asked_for = asked_for;
  processes_.push_back(std::move(item));
  latest_[facts->tgid] = index;
  return index;
}

// Only ends that were asked for: the other one is a peer, and told as such.
Inventory::Index Inventory::end_of(const Party& party) {
  if (!party.process) return std::nullopt;
  if (selection_ == nullptr || selection_->everybody() || selection_->selects(*party.process))
    return process_of(party.process, true);
  // One that was selected may not be any more after its end.
  const auto known = latest_.find(party.process->tgid);
  if (known == latest_.end() || !processes_[known->second].asked_for) return std::nullopt;
  return known->second;
}

void Inventory::on(const ProcessExec& exec, const Record& record) {
  ++records_;
  const Index index = process_of(exec.process, true, !exec.preexisting);
  if (!index) return;
  ProcessItem& item = processes_[*index];
  item.exec_seen = true;
  item.executable = text(exec.executable);
  item.arguments.reset();
  item.arguments_cut = exec.arguments_cut;
  if (exec.arguments) {
    item.arguments.emplace();
    for (const std::string& argument : *exec.arguments) {
      if (item.arguments->size() >= limits_.arguments_max) {
        item.arguments_cut = true;
        break;
      }
      item.arguments->push_back(argument.substr(0, limits_.text_bytes_max));
      item.arguments_cut = item.arguments_cut || argument.size() > limits_.text_bytes_max;
    }
  }
  if (exec.parent) item.parent = exec.parent;
  if (exec.gid) item.gid = exec.gid;
  item.preexisting = item.preexisting || exec.preexisting;
  if (exec.started_at)
    item.started_at = exec.started_at;
  else if (!exec.preexisting && !item.started_at)
    item.started_at = record.timestamp;
  item.missing = record.missing;
}

void Inventory::on(const ProcessExit& exit, const Record&) {
  ++records_;
  const Index index = process_of(exit.process, true);
  if (!index) return;
  ProcessItem& item = processes_[*index];
  item.exited = true;
  item.exit_code = exit.exit_code;
  item.signal = exit.signal;
}

// ---- who, when, how ----

void Inventory::note(Sightings& seen, Index user, std::uint64_t count, const Record& record, bool refused) {
  if (seen.count == 0) seen.first = seen.last = record.timestamp;
  seen.count += count;
  seen.first = std::min(seen.first, record.timestamp);
  seen.last = std::max(seen.last, record.timestamp);
  if (record.backend) seen.origins.insert({*record.backend, record.mechanism});
  seen.missing.insert(record.missing.begin(), record.missing.end());
  seen.inferred.insert(record.inferred.begin(), record.inferred.end());
  if (!user) return;
  auto at = std::ranges::lower_bound(seen.users, *user, {}, &Sightings::User::process);
  if (at == seen.users.end() || at->process != *user) {
    if (seen.users.size() >= limits_.users_max) {
      seen.users_cut = true;
      ++left_out_.users;
      return;
    }
    at = seen.users.insert(at, {*user, 0, 0});
  }
  at->count += count;
  if (refused) at->refused += count;
}

void Inventory::note(Sightings& seen, const std::vector<Evidence>& evidence) {
  for (const Evidence& each : evidence) {
    if (std::ranges::any_of(seen.evidence, [&](const Evidence& known) { return same(known, each); })) continue;
    if (seen.evidence.size() >= evidence_max)
      ++seen.evidence_left_out;
    else
      seen.evidence.push_back({each.kind, text(each.detail), each.rule});
  }
}

void Inventory::keep(std::set<std::string>& set, const std::string& value) {
  if (value.empty() || set.contains(value)) return;
  if (set.size() < values_max)
    set.insert(text(value));
  else
    ++left_out_.values;
}

// ---- libraries, files, calls ----

void Inventory::on(const LibLoad& library, const Record& record) {
  ++records_;
  const Index user = process_of(library.process, true);
  const std::string& path = library.resolved.empty() ? library.library : library.resolved;
  Key key{text(path.empty() ? library.library_name : path),
          user ? processes_[*user].facts.container_id : std::string()};
  auto at = libraries_.find(key);
  if (at == libraries_.end()) {
    if (libraries_.size() >= limits_.libraries_max) {
      ++left_out_.libraries;
      return;
    }
    at = libraries_.try_emplace(std::move(key)).first;
    at->second.path = text(path);
    at->second.container_id = at->first.second;
  }
  LibraryItem& item = at->second;
  fill_in(item.name, text(library.library_name));
  fill_in(item.family, library.family);
  fill_in(item.version, text(library.version));
  fill_in(item.note, text(library.note));
  item.found_mapped = item.found_mapped || library.preexisting;
  if (!library.preexisting && (!item.loaded_at || record.timestamp < *item.loaded_at))
    item.loaded_at = record.timestamp;
  note(item.seen, user, 1, record);
  note(item.seen, library.evidence);
}

void Inventory::on(const FileOpen& file, const Record& record) {
  ++records_;
  const Index user = process_of(file.process, true);
  const FileFinding& finding = file.finding;
  const std::string& name = is_absolute(file.file) || finding.path.empty() ? file.file : finding.path;
  Key key{text(name), user ? processes_[*user].facts.container_id : std::string()};
  auto at = files_.find(key);
  if (at == files_.end()) {
    if (files_.size() >= limits_.files_max) {
      ++left_out_.files;
      return;
    }
    at = files_.try_emplace(std::move(key)).first;
    at->second.path = at->first.first;
    at->second.container_id = at->first.second;
  }
  FileItem& item = at->second;
  if (!finding.path.empty()) item.resolved = text(finding.path);
  // A file that could be looked into once stays what it was found to be.
  if (finding.contents_seen || item.type.empty())
    if (!finding.file_type.empty()) item.type = finding.file_type;
  fill_in(item.name_suggests, finding.expected);
  fill_in(item.name_rule, finding.name_rule);
  item.contents_seen = item.contents_seen || finding.contents_seen;
  item.contents_cut = item.contents_cut || finding.contents_cut;
  item.out_of_reach = item.out_of_reach || finding.out_of_reach;
  if (!finding.contents_seen) fill_in(item.not_seen_reason, text(finding.not_seen_reason));
  note_assets(item, finding);
  if (file.flags)
    for (const std::string& flag : *file.flags) keep(item.flags, flag);
  const bool refused = !file.preexisting && file.result && file.error.value_or(0) != 0;
  if (file.preexisting)
    ++item.found_open;
  else if (!file.result)
    ++item.result_unknown;
  else if (!refused)
    ++item.opened;
  else
    ++item.failures[*file.result];
  note(item.seen, user, 1, record, refused);
}

void Inventory::note_assets(FileItem& item, const FileFinding& finding) {
  item.assets_left_out = std::max(item.assets_left_out, finding.assets_left_out);
  for (const FileAsset& asset : finding.assets) {
    if (std::ranges::any_of(item.assets, [&](const FileAsset& known) { return same(known, asset); })) continue;
    if (assets_ >= limits_.assets_max) {
      ++left_out_.assets;
      ++item.assets_left_out;
      continue;
    }
    ++assets_;
    item.assets.push_back(asset);
  }
}

void Inventory::on(const ApiCall& call, const Record& record) {
  ++records_;
  const Index user = process_of(call.process, true);
  CallKind kind{text(call.function_name), text(call.library), text(call.argument), call.size, call.result};
  auto at = calls_.find(kind);
  if (at == calls_.end()) {
    if (calls_.size() >= limits_.calls_max) {
      ++left_out_.calls;
      return;
    }
    at = calls_.try_emplace(kind).first;
    at->second.kind = std::move(kind);
  }
  note(at->second.seen, user, call.count, record);
  note(at->second.seen, call.evidence);
}

// ---- handshakes ----

void Inventory::on(const TlsHandshake& handshake, const Record& record) {
  ++records_;
  ++handshakes_seen_;
  HandshakeKind kind;
  kind.sni = handshake.sni;
  kind.alpn = handshake.alpn;
  kind.version = handshake.version;
  kind.cipher_suite = handshake.cipher_suite;
  kind.group = handshake.group;
  kind.signature_algorithm = handshake.signature_algorithm;
  kind.resumed = handshake.resumed;
  kind.post_quantum = handshake.post_quantum;
  kind.complete = handshake.complete;
  kind.incomplete_reason = handshake.incomplete_reason;
  for (std::optional<std::string>* each : {&kind.sni, &kind.alpn})
    if (*each) *each = text(**each);
  const Index client = end_of(handshake.flow.client), server = end_of(handshake.flow.server);
  const std::optional<Endpoint>& server_end = handshake.flow.server.endpoint;
  if (server) {
    kind.role = HandshakeRole::server;
    kind.peer = handshake.flow.client.endpoint;
    if (kind.peer) kind.peer->port = 0;  // another one for each connection
    add_handshake(kind, server, handshake, record);
  }
  kind.peer = server_end;
  kind.role = client ? HandshakeRole::client : HandshakeRole::observer;
  if (client || !server) add_handshake(std::move(kind), client, handshake, record);
}

void Inventory::add_handshake(HandshakeKind kind, Index user, const TlsHandshake& handshake, const Record& record) {
  auto at = handshakes_.find(kind);
  if (at == handshakes_.end()) {
    if (handshakes_.size() >= limits_.handshakes_max) {
      ++left_out_.handshakes;
      return;
    }
    at = handshakes_.try_emplace(kind).first;
    at->second.kind = std::move(kind);
  }
  HandshakeItem& item = at->second;
  item.certificates_known = item.certificates_known || handshake.certificates_known;
  item.client_certificates_known = item.client_certificates_known || handshake.client_certificates_known;
  keep(item.certificates, handshake.certificates);
  keep(item.client_certificates, handshake.client_certificates);
  item.findings.insert(handshake.findings.begin(), handshake.findings.end());
  for (const TlsAlert& alert : handshake.alerts) {
    std::string name = std::string(alert.from) + " " + std::string(alert.level) + " " + std::string(alert.description);
    if (item.alerts.size() < values_max || item.alerts.contains(name))
      ++item.alerts[std::move(name)];
    else
      ++left_out_.values;
  }
  keep(item.ja3, handshake.ja3);
  keep(item.ja3s, handshake.ja3s);
  keep(item.ja4, handshake.ja4);
  note(item.seen, user, 1, record);
  note(item.seen, handshake.evidence);
}

void Inventory::keep(std::vector<std::string>& list, const std::vector<CertificateFacts>& certificates) {
  for (const CertificateFacts& certificate : certificates) {
    if (certificate.sha256.empty()) continue;
    if (!certificates_.contains(certificate.sha256)) {
      if (certificates_.size() >= limits_.certificates_max) {
        ++left_out_.certificates;
        continue;
      }
      certificates_.emplace(certificate.sha256, certificate);
    }
    if (std::ranges::find(list, certificate.sha256) != list.end()) continue;
    if (list.size() < values_max)
      list.push_back(certificate.sha256);
    else
      ++left_out_.values;
  }
}

// ---- the trace itself ----

void Inventory::on(const TraceStart& start, const Record& record) {
  if (trace_start_) return;
  trace_start_ = start;
  first_time_ = record.timestamp;
  if (trace_start_->blind.size() > text_list_max) trace_start_->blind.resize(text_list_max);
}

void Inventory::on(const TraceEnd& end, const Record& record) {
  trace_end_ = end;
  last_time_ = record.timestamp;
}

void Inventory::on(const Loss& loss, const Record&) {
  LossCount& row = losses_.try_emplace(loss.count.cause, LossCount{loss.count.cause, 0, 0}).first->second;
  row.events += loss.count.events;
  row.bytes += loss.count.bytes;
}

void Inventory::on(const BackendSwitch& change, const Record&) {
  if (switches_.size() < switches_max)
    switches_.push_back(change);
  else
    ++left_out_.switches;
}

std::map<std::string_view, LossCount> Inventory::losses() const {
  if (!trace_end_) return losses_;
  std::map<std::string_view, LossCount> rows;
  for (const LossCount& row : trace_end_->lost) rows.try_emplace(row.cause, row);
  return rows;
}

}  // namespace tracer
