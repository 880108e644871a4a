#include "core/pipeline.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace tracer {

namespace {

constexpr std::uint64_t tick_ns = 25'000'000;
// A connection without an event for this long has nothing that waits for time to pass.
constexpr std::uint64_t busy_ns = 1'000'000'000;
// So many calls may pass before a mirrored end that cannot be proven is given up.
constexpr std::uint32_t join_tries_max = 64;

}  // namespace

Pipeline::Pipeline(PipelineOptions options, Router router, const Timeline& timeline, Ownership& ownership,
                   VerdictSink& verdicts, RecordSink& records, Handover from)
    : context_{.options = options,
               .router = std::move(router),
               .processes = ProcessTable(ownership, ProcessLimits{options.processes_max, options.process_keep_ns}),
               .timeline = timeline,
               .verdicts = verdicts,
               .records = records,
               .pool = RecordPool(options.records_pooled_max),
               .streams = StreamEnvironment{options.stream, {}, 0, 0},
               .counters = {},
               .records_pending = 0,
               .now = {},
               .nameless_flows = 0,
               .nameless_since = {}},
      join_(options.close_linger_ns),
      next_connection_id_(from.next_connection_id) {}

Pipeline::~Pipeline() = default;

bool Pipeline::ignored(std::uint32_t tgid) const {
  return std::find(context_.options.ignored_tgids.begin(), context_.options.ignored_tgids.end(), tgid) !=
         context_.options.ignored_tgids.end();
}

void Pipeline::on_event(const Event& event) {
  ++context_.counters.events;
  if (event.who.tgid != 0 && ignored(event.who.tgid)) {
    // What a reader of the output starts is a part of it: `tracer | while read line; do curl …`.
    auto& tgids = context_.options.ignored_tgids;
    if (const auto* forked = std::get_if<ProcessForked>(&event.body)) tgids.push_back(forked->child_tgid);
    if (std::holds_alternative<ProcessExited>(event.body)) std::erase(tgids, event.who.tgid);
    ++context_.counters.self;
    return;
  }
  const EventTime at = context_.timeline.to_run(event.at);
  context_.now = std::max(context_.now, at);
  std::visit([&](const auto& body) { on(body, event, at); }, event.body);
  if (context_.now >= next_tick_) tick(context_.now);
}

void Pipeline::advance(EventTime backend_now) {
  context_.now = std::max(context_.now, context_.timeline.to_run(backend_now));
  if (context_.now >= next_tick_) tick(context_.now);
}

void Pipeline::tick(EventTime now) {
  next_tick_ = EventTime{now.ns + tick_ns};
  for (Connection* connection = newest_; connection != nullptr;) {
    if (connection->last_at.ns + busy_ns < now.ns) break;
    Connection* const next = connection->older;
    connection->on_time(now);
    connection = next;
  }
  bury_closed(now, false);
  context_.processes.advance(now);
  report_losses(now, false);
}

void Pipeline::finish() {
  const EventTime now = context_.now;
  bury_closed(now, true);
  while (oldest_ != nullptr) end_connection(*oldest_, now, "open");
  report_losses(now, true);
}

Handover Pipeline::hand_over() {
  finish();
  return {next_connection_id_, {}};
}

// ---- flows ----

void Pipeline::link_newest(Connection& connection) {
  connection.newer = nullptr;
  connection.older = newest_;
  if (newest_ != nullptr) newest_->newer = &connection;
  newest_ = &connection;
  if (oldest_ == nullptr) oldest_ = &connection;
}

void Pipeline::unlink(Connection& connection) {
  (connection.newer != nullptr ? connection.newer->older : newest_) = connection.older;
  (connection.older != nullptr ? connection.older->newer : oldest_) = connection.newer;
}

Flow& Pipeline::flow_of(FlowId id, EventTime at) {
  Flow* flow = flows_.find(id);
  if (flow == nullptr) {
    if (flows_.size() >= context_.options.flows_max) evict_oldest(at);
    flow = &flows_.create(id);
    flow->loss_epoch = context_.streams.loss_epoch;
    ++context_.counters.flows;
    ++context_.nameless_flows;
    context_.nameless_since = at;
    ++context_.counters.connections;
    const std::uint64_t connection_id = next_connection_id_++;
    auto connection = std::make_unique<Connection>(context_, connection_id, *flow, at);
    link_newest(*connection);
    connections_.emplace(connection_id, std::move(connection));
  }
  Connection& connection = *flow->connection;
  connection.last_at = std::max(at, context_.now);  // the list is by arrival: a call that blocked long began long ago
  if (newest_ != &connection) {
    unlink(connection);
    link_newest(connection);
  }
  return *flow;
}

