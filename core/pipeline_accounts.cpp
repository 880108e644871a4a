// What the pipeline tells beside connections: processes, files, losses, and its last accounts.
#include <algorithm>
#include <utility>

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
  context_.processes.started(event.who, started, at);
  if (!context_.options.processes) return;
  ProcessExec record;
  record.process = facts_of(event.who.tgid, at);
  if (started.parent_tgid != 0) record.parent = context_.processes.local_pid(started.parent_tgid);
  record.executable = started.executable;
  tell(std::move(record), at);
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
  context_.processes.exited(event.who, at);
}

void Pipeline::on(const FileOpened& opened, const Event& event, EventTime at) {
  if (!context_.options.files) return;
  FileOpen record;
  record.process = facts_of(event.who.tgid, at);
  record.file = opened.path;
  if (opened.flags) record.flags = open_flag_names(*opened.flags);
  if (opened.error) record.result = result_name(*opened.error);
  tell(std::move(record), at, {}, opened.path_inferred && !opened.path.empty() ? "file" : "");
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
  lost("held_limit", context_.streams.counters.held_limit_hits, 0);
  lost("pending_limit", counters.pending_limit_hits, 0);
  lost("process_limit", context_.processes.evicted(), 0);
  const auto blind = [&](std::string_view what, std::uint64_t flows) {
    if (flows == 0) return;
    std::optional<std::uint64_t>& row = end.blind_row(what).flows;
    row = row.value_or(0) + flows;
  };
  for (const ProtocolCount& row : counters.protocols) {
    if (!row.analyzed) blind(row.protocol, row.connections);
  }
  blind("unseen_calls", counters.flows_of_unseen_calls);
  blind("preexisting", context_.preexisting_flows);
  blind("zero_copy", context_.zero_copy_flows);
  if (context_.zero_copy_bytes > 0) {
    std::optional<std::uint64_t>& bytes = end.blind_row("zero_copy").bytes;
    bytes = bytes.value_or(0) + context_.zero_copy_bytes;
  }
}

}  // namespace tracer
