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

Pipeline::Pipeline(PipelineOptions options, Routers routers, const Timeline& timeline, Ownership& ownership,
                   VerdictSink& verdicts, RecordSink& records, Handover from)
    : context_{.options = options,
               .routers = std::move(routers),
               .processes = ProcessTable(ownership, ProcessLimits{options.processes_max, options.process_keep_ns}),
               .timeline = timeline,
               .verdicts = verdicts,
               .records = records,
               .missing = missing_by_body(options.missing),
               .pool = RecordPool(options.records_pooled_max),
               .streams = StreamEnvironment{options.stream, {}, 0, 0},
               .counters = {},
               .records_pending = 0,
               .now = {},
               .nameless_flows = 0,
               .nameless_since = {},
               .owners_told = false,
               .coverage = {},
               .preexisting_flows = 0,
               .zero_copy_flows = 0,
               .zero_copy_bytes = 0,
               .twins = TransactionTwins(),
               .tls_without_plaintext = 0,
               .unbound_sessions = {}},
      join_(options.close_linger_ns),
      carried_(std::move(from.connections)),
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
  // Before the event: it may come long after the one before it.
  if (context_.now >= next_tick_ && context_.options.crypto != nullptr) context_.options.crypto->tick();
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
  if (context_.options.crypto != nullptr) context_.options.crypto->tick();
  if (!carried_.empty()) carried_.advance(now);
  report_losses(now, false);
}

void Pipeline::finish() {
  const EventTime now = context_.now;
  bury_closed(now, true);
  while (oldest_ != nullptr) end_connection(*oldest_, now, ConnectionEnd::open);
  report_losses(now, true);
}

Handover Pipeline::hand_over() {
  const EventTime now = context_.now;
  bury_closed(now, true);
  Handover handover{next_connection_id_, carried_.unused()};
  ended_.append_to(handover.connections, now);
  while (oldest_ != nullptr) {
    Connection& connection = *oldest_;
    connection.cut(now, StreamEnd::handed_over);
    if (auto carried = connection.to_carry()) handover.connections.push_back(std::move(*carried));
    end_connection(connection, now, ConnectionEnd::handed_over);
  }
  report_losses(now, true);
  return handover;
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
    make_connection(*flow, at);
  }
  Connection& connection = *flow->connection;
  connection.last_at = std::max(at, context_.now);  // the list is by arrival: a call that blocked long began long ago
  if (newest_ != &connection) {
    unlink(connection);
    link_newest(connection);
  }
  return *flow;
}

void Pipeline::make_connection(Flow& flow, EventTime at) {
  const std::uint64_t connection_id = next_connection_id_++;
  auto connection = std::make_unique<Connection>(context_, connection_id, flow, at);
  link_newest(*connection);
  connections_.emplace(connection_id, std::move(connection));
}

void Pipeline::on(const FlowData& data, const Event& event, EventTime at) {
  if (data.layer == Layer::tls_plaintext) return on_plaintext(data, event, at);
  Flow& flow = flow_of(data.flow, at);
  if (event.who.tgid != 0) {
    std::uint32_t& mover = flow.mover[index_of(data.direction)];
    if (mover != event.who.tgid) {
      mover = event.who.tgid;
      context_.processes.touch(mover, at);
    }
  }
  SeenRange& seen = data.direction == Direction::tx ? flow.end.tx : flow.end.rx;
  const bool first = !seen.known;
  seen.include(data.offset, data.offset + data.moved);
  if (flow.end.indexed && !flow.end.joined && (first || flow.join_tries != 0)) try_join(flow);
  if (data.rest == GapCause::filter && !flow.filtered) note_filtered(flow);
  flow.connection->on_data(flow, data, at);
}

void Pipeline::on(const FlowMeasured& measured, const Event&, EventTime at) {
  FlowMeasured& last = flow_of(measured.flow, at).measured;
  if (measured.tcp_state) last.tcp_state = measured.tcp_state;
  if (measured.rtt_us) last.rtt_us = measured.rtt_us;
  if (measured.retransmits) last.retransmits = measured.retransmits;
}

void Pipeline::note_filtered(Flow& flow) {
  flow.filtered = true;
  if (flow.connection->filtered()) ++context_.counters.connections_filtered;
}

