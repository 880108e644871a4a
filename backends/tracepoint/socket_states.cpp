#include "backends/tracepoint/socket_states.h"

namespace tracer {
namespace {

enum State : std::uint32_t {
  established = 1,
  syn_sent = 2,
  syn_received = 3,
  fin_wait1 = 4,
  closed = 7,
  close_wait = 8,
  last_ack = 9,
  listening = 10,
  new_syn_received = 12,
};

bool is_beginning(std::uint32_t state) {
  return state == syn_sent || state == syn_received || state == new_syn_received;
}

template <typename Body>
void tell(EventHandler& handler, EventTime at, ProcessRef who, Body body) {
  Event event;
  event.at = at;
  event.who = who;
  event.body = std::move(body);
  handler.on_event(event);
}

}  // namespace

void SocketStates::open(Flow& flow, const SocketStateChange& change, EventTime at, bool preexisting,
                        EventHandler& handler) {
  flow.opened = true;
  FlowOpened opened;
  opened.flow = flow.id;
  opened.local = change.local;
  opened.remote = change.remote;
  opened.preexisting = preexisting;
  if (change.to == established && change.from == syn_sent) opened.role = Role::client;
  if (change.to == established && change.from == syn_received) opened.role = Role::server;
  tell(handler, at, flow.owner, opened);
}

void SocketStates::on_change(const SocketStateChange& change, std::uint64_t at_ns, ProcessRef who,
                             EventHandler& handler) {
  const EventTime at{at_ns};
  if (change.from == listening || change.to == listening) return;
  auto known = flows_.find(change.socket);
  if (is_beginning(change.to) && known != flows_.end()) {  // its end was lost
    if (known->second.opened) tell(handler, at, {}, FlowClosed{known->second.id, {}, {}, {}, {}});
    flows_.erase(known);
    known = flows_.end();
  }
  if (known == flows_.end()) {
    // A connection that never came about, or one that is over: nothing to tell.
    if (change.to == closed && (is_beginning(change.from) || change.from == closed)) return;
    if (flows_.size() >= flows_max_) {
      ++untracked_;
      return;
    }
    known = flows_.emplace(change.socket, Flow{{next_id_++}, {}, false}).first;
    if (change.to == syn_sent) known->second.owner = who;  // only connect(2) runs as the process that asked
  }
  Flow& flow = known->second;
  if (is_beginning(change.to)) return;
  if (change.to == closed && !flow.opened && is_beginning(change.from)) {
    flows_.erase(known);
    return;
  }
  if (!flow.opened) open(flow, change, at, change.to != established && !is_beginning(change.from), handler);
  if (change.to == fin_wait1 || change.to == last_ack) tell(handler, at, {}, StreamEnded{flow.id, Direction::tx, {}});
  if (change.to == close_wait) tell(handler, at, {}, StreamEnded{flow.id, Direction::rx, {}});
  if (change.to == closed) {
    tell(handler, at, {}, FlowClosed{flow.id, {}, {}, {}, {}});
    flows_.erase(known);
  } else {
    FlowMeasured measured;
    measured.flow = flow.id;
    measured.tcp_state = static_cast<std::uint8_t>(change.to);
    tell(handler, at, {}, measured);
  }
}

}  // namespace tracer
