// Sessions of TLS libraries: which flow carries each, and when it is over.
#include "core/pipeline.h"

namespace tracer {

void Pipeline::on(const PlaintextOpened& opened, const Event& event, EventTime at) {
  // First: a new flow may push an old one out, and with it the sessions that it carries.
  Flow* const flow = opened.flow.value != 0 ? &flow_of(opened.flow, at) : nullptr;
  PlaintextSession* session = sessions_.find(opened.session);
  if (session == nullptr) session = &open_session(opened.session, event.who.tgid, opened.from_start, at);
  if (opened.from_start) session->begins_at_start();
  if (opened.local) session->local = opened.local;
  if (opened.remote) session->remote = opened.remote;
  if (flow != nullptr) carry(*session, *flow, at);
}

PlaintextSession& Pipeline::open_session(FlowId id, std::uint32_t tgid, bool from_start, EventTime at) {
  if (sessions_.size() > 0 && sessions_.size() >= context_.options.sessions_max) {
    ++context_.counters.sessions_evicted;
    end_session(sessions_.oldest(), at);
  }
  ++context_.counters.sessions;
  return sessions_.create(context_, id, tgid, from_start);
}

// A session goes where its bytes go, unless what it told stands under another connection already.
void Pipeline::carry(PlaintextSession& session, Flow& flow, EventTime at) {
  Flow* const before = session.flow;
  if (before == &flow || session.told()) return;
  sessions_.bind(session, flow);
  if (session.begun()) flow.connection->take_session(session);
  if (before == nullptr || !before->unbound) return;
  if (auto& count = context_.unbound_sessions[session.tgid()]; count > 0) --count;
  end_connection(*before->connection, at, ConnectionEnd::open);
}

// No connection is known: it gets an identity of its own, of which only one process is known.
Flow& Pipeline::stand_for(PlaintextSession& session, EventTime at) {
  // It was over, its records wait, and it moves bytes all the same.
  if (const Flow* earlier = flows_.find(session.id())) end_connection(*earlier->connection, at, ConnectionEnd::closed);
  if (flows_.size() >= context_.options.flows_max) evict_oldest(at);
  Flow& flow = flows_.create(session.id());
  flow.unbound = true;
  flow.nameless = false;
  flow.end.local = session.local;
  flow.end.remote = session.remote;
  flow.owner = session.tgid();
  context_.processes.touch(flow.owner, at);
  make_connection(flow, at);
  sessions_.bind(session, flow);
  return flow;
}

void Pipeline::on_plaintext(const FlowData& data, const Event& event, EventTime at) {
  PlaintextSession* session = sessions_.find(data.flow);
  // Word of its opening was lost: which connection it was is not known any more.
  if (session == nullptr) session = &open_session(data.flow, event.who.tgid, false, at);
  if (session->flow == nullptr) stand_for(*session, at);
  Flow& flow = flow_of(session->flow->end.id, at);
  flow.connection->on_plaintext(*session, data, at);
}

void Pipeline::end_session(PlaintextSession& session, EventTime at) {
  Flow* const flow = session.flow;
  if (flow != nullptr) flow->connection->on_session_end(session, at);
  sessions_.erase(session);
  if (flow != nullptr && flow->unbound)
    closing_unbound_.emplace_back(EventTime{at.ns + context_.options.record_hold_ns}, flow->end.id);
}

// With it go the sessions of which no connection would tell that they are over.
void Pipeline::end_sessions_of(std::uint32_t tgid, EventTime at) {
  for (const FlowId id : sessions_.unbound_of(tgid)) {
    if (PlaintextSession* session = sessions_.find(id)) end_session(*session, at);
  }
}

void Pipeline::forget_sessions(Flow& flow) {
  while (!flow.sessions.empty()) sessions_.erase(*flow.sessions.back());
}

void Pipeline::bury_unbound(EventTime now, bool all) {
  while (!closing_unbound_.empty() && (all || closing_unbound_.front().first <= now)) {
    const auto [at, id] = closing_unbound_.front();
    closing_unbound_.pop_front();
    Flow* const flow = flows_.find(id);
    if (flow != nullptr && flow->sessions.empty())
      end_connection(*flow->connection, std::min(at, now), ConnectionEnd::closed);
  }
}

}  // namespace tracer
