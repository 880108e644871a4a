#include "backends/tracepoint/descriptor_tracker.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "backends/bpf/decode.h"

namespace tracer {
namespace {

constexpr wire_fd_value not_tcp{.flow = 0, .unresolved = {}, .kind = WIRE_FD_KIND_OTHER, .close_on_exec = 0};

constexpr std::uint8_t raw(TcpState state) { return static_cast<std::uint8_t>(state); }

Event event_at(EventTime at, ProcessRef who) {
  Event event;
  event.at = at;
  event.who = who;
  return event;
}

ProcessRef who_of(const wire_header& header) { return {header.tgid, header.tid}; }

// The entry of that peer; end: there is none, or it is not certain which (two namespaces with the same peer).
template <typename PerPeer>
auto only_one_of(PerPeer& entries, const Endpoint& remote) {
  const auto [first, last] = entries.equal_range(remote);
  return first != last && std::next(first) == last ? first : entries.end();
}

}  // namespace

void DescriptorTracker::open_flow(std::uint64_t id, const Flow& flow, Role role, bool preexisting, ProcessRef who,
                                  EventTime at, EventHandler& out) {
  FlowOpened opened;
  opened.flow = {id};
  opened.local = flow.local;
  opened.remote = flow.remote;
  opened.role = role;
  opened.network_namespace = namespace_of(who.tgid);
  opened.preexisting = preexisting;
  opened.tx_offset = 0;
  opened.rx_offset = 0;
  if (flow.local && flow.remote) by_tuple_[{*flow.local, *flow.remote}] = id;
  if (flow.inode != 0) by_inode_[flow.inode] = id;
  flows_[id] = flow;
  Event event = event_at(at, who);
  event.body = opened;
  out.on_event(event);
}

void DescriptorTracker::adopt_existing(EventTime now, EventHandler& out) {
  const auto owned = ownership_.all_tcp_descriptors();
  std::set<std::pair<std::uint64_t, std::uint16_t>> listening;  // namespace, port
  for (const auto& each : owned)
    if (each.socket.state == TcpState::listen && each.socket.local)
      listening.emplace(each.socket.network_namespace, each.socket.local->port);
  for (const auto& each : owned) {
    const SocketFacts& facts = each.socket;
    std::uint64_t flow = 0;
    if (facts.state != TcpState::listen && facts.state != TcpState::close && facts.local && facts.remote) {
      const auto known = by_inode_.find(facts.inode);
      flow = known != by_inode_.end() ? known->second : 0;
      if (flow == 0) {
        flow = next_own_flow_++;
        Role role = Role::unknown;
        if (listening.contains({facts.network_namespace, facts.local->port}))
          role = Role::server;
        else if (listening.contains({facts.network_namespace, facts.remote->port}))
          role = Role::client;
        map_->add_stream(flow);
        open_flow(flow, {facts.local, facts.remote, 0, facts.inode}, role, true, {each.tgid, each.tgid}, now, out);
      }
    }
    wire_fd_value known{};
    known.flow = flow;
    known.kind = WIRE_FD_KIND_TCP;
    map_->set({each.tgid, each.fd}, known, false);
  }
}

void DescriptorTracker::on_descriptor(const wire_fd& note, EventHandler& out) {
  switch (note.op) {
    case WIRE_FD_CONNECT:
      return on_connect(note, out);
    case WIRE_FD_ACCEPT:
      return on_accept(note, out);
    case WIRE_FD_UNKNOWN:
      return on_unknown(note, out);
    default:
      return;
  }
}

void DescriptorTracker::bind(std::uint64_t flow, std::uint64_t socket) {
  const auto at = sockets_.find(socket);
  if (at == sockets_.end()) return;
  at->second.flow = flow;
  if (const auto known = flows_.find(flow); known != flows_.end()) known->second.socket = socket;
}

void DescriptorTracker::on_connect(const wire_fd& note, EventHandler& out) {
  Flow flow;
  flow.socket = note.socket;
  if ((note.flags & WIRE_FLAG_REMOTE) != 0) flow.remote = wire_endpoint(note.remote_address, note.remote_port);
  const auto seen = sockets_.find(note.socket);
  if (seen != sockets_.end()) {
    flow.local = seen->second.local;
    flow.remote = seen->second.remote;
    seen->second.flow = note.header.flow;
  } else {
    remember(note.socket, {{}, flow.remote.value_or(Endpoint{}), note.header.flow});
  }
  open_flow(note.header.flow, flow, Role::client, false, who_of(note.header), {note.header.at_ns}, out);
}

std::uint64_t DescriptorTracker::claim(const Endpoint& remote) {
  const auto only = only_one_of(unclaimed_, remote);
  if (only == unclaimed_.end()) return 0;
  const std::uint64_t socket = only->second;
  unclaimed_.erase(only);
  return socket;
}

// The port that the listener listens on; what was last known of it once it is closed.
std::optional<std::uint16_t> DescriptorTracker::port_of(std::uint32_t tgid, int listener) {
  const FdAnswer answer = ownership_.descriptor(tgid, listener);
  if (answer.kind == FdKind::tcp && answer.socket.local) {
    if (listener_ports_.size() >= options_.sockets_max) listener_ports_.clear();
    return listener_ports_[{tgid, listener}] = answer.socket.local->port;
  }
  const auto known = listener_ports_.find({tgid, listener});
  return answer.kind == FdKind::gone && known != listener_ports_.end() ? std::optional(known->second) : std::nullopt;
}

// accept did not say who the peer is: the only unclaimed connection to the listener's port; where the port is not known
// any more, the only unclaimed connection at all.
std::uint64_t DescriptorTracker::claim_at(std::uint32_t tgid, int listener) {
  if (unclaimed_.empty()) return 0;
  const auto port = port_of(tgid, listener);
  auto chosen = unclaimed_.end();
  for (auto each = unclaimed_.begin(); each != unclaimed_.end(); ++each) {
    const auto facts = sockets_.find(each->second);
    if (facts == sockets_.end() || (port && facts->second.local.port != *port)) continue;
    if (chosen != unclaimed_.end()) return 0;  // which of them was accepted is not known
    chosen = each;
  }
  if (chosen == unclaimed_.end()) return 0;
  const std::uint64_t socket = chosen->second;
  unclaimed_.erase(chosen);
  return socket;
}

void DescriptorTracker::on_accept(const wire_fd& note, EventHandler& out) {
  Flow flow;
  if ((note.flags & WIRE_FLAG_REMOTE) != 0) {
    flow.remote = wire_endpoint(note.remote_address, note.remote_port);
    flow.socket = claim(*flow.remote);
  } else if ((flow.socket = claim_at(note.header.tgid, note.other_fd)) == 0) {
    const FdAnswer answer = ownership_.descriptor(note.header.tgid, note.fd);
    if (answer.kind == FdKind::not_tcp) {
      map_->set({note.header.tgid, note.fd}, not_tcp, true);
      map_->remove_stream(note.header.flow);
      return;
    }
    flow.local = answer.socket.local;
    flow.remote = answer.socket.remote;
    flow.inode = answer.socket.inode;
    if (flow.remote) flow.socket = claim(*flow.remote);
  }
  if (const auto seen = sockets_.find(flow.socket); seen != sockets_.end()) {
    flow.local = seen->second.local;
    flow.remote = seen->second.remote;
  } else if (!flow.local) {
    const FdAnswer answer = ownership_.descriptor(note.header.tgid, note.fd);
    if (answer.kind == FdKind::tcp) {
      flow.local = answer.socket.local;
      flow.inode = answer.socket.inode;
      if (!flow.remote) flow.remote = answer.socket.remote;
    }
  }
  open_flow(note.header.flow, flow, Role::server, false, who_of(note.header), {note.header.at_ns}, out);
  if (flow.socket != 0) bind(note.header.flow, flow.socket);
  if (flow.remote && !flow.local) {
    if (half_known_.size() >= options_.sockets_max) half_known_.clear();
    half_known_.emplace(*flow.remote, HalfKnown{note.header.flow, {note.header.at_ns}});
  }
  if (!flow.local || !flow.remote)
    ask_later({{note.header.tgid, note.fd}, note.header.flow, who_of(note.header), {}, {}});
}

void DescriptorTracker::on_unknown(const wire_fd& note, EventHandler& out) {
  const Question question{{note.header.tgid, note.fd}, 0, who_of(note.header), {note.header.at_ns}, {}};
  if (!explain(question, out)) ask_later(question);
}

bool DescriptorTracker::explain(const Question& question, EventHandler& out) {
  const FdAnswer answer = ownership_.descriptor(question.key.tgid, question.key.fd);
  // Looked at after the answer: a number that was closed or given away meanwhile is another descriptor.
  const auto known = map_->find(question.key);
  if (question.flow == 0) {
    if (!known || known->kind != WIRE_FD_KIND_ASKED) return true;
    return explain_unknown(question, answer, out);
  }
  if (!known || known->flow != question.flow || answer.kind == FdKind::gone || !flows_.contains(question.flow))
    return true;
  if (answer.kind != FdKind::tcp || !answer.socket.local || !answer.socket.remote) return false;
  complete(question.flow, answer.socket, question.since, out);
  return true;
}

bool DescriptorTracker::explain_unknown(const Question& question, const FdAnswer& answer, EventHandler& out) {
  if (answer.kind == FdKind::unreadable) return false;
  if (answer.kind != FdKind::tcp) {
    if (answer.kind == FdKind::gone)
      map_->forget(question.key);  // asked again later
    else
      map_->set(question.key, not_tcp, true);
    return true;
  }
  const SocketFacts& facts = answer.socket;
  std::uint64_t flow = 0;
  if (const auto known = by_inode_.find(facts.inode); known != by_inode_.end()) flow = known->second;
  if (flow == 0 && facts.local && facts.remote) {
    flow = flow_of(0, {*facts.local, *facts.remote});
    if (const auto accepted = only_one_of(half_known_, *facts.remote); flow == 0 && accepted != half_known_.end()) {
      flow = accepted->second.flow;
      complete(flow, facts, question.since, out);
    }
  }
  if (flow == 0 && facts.state != TcpState::listen) {
    // Without its addresses a socket that is known already would become a second flow of the same connection.
    if (!facts.local || !facts.remote) return false;
    flow = next_own_flow_++;
    map_->add_stream(flow);
    open_flow(flow, {facts.local, facts.remote, 0, facts.inode}, Role::unknown, true, question.who, question.since,
              out);
  }
  map_->resolve(question.key, flow);
  return true;
}

void DescriptorTracker::ask_later(const Question& question) {
  if (questions_.size() < options_.questions_max) return questions_.push_back(question);
  give_up(question);
}

void DescriptorTracker::ask_again(EventTime now, EventHandler& out) {
  std::erase_if(questions_, [&](Question& question) {
    if (question.since.ns == 0) question.since = now;
    if (now.ns < question.again.ns) return false;
    question.again = {now.ns + std::max(options_.question_interval_ns, now.ns - std::min(now.ns, question.since.ns))};
    if (explain(question, out)) return true;
    if (now.ns < question.since.ns + options_.question_patience_ns) return false;
    give_up(question);
    return true;
  });
}

// What such a descriptor moves is not seen, rather than told of a connection that nobody can name. It is asked about
// again at its next use.
void DescriptorTracker::give_up(const Question& question) {
  if (question.flow != 0) return;  // accepted: told without addresses
  ++questions_unanswered_;
  map_->forget(question.key);
}

void DescriptorTracker::complete(std::uint64_t flow, const SocketFacts& facts, EventTime at, EventHandler& out) {
  Flow& known = flows_[flow];
  forget_half_known(known, flow);
  known.local = facts.local;
  known.remote = facts.remote;
  if (facts.inode != 0) known.inode = facts.inode;  // a change of state does not tell it
  by_tuple_[{*facts.local, *facts.remote}] = flow;
  if (facts.inode != 0) by_inode_[facts.inode] = flow;
  if (const std::uint64_t socket = claim(*facts.remote); socket != 0) bind(flow, socket);
  FlowUpdated updated;
  updated.flow = {flow};
  updated.local = facts.local;
  updated.remote = facts.remote;
  Event event = event_at(at, {});
  event.body = updated;
  out.on_event(event);
}

std::uint64_t DescriptorTracker::flow_of(std::uint64_t socket, const Tuple& tuple) {
  if (const auto seen = sockets_.find(socket); seen != sockets_.end() && seen->second.flow != 0)
    return seen->second.flow;
  const auto known = by_tuple_.find(tuple);
  return known != by_tuple_.end() ? known->second : 0;
}

void DescriptorTracker::forget_half_known(const Flow& flow, std::uint64_t id) {
  if (!flow.remote) return;
  const auto [first, last] = half_known_.equal_range(*flow.remote);
  const auto at = std::find_if(first, last, [&](const auto& each) { return each.second.flow == id; });
  if (at != last) half_known_.erase(at);
}

void DescriptorTracker::remember(std::uint64_t socket, const Socket& facts) {
  if (sockets_.size() >= options_.sockets_max) {
    ++sockets_forgotten_;
    if (unclaimed_.empty()) return;
    sockets_.erase(unclaimed_.begin()->second);
    unclaimed_.erase(unclaimed_.begin());
  }
  sockets_[socket] = facts;
}

void DescriptorTracker::on_state(const wire_open& note, EventHandler& out) {
  const std::uint64_t socket = note.header.flow;
  const EventTime at{note.header.at_ns};
  const Tuple tuple{wire_endpoint(note.local_address, note.local_port),
                    wire_endpoint(note.remote_address, note.remote_port)};
  if (note.new_state == raw(TcpState::established)) {
    if (note.old_state == raw(TcpState::syn_recv)) {
      remember(socket, {tuple.first, tuple.second, 0});
      unclaimed_.emplace(tuple.second, socket);
      if (const auto accepted = only_one_of(half_known_, tuple.second); accepted != half_known_.end()) {
        if (accepted->second.accepted.ns < note.header.at_ns)
          half_known_.erase(accepted);  // that peer is another connection now
        else
          complete(accepted->second.flow, {0, tuple.first, tuple.second, TcpState::established, 0, 0}, at, out);
      }
      return;
    }
    const auto seen = sockets_.find(socket);
    const std::uint64_t flow = seen != sockets_.end() ? seen->second.flow : 0;
    remember(socket, {tuple.first, tuple.second, flow});
    if (flow == 0) return;  // connect has not returned yet
    flows_[flow].local = tuple.first;
    flows_[flow].remote = tuple.second;
    by_tuple_[tuple] = flow;
    FlowUpdated updated;
    updated.flow = {flow};
    updated.local = tuple.first;
    updated.remote = tuple.second;
    Event event = event_at(at, {});
    event.body = updated;
    out.on_event(event);
    return;
  }
  const std::uint64_t flow = flow_of(socket, tuple);
  if (flow != 0 && !sockets_.contains(socket)) {  // only the addresses knew it; the end of the socket has none
    remember(socket, {tuple.first, tuple.second, flow});
    bind(flow, socket);
  }
  const auto say = [&](auto body) {
    Event event = event_at(at, {});
    event.body = body;
    out.on_event(event);
  };
  const bool destroyed = note.new_state == WIRE_STATE_DESTROYED;
  const bool closed = note.new_state == raw(TcpState::close);
  if (flow != 0) {
    if (closed || note.new_state == raw(TcpState::fin_wait1) || note.new_state == raw(TcpState::last_ack))
      say(StreamEnded{{flow}, Direction::tx, std::nullopt});
    if (closed || note.new_state == raw(TcpState::close_wait)) say(StreamEnded{{flow}, Direction::rx, std::nullopt});
  }
  if (destroyed || (closed && !options_.destroy_seen)) forget(socket, flow, say);
}

template <typename Say>
void DescriptorTracker::forget(std::uint64_t socket, std::uint64_t flow, Say say) {
  if (const auto seen = sockets_.find(socket); seen != sockets_.end()) {
    const auto [first, last] = unclaimed_.equal_range(seen->second.remote);
    for (auto each = first; each != last; ++each)
      if (each->second == socket) {
        unclaimed_.erase(each);
        break;
      }
    sockets_.erase(seen);
  }
  if (flow == 0) return;
  say(FlowClosed{{flow}, {}, {}, {}, {}});
  map_->remove_stream(flow);
  const auto known = flows_.find(flow);
  if (known == flows_.end()) return;
  forget_half_known(known->second, flow);
  by_inode_.erase(known->second.inode);
  if (known->second.local && known->second.remote) {
    const auto same = by_tuple_.find({*known->second.local, *known->second.remote});
    if (same != by_tuple_.end() && same->second == flow) by_tuple_.erase(same);
  }
  flows_.erase(known);
}

std::uint64_t DescriptorTracker::namespace_of(std::uint32_t tgid) {
  if (tgid == 0) return 0;
  const std::uint64_t now = ownership_.network_namespace(tgid);
  if (now != 0) return namespaces_[tgid] = now;
  const auto known = namespaces_.find(tgid);  // the process is gone already
  return known != namespaces_.end() ? known->second : 0;
}

void DescriptorTracker::sweep() {
  std::unordered_map<std::uint32_t, bool> gone;
  for (const wire_fd_key& key : map_->keys()) {
    const auto [known, fresh] = gone.try_emplace(key.tgid, false);
    // Only of a process whose number is known here can it be said that it is not there.
    if (fresh) known->second = ownership_.local_pid(key.tgid).has_value() && !ownership_.process(key.tgid);
    if (known->second) map_->forget(key);
  }
}

void DescriptorTracker::on_fork(std::uint32_t parent, std::uint32_t child) {
  // Asked now: by the time the child is of interest both may be gone.
  if (const std::uint64_t inherited = namespace_of(parent); inherited != 0) namespaces_[child] = inherited;
}

void DescriptorTracker::on_exit(std::uint32_t tgid) { namespaces_.erase(tgid); }

}  // namespace tracer