void Pipeline::on(const FlowOpened& opened, const Event& event, EventTime at) {
  Flow& flow = flow_of(opened.flow, at);
  JoinEnd& end = flow.end;
  end.opened = true;
  if (opened.preexisting && !end.preexisting) ++context_.preexisting_flows;
  end.preexisting = opened.preexisting;
  end.opening = opened.opening;
  flow.vantage = opened.vantage;
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
  if (updated.owner) note_owner(flow, updated, at);
  try_join(flow);
  flow.connection->on_flow_known(flow);
}

void Pipeline::note_owner(Flow& flow, const FlowUpdated& updated, EventTime at) {
  const std::uint32_t tgid = updated.owner->tgid;
  (updated.owner_is_remote ? flow.remote_owner : flow.owner) = tgid;
  (updated.owner_is_remote ? flow.remote_owner_inferred : flow.owner_inferred) = updated.owner_inferred;
  if (updated.owner_local_pid) context_.processes.learn(tgid, *updated.owner_local_pid);
  context_.processes.hint(tgid, updated.owner_comm, updated.owner_uid, at);
  context_.processes.touch(tgid, at);
  if (flow.vantage != Vantage::wire) return;
  context_.owners_told = true;
  if (!ignored(tgid)) return;
  ++context_.counters.self;
  flow.connection->disown();
}

void Pipeline::on(const StreamEnded& ended, const Event&, EventTime at) {
  if (Flow* flow = flows_.find(ended.flow)) flow->connection->on_stream_end(*flow, ended, at);
}

void Pipeline::on(const FlowClosed& closed, const Event&, EventTime at) {
  if (PlaintextSession* session = sessions_.find(closed.flow)) return end_session(*session, at);
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
  if (flow.nameless && flow.end.local && flow.end.remote) {
    name(flow);
    if (!carried_.empty()) carry_on(flow);
  }
  if (flow.end.joined || flow.vantage == Vantage::wire) return;
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

void Pipeline::carry_on(Flow& flow) {
  const JoinEnd& end = flow.end;
  std::optional<WallTime> opened_at;
  if (end.opened && !end.preexisting) opened_at = context_.timeline.to_wall(end.opened_at);
  if (const CarriedConnection* carried = carried_.find(end, opened_at)) flow.connection->carry_on(*carried);
}

void Pipeline::forget(Connection& connection) {
  unlink(connection);
  connections_.erase(connection.id());
}

void Pipeline::bury_closed(EventTime now, bool all) {
  bury_unbound(now, all);
  while (!closing_.empty() && (all || closing_.front().first <= now)) {
    const FlowId id = closing_.front().second;
    closing_.pop_front();
    Flow* flow = flows_.find(id);
    if (flow == nullptr || !flow->closed) continue;  // evicted meanwhile, and perhaps seen again
    Connection& connection = *flow->connection;
    const EventTime closed_at = *flow->end.closed_at;
    flow->ended = true;
    connection.on_flow_end(*flow, closed_at);
    forget_sessions(*flow);
    join_.unindex(flow->end);
    const Flow* peer = connection.flow(other(flow->side));
    const bool over = peer == nullptr || peer->ended;
    if (over) end_connection(connection, closed_at, ConnectionEnd::closed);
  }
}

void Pipeline::end_connection(Connection& connection, EventTime at, ConnectionEnd how) {
  const bool unknown = connection.protocol().empty() && connection.progress() > 0 && !connection.filtered();
  if (unknown && how != ConnectionEnd::handed_over && connection.payload_seen())
    context_.count_protocol("unknown", false);
  connection.finish(at, how);
  if (how == ConnectionEnd::closed && context_.options.mechanism != Mechanism::file) {
    if (auto carried = connection.to_carry()) ended_.add(std::move(*carried), at);
  }
  for (const Side side : {Side::a, Side::b}) {
    if (Flow* flow = connection.flow(side)) {
      join_.unindex(flow->end);
      name(*flow);
      forget_sessions(*flow);
      flows_.erase(flow->end.id);
    }
  }
  forget(connection);
}

void Pipeline::evict_oldest(EventTime at) {
  if (oldest_ == nullptr) return;
  context_.counters.flows_evicted += oldest_->joined() ? 2 : 1;
  end_connection(*oldest_, at, ConnectionEnd::open);
}

}  // namespace tracer
