#include "core/plaintext_sessions.h"

#include <algorithm>

namespace tracer {

PlaintextSession* PlaintextSessions::find(FlowId id) {
  const auto found = by_id_.find(id.value);
  if (found == by_id_.end()) return nullptr;
  by_age_.splice(by_age_.begin(), by_age_, found->second);
  return &*found->second;
}

PlaintextSession& PlaintextSessions::create(PipelineContext& context, FlowId id, std::uint32_t tgid, bool from_start) {
  by_age_.emplace_front(context, id, tgid, from_start);
  by_id_[id.value] = by_age_.begin();
  return by_age_.front();
}

void PlaintextSessions::erase(PlaintextSession& session) {
  unbind(session);
  const auto found = by_id_.find(session.id().value);
  by_age_.erase(found->second);
  by_id_.erase(found);
}

void PlaintextSessions::bind(PlaintextSession& session, Flow& flow) {
  unbind(session);
  session.flow = &flow;
  flow.sessions.push_back(&session);
  if (flow.unbound) unbound_[session.tgid()].push_back(session.id());
}

void PlaintextSessions::unbind(PlaintextSession& session) {
  Flow* const flow = session.flow;
  if (flow == nullptr) return;
  session.flow = nullptr;
  std::erase(flow->sessions, &session);
  if (!flow->unbound) return;
  const auto row = unbound_.find(session.tgid());
  if (row == unbound_.end()) return;
  std::erase(row->second, session.id());
  if (row->second.empty()) unbound_.erase(row);
}

std::vector<FlowId> PlaintextSessions::unbound_of(std::uint32_t tgid) const {
  const auto row = unbound_.find(tgid);
  return row == unbound_.end() ? std::vector<FlowId>() : row->second;
}

}  // namespace tracer