void Pipeline::on(const FlowData& data, const Event& event, EventTime at) {
  Flow& flow = flow_of(data.flow, at);
  if (event.who.tgid != 0) {
    std::uint32_t& mover = flow.mover[index_of(data.direction)];
    if (mover != event.who.tgid) {
      mover = event.who.tgid;
      context_.processes.touch(mover, at);
    }
  }
  if (data.layer == Layer::socket) {
    SeenRange& seen = data.direction == Direction::tx ? flow.end.tx : flow.end.rx;
    const bool first = !seen.known;
    seen.include(data.offset, data.offset + data.moved);
    if (flow.end.indexed && !flow.end.joined && (first || flow.join_tries != 0)) try_join(flow);
  }
  if (data.rest == GapCause::filter && !flow.filtered) note_filtered(flow);
  flow.connection->on_data(flow, data, at);
}

void Pipeline::note_filtered(Flow& flow) {
  flow.filtered = true;
  if (flow.connection->filtered()) ++context_.counters.connections_filtered;
}

void Pipeline::on(const FlowOpened& opened, const Event& event, EventTime at) {
  Flow& flow = flow_of(opened.flow, at);
  JoinEnd& end = flow.end;
  end.opened = true;
  end.preexisting = opened.preexisting;
  end.offset_source = opened.offset_source;
  if (opened.local) end.local = opened.local;
  if (opened.remote) end.remote = opened.remote;
  if (opened.role != Role::unknown) end.role = opened.role;
  if (opened.network_namespace != 0) end.network_namespace = opened.network_namespace;
  end.opened_at = opened.preexisting ? EventTime{} : at;
  // A counter starts with the flow; a sequence number of 0 belongs to a socket that has none yet.
  const auto start = [&](const std::optional<std::uint64_t>& offset) -> std::optional<std::uint64_t> {
    if (offset && opened.offset_source == OffsetSource::sequence && *offset == 0) return std::nullopt;
    return offset;
  };
  flow.start = {start(opened.tx_offset), start(opened.rx_offset)};
  if (flow.start[0]) end.tx.start_at(*flow.start[0]);
  if (flow.start[1]) end.rx.start_at(*flow.start[1]);
  if (event.who.tgid != 0) {
    flow.owner = event.who.tgid;
    context_.processes.touch(flow.owner, at);
  }
  try_join(flow);
  flow.connection->on_flow_known(flow);
}

void Pipeline::on(const FlowUpdated& updated, const Event&, EventTime at) {
  Flow& flow = flow_of(updated.flow, at);
  JoinEnd& end = flow.end;
  const bool moves = (updated.local && end.local != updated.local) || (updated.remote && end.remote != updated.remote);
  if (moves && end.indexed) join_.unindex(end);
  if (updated.local) end.local = updated.local;
  if (updated.remote) end.remote = updated.remote;
  if (updated.role != Role::unknown) end.role = updated.role;
  if (updated.network_namespace != 0) end.network_namespace = updated.network_namespace;
  if (updated.owner) {
    flow.owner = updated.owner->tgid;
    if (updated.owner_local_pid) context_.processes.learn(flow.owner, *updated.owner_local_pid);
    context_.processes.hint(flow.owner, updated.owner_comm, updated.owner_uid, at);
    context_.processes.touch(flow.owner, at);
  }
  try_join(flow);
  flow.connection->on_flow_known(flow);
}

void Pipeline::on(const FlowMeasured&, const Event&, EventTime) {}

void Pipeline::on(const FileOpened&, const Event&, EventTime) {}

void Pipeline::on(const StreamEnded& ended, const Event&, EventTime at) {
  if (Flow* flow = flows_.find(ended.flow)) flow->connection->on_stream_end(*flow, ended, at);
}

void Pipeline::on(const FlowClosed& closed, const Event&, EventTime at) {
  Flow* flow = flows_.find(closed.flow);
  if (flow == nullptr || flow->closed) return;
  flow->closed = true;
  flow->closing = closed;
  flow->end.closed_at = at;
  closing_.emplace_back(EventTime{at.ns + context_.options.close_linger_ns}, closed.flow);
}

void Pipeline::name(Flow& flow) {
  if (std::exchange(flow.nameless, false)) --context_.nameless_flows;
}

