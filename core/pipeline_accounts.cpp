// What the pipeline tells beside connections: processes, files, losses, and its last accounts.
#include <algorithm>
#include <utility>

#include "core/base/glob.h"
#include "core/pipeline.h"

namespace tracer {

namespace {

// Bytes missing for these causes were wanted and not had. The others were not wanted, never could be had (they are
// blind spots), or are the business of single connections.
constexpr bool is_loss(GapCause cause) {
  switch (cause) {
    case GapCause::ring_full:
    case GapCause::fault:
    case GapCause::not_captured:
    case GapCause::backend_switch:
      return true;
    default:
      return false;
  }
}

// Each ends with a NUL; the last one may be cut off.
std::vector<std::string> split_arguments(std::string_view text) {
  std::vector<std::string> arguments;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    arguments.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return arguments;
}

// The number by which its files can be reached through /proc; 0: none.
std::uint32_t local_pid_of(const std::shared_ptr<const ProcessFacts>& process) {
  return process ? process->local_pid.value_or(0) : 0;
}

}  // namespace

// ---- processes and files ----

std::shared_ptr<const ProcessFacts> Pipeline::facts_of(std::uint32_t tgid, EventTime at) {
  auto known = context_.processes.find(tgid, at);
  if (known || tgid == 0) return known;
  auto number = std::make_shared<ProcessFacts>();
  number->tgid = tgid;
  number->local_pid = context_.processes.local_pid(tgid);
  return number;
}

void Pipeline::tell(decltype(Record::body) body, EventTime at, std::string_view missing, std::string_view inferred) {
  auto record = std::make_unique<Record>();
  record->timestamp = context_.timeline.to_wall(at);
  record->backend = context_.options.backend;
  record->mechanism = context_.options.mechanism;
  record->body = std::move(body);
  record->missing = context_.missing[record->body.index()];
  if (!missing.empty() && std::ranges::find(record->missing, missing) == record->missing.end())
    record->missing.push_back(missing);
  if (!inferred.empty()) record->inferred.push_back(inferred);
  context_.records.on_record(std::move(record));
}

void Pipeline::on(const ProcessStarted& started, const Event& event, EventTime at) {
  if (!started.preexisting) {
    end_sessions_of(event.who.tgid, at);
    context_.processes.started(event.who, started, at);
  }
  if (!context_.options.processes) return;
  ProcessExec record;
  record.process = facts_of(event.who.tgid, at);
  if (started.parent_tgid != 0) record.parent = context_.processes.local_pid(started.parent_tgid);
  record.executable = started.executable;
  if (!started.arguments.empty()) record.arguments = split_arguments(started.arguments);
  record.arguments_cut = started.arguments_cut;
  record.gid = started.gid;
  std::string_view inferred;
  if (started.arguments.empty()) {  // the backend does not say: read now, while it is likely to be the same program
    if (auto asked = context_.processes.arguments(event.who.tgid, started.comm)) {
      if (!asked->text.empty()) {
        record.arguments = split_arguments(asked->text);
        inferred = "argv";
      }
      record.arguments_cut = asked->cut;
      if (!record.gid) record.gid = asked->gid;
    }
  }
  record.preexisting = started.preexisting;
  if (started.running_since) record.started_at = WallTime{*started.running_since};
  tell(std::move(record), at, {}, inferred);
}

void Pipeline::on(const ProcessForked& forked, const Event& event, EventTime at) {
  context_.processes.forked(event.who, forked.child_tgid, at);
}

void Pipeline::on(const ProcessExited& exited, const Event& event, EventTime at) {
  const bool whole = event.who.tid == 0 || event.who.tid == event.who.tgid;
  if (context_.options.processes && whole) {
    const bool known = exited.exit_code || exited.signal;
    tell(ProcessExit{facts_of(event.who.tgid, at), exited.exit_code, exited.signal}, at, known ? "" : "exit_code");
  }
  if (whole) end_sessions_of(event.who.tgid, at);
  context_.processes.exited(event.who, at);
}

bool Pipeline::wants_file(std::string_view path) const {
  const PipelineOptions& options = context_.options;
  if (!options.file_patterns.empty())
    return std::ranges::any_of(options.file_patterns,
                               [&](const std::string& pattern) { return glob_match(pattern, path); });
  return options.crypto == nullptr || options.crypto->is_candidate(path);
}

void Pipeline::on(const FileOpened& opened, const Event& event, EventTime at) {
  const PipelineOptions& options = context_.options;
  if (!options.files) return;
  FileOpen record;
  // Most opens are nobody's business: only for the others is the operating system asked who that was.
  const auto identify = [&] {
    if (record.process) return;
    if (opened.uid) context_.processes.hint(event.who.tgid, {}, opened.uid, at);
    record.process = facts_of(event.who.tgid, at);
  };
  // A pattern with folders in it may fit what a relative path leads to; that is found out without reading the file.
  const bool resolve = !options.file_patterns.empty() && options.crypto != nullptr && !opened.path.starts_with('/');
  const auto resolved = [&] {
    identify();
    return options.crypto
        ->look_into(
            {local_pid_of(record.process), opened.path, opened.directory_fd, opened.not_at_path, opened.path_cut},
            false)
        .path;
  };
  if (!wants_file(opened.path) && !(resolve && wants_file(resolved()))) {
    ++(opened.path.empty() || opened.path_cut ? context_.counters.opens_without_name
                                              : context_.counters.files_passed_over);
    return;
  }
  identify();
  record.file = opened.path;
  if (opened.flags) record.flags = open_flag_names(*opened.flags);
  if (opened.error) record.result = result_name(*opened.error);
  // Who never sees a failure declares `errno` missing: its opens are successes, and that says nothing of other opens.
  const auto& never_known = context_.missing[decltype(Record::body){FileOpen{}}.index()];
  if (std::ranges::find(never_known, "errno") == never_known.end()) record.error = opened.error;
  record.preexisting = opened.preexisting;
  if (options.crypto != nullptr && !opened.path.empty()) {
    const bool success = !opened.error || *opened.error == 0;
    record.finding = options.crypto->look_into(
        {local_pid_of(record.process), opened.path, opened.directory_fd, opened.not_at_path, opened.path_cut}, success);
  }
  tell(std::move(record), at, {}, opened.path_inferred && !opened.path.empty() ? "file" : "");
}

void Pipeline::on(const LibraryMapped& mapped, const Event& event, EventTime at) {
  const PipelineOptions& options = context_.options;
  if (!options.libraries || options.crypto == nullptr) return;
  // A library has several segments, and is mapped again by whoever opens it again.
  std::string key = std::to_string(event.who.tgid) + " " +
                    std::to_string(context_.processes.image_since(event.who.tgid).ns) + " " + std::string(mapped.path);
  if (libraries_told_.contains(key)) return;
  LibLoad record;
  record.process = facts_of(event.who.tgid, at);
  auto finding = options.crypto->library({local_pid_of(record.process), mapped.path, {}, mapped.not_at_path, false});
  if (!finding) {
    ++context_.counters.libraries_passed_over;
    return;
  }
  if (libraries_told_.size() >= options.libraries_told_max) libraries_told_.clear();
  libraries_told_.insert(std::move(key));
  record.library = mapped.path;
  record.library_name = mapped.path.substr(mapped.path.rfind('/') + 1);
  record.resolved = std::move(finding->path);
  record.family = std::move(finding->family);
  record.version = std::move(finding->version);
  record.note = std::move(finding->note);
  record.evidence = std::move(finding->evidence);
  record.preexisting = mapped.preexisting;
  tell(std::move(record), at, {}, mapped.path_inferred ? "library" : "");
}

void Pipeline::on(const CryptoCall& call, const Event& event, EventTime at) {
  if (!context_.options.api_calls) return;
  ApiCall record;
  record.process = facts_of(event.who.tgid, at);
  record.function_name = call.function;
  record.library = call.library;
  record.argument = call.argument;
  record.size = call.size;
  record.result = call.result;
  record.count = call.calls;
  record.evidence.push_back({EvidenceKind::symbol, record.function_name, {}});
  tell(std::move(record), at);
}

// ---- losses ----

void Pipeline::on(const Lost& lost, const Event&, EventTime) {
  ++context_.streams.loss_epoch;
  const auto cause = static_cast<std::size_t>(lost.cause);
  context_.counters.lost_events[cause] += lost.events;
  losses_[cause].events += lost.events;
}

void Pipeline::report_losses(EventTime now, bool all) {
  for (std::size_t cause = 0; cause < losses_.size(); ++cause) {
    LossRow& row = losses_[cause];
    if (is_loss(static_cast<GapCause>(cause))) {
      const std::uint64_t bytes = context_.streams.counters.gap_bytes[cause];
      row.bytes += bytes - std::exchange(loss_bytes_told_[cause], bytes);
    }
    if (row.events == 0 && row.bytes == 0) continue;
    if (!all && now < row.next_at) continue;
    row.next_at = EventTime{now.ns + context_.options.loss_interval_ns};
    auto record = std::make_unique<Record>();
    record->timestamp = context_.timeline.to_wall(now);
    record->body = Loss{{to_string(static_cast<GapCause>(cause)), row.events, row.bytes}, "kernel"};
    row.events = row.bytes = 0;
    context_.records.on_record(std::move(record));
  }
}

// ---- the last accounts ----

SilenceReport Pipeline::silence_report() const {
  SilenceReport report;
  report.transactions = context_.counters.transactions;
  for (const Layer layer : {Layer::socket, Layer::tls_plaintext}) {
    for (const AnalyzerEntry& each : context_.routers.of(layer).analyzers()) {
      const bool named = std::ranges::find(report.wanted, each.records) != report.wanted.end();
      if (each.make && !each.records.empty() && !named) report.wanted.push_back(each.records);
    }
  }
  report.filtered = context_.counters.connections_filtered;
  report.connections = context_.counters.connections - report.filtered;
  std::uint64_t named = 0;
  for (const ProtocolCount& row : context_.counters.protocols) {
    report.protocols.push_back(row);
    named += row.connections;
  }
  const std::uint64_t unnamed = report.connections > named ? report.connections - named : 0;
  if (unnamed > 0) report.protocols.push_back({"not decided", unnamed, false});
  return report;
}

void Pipeline::fill(TraceEnd& end) const {
  const PipelineCounters& counters = context_.counters;
  end.records_decoded += counters.transactions;
  end.self += counters.self;
  end.flows_filtered += counters.connections_filtered;
  end.unjoined += join_.unjoined();
  end.unwitnessed += counters.unwitnessed;
  end.ledger_mismatch += counters.ledger_mismatch;
  end.coverage.connections += context_.coverage.connections;
  end.coverage.bytes_flowed += context_.coverage.bytes_flowed;
  end.coverage.bytes_analyzed += context_.coverage.bytes_analyzed;
  end.coverage.bytes_skipped += context_.coverage.bytes_skipped;
  end.coverage.bytes_without_payload += context_.coverage.bytes_without_payload;
  end.coverage.bytes_lost += context_.coverage.bytes_lost;
  const auto lost = [&](std::string_view cause, std::uint64_t events, std::uint64_t bytes) {
    if (events != 0 || bytes != 0) end.lost.push_back({cause, events, bytes});
  };
  for (std::size_t cause = 0; cause < gap_cause_count; ++cause) {
    const auto it = static_cast<GapCause>(cause);
    lost(to_string(it), counters.lost_events[cause], is_loss(it) ? context_.streams.counters.gap_bytes[cause] : 0);
  }
  lost("flow_limit", counters.flows_evicted, 0);
  lost("session_limit", counters.sessions_evicted, 0);
  lost("held_limit", context_.streams.counters.held_limit_hits, 0);
  lost("pending_limit", counters.pending_limit_hits, 0);
  lost("process_limit", context_.processes.evicted(), 0);
  const auto blind = [&](std::string_view what, std::uint64_t flows) {
    if (flows == 0) return;
    std::optional<std::uint64_t>& row = end.blind_row(what).flows;
    row = row.value_or(0) + flows;
  };
  for (const ProtocolCount& row : counters.protocols) {
    // Of TLS it is known better: what was seen of the inside was counted as what it is.
    if (!row.analyzed && !(context_.options.plaintext && row.protocol == "TLS")) blind(row.protocol, row.connections);
  }
  blind("tls_without_plaintext", context_.tls_without_plaintext);
  blind("unseen_calls", counters.flows_of_unseen_calls);
  blind("preexisting", context_.preexisting_flows);
  if (counters.opens_without_name > 0) {
    std::optional<std::uint64_t>& count = end.blind_row("opens_without_name").count;
    count = count.value_or(0) + counters.opens_without_name;
  }
  blind("zero_copy", context_.zero_copy_flows);
  if (context_.zero_copy_bytes > 0) {
    std::optional<std::uint64_t>& bytes = end.blind_row("zero_copy").bytes;
    bytes = bytes.value_or(0) + context_.zero_copy_bytes;
  }
}

}  // namespace tracer