void Pipeline::try_join(Flow& flow) {
  if (flow.end.local && flow.end.remote) name(flow);
  if (flow.end.joined) return;
  const ConnectionJoin::Finding finding = join_.find(flow.end);
  using Outcome = ConnectionJoin::Outcome;
  if (finding.outcome == Outcome::ambiguous) ++context_.counters.ambiguous;
  const bool possible = finding.outcome == Outcome::possible && flow.join_tries < join_tries_max;
  flow.join_tries = possible ? flow.join_tries + 1 : 0;
  flow.connection->set_join_possible(possible);
  if (possible) {
    Flow& candidate = *flows_.find(finding.peer->id);
    candidate.join_tries = std::max(candidate.join_tries, 1U);
    candidate.connection->set_join_possible(true);
  }
  if (finding.outcome != Outcome::joined) return;

  Flow& peer = *flows_.find(finding.peer->id);
  Connection* survivor = peer.connection;
  Connection* absorbed = flow.connection;
  // The one that has come further has told what the other would tell again; unless it has told nothing but sizes.
  const auto rank = [](const Connection& it) { return std::tuple(!it.filtered(), it.progress(), it.transactions()); };
  // Where neither has, the client's: if the two cannot be merged it alone brings bytes, and an idle server is more
  // likely to have been inside a read already when the tracer came.
  const bool client_first = rank(*absorbed) == rank(*survivor) && flow.end.role == Role::client;
  if (client_first || rank(*absorbed) > rank(*survivor)) std::swap(survivor, absorbed);
  ++context_.counters.joined;
  --context_.counters.connections;
  for (const Connection* one : {survivor, absorbed}) context_.counters.connections_filtered -= one->filtered() ? 1 : 0;
  survivor->absorb(*absorbed);
  context_.counters.connections_filtered += survivor->filtered() ? 1 : 0;
  survivor->last_at = std::max(survivor->last_at, absorbed->last_at);
  forget(*absorbed);
}

void Pipeline::forget(Connection& connection) {
  unlink(connection);
  connections_.erase(connection.id());
}

void Pipeline::bury_closed(EventTime now, bool all) {
  while (!closing_.empty() && (all || closing_.front().first <= now)) {
    const FlowId id = closing_.front().second;
    closing_.pop_front();
    Flow* flow = flows_.find(id);
    if (flow == nullptr) continue;  // evicted meanwhile
    Connection& connection = *flow->connection;
    const EventTime closed_at = *flow->end.closed_at;
    flow->ended = true;
    connection.on_flow_end(*flow, closed_at);
    join_.unindex(flow->end);
    const Flow* peer = connection.flow(other(flow->side));
    const bool over = peer == nullptr || peer->ended;
    if (over) end_connection(connection, closed_at, "closed");
  }
}

void Pipeline::end_connection(Connection& connection, EventTime at, std::string_view state) {
  const bool unknown = connection.protocol().empty() && connection.progress() > 0 && !connection.filtered();
  if (unknown) context_.count_protocol("unknown", false);
  connection.finish(at, state);
  for (const Side side : {Side::a, Side::b}) {
    if (Flow* flow = connection.flow(side)) {
      join_.unindex(flow->end);
      name(*flow);
      flows_.erase(flow->end.id);
    }
  }
  forget(connection);
}

void Pipeline::evict_oldest(EventTime at) {
  if (oldest_ == nullptr) return;
  context_.counters.flows_evicted += oldest_->joined() ? 2 : 1;
  end_connection(*oldest_, at, "open");
}

// ---- processes and losses ----

void Pipeline::on(const ProcessStarted& started, const Event& event, EventTime at) {
  context_.processes.started(event.who, started, at);
}

void Pipeline::on(const ProcessForked& forked, const Event& event, EventTime at) {
  context_.processes.forked(event.who, forked.child_tgid, at);
}

void Pipeline::on(const ProcessExited&, const Event& event, EventTime at) { context_.processes.exited(event.who, at); }

void Pipeline::on(const Lost& lost, const Event&, EventTime) {
  ++context_.streams.loss_epoch;
  const auto cause = static_cast<std::size_t>(lost.cause);
  context_.counters.lost_events[cause] += lost.events;
  losses_[cause].events += lost.events;
}

void Pipeline::report_losses(EventTime now, bool all) {
  LossRow& ring = losses_[static_cast<std::size_t>(GapCause::ring_full)];
  const std::uint64_t ring_full_bytes = context_.streams.counters.ring_full_bytes;
  ring.bytes += ring_full_bytes - std::exchange(ring_full_bytes_told_, ring_full_bytes);
  for (std::size_t cause = 0; cause < losses_.size(); ++cause) {
    LossRow& row = losses_[cause];
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
  const auto lost = [&](std::string_view cause, std::uint64_t events, std::uint64_t bytes) {
    if (events != 0 || bytes != 0) end.lost.push_back({cause, events, bytes});
  };
  for (std::size_t cause = 0; cause < gap_cause_count; ++cause) {
    const bool ring_full = static_cast<GapCause>(cause) == GapCause::ring_full;
    lost(to_string(static_cast<GapCause>(cause)), counters.lost_events[cause],
         ring_full ? context_.streams.counters.ring_full_bytes : 0);
  }
  lost("flow_limit", counters.flows_evicted, 0);
  lost("held_limit", context_.streams.counters.held_limit_hits, 0);
  lost("pending_limit", counters.pending_limit_hits, 0);
  lost("process_limit", context_.processes.evicted(), 0);
  for (const ProtocolCount& row : counters.protocols) {
    if (!row.analyzed) end.blind.push_back({row.protocol, row.connections, 0});
  }
  if (counters.flows_of_unseen_calls > 0) end.blind.push_back({"unseen_calls", counters.flows_of_unseen_calls, 0});
}

}  // namespace tracer
