#include "backends/procfs/connection_watch.h"

#include <algorithm>

#include "backends/procfs/listening_sockets.h"

namespace tracer::procfs {
namespace {

constexpr std::uint64_t question_pause_max = 16;  // looks between two questions about an owner that is not to be found

ProcessRef process(std::uint32_t tgid) { return {tgid, tgid}; }

// A socket that never left its handshake is no connection.
bool was_established(const MeasuredSocket& socket) {
  return socket.counters &&
         (socket.counters->rtt_us != 0 || socket.counters->bytes_acked != 0 || socket.counters->bytes_received != 0);
}

bool owner_found(const SocketOwner& owner) { return owner.answer == SocketOwner::Answer::found; }

}  // namespace

void EventQueue::push_update(EventTime at, FlowUpdated update, std::string owner_comm) {
  events_.push_back({Event{at, {}, update}, std::move(owner_comm)});
}

std::size_t EventQueue::hand_out(EventHandler& handler, std::size_t budget) {
  std::size_t count = 0;
  for (; count < budget && !events_.empty(); ++count) {
    Held held = std::move(events_.front());
    events_.pop_front();
    if (auto* update = std::get_if<FlowUpdated>(&held.event.body)) {
      update->owner_comm = held.text;
      if (update->owner) held.event.who = *update->owner;
    }
    handler.on_event(held.event);
  }
  return count;
}

ConnectionWatch::Key ConnectionWatch::key_of(const SocketFacts& socket) {
  const Ends ends{socket.local.value_or(Endpoint{}), socket.remote.value_or(Endpoint{})};
  return {socket.cookie, socket.cookie != 0 ? Ends{} : ends};
}

Role ConnectionWatch::role_by_listeners(const Ends& ends) const {
  const auto listens = [&](const Endpoint& end) {
    return std::ranges::any_of(listening_, [&](const Endpoint& one) { return listens_for(one, end); });
  };
  // Who listens at the other end's port is known only if that end is on this machine: the addresses are compared too.
  const bool here = listens(ends.first);
  const bool there = std::ranges::find(listening_, ends.second) != listening_.end();
  if (here == there) return Role::unknown;
  return here ? Role::server : Role::client;
}

ConnectionWatch::Flow* ConnectionWatch::find_or_open(const MeasuredSocket& socket, EventTime at, bool from_before) {
  const SocketFacts& facts = socket.listed.facts;
  const Key key = key_of(facts);
  if (const auto known = flows_.find(key); known != flows_.end()) return &known->second;
  if (flows_.size() >= options_.connections_max) {
    ++over_limit_;
    return nullptr;
  }
  Flow& flow = flows_[key];
  flow.id = FlowId{next_flow_++};
  flow.ends = {*facts.local, *facts.remote};
  flow.next_question = looks_;
  flow.role = role_by_listeners(flow.ends);
  if (facts.state != TcpState::close) flow.role = payload_of_open(socket, flow.role).role;
  if (from_before) {
    const Payload so_far = payload_of_open(socket, flow.role);
    flow.tx_base = so_far.tx;
    flow.rx_base = so_far.rx;
  }
  FlowOpened opened;
  opened.flow = flow.id;
  opened.local = facts.local;
  opened.remote = facts.remote;
  opened.role = flow.role;
  opened.network_namespace = options_.network_namespace;
  opened.preexisting = from_before;
  // One that is gone already was shorter than the time between two looks.
  opened.opening = facts.state == TcpState::close ? OpeningTime::unknown : OpeningTime::by_then;
  if (socket.counters) opened.tx_offset = opened.rx_offset = 0;
  events_.push({at, {}, opened});
  return &flow;
}

void ConnectionWatch::tell_owner(Flow& flow, const SocketOwner& owner, EventTime at) {
  if (!owner_found(owner)) {
    flow.next_question = looks_ + flow.question_pause;
    flow.question_pause =
        owner.answer == SocketOwner::Answer::not_yet ? 1 : std::min(flow.question_pause * 2, question_pause_max);
    return;
  }
  flow.owner = owner.tgid;
  flow.owner_inferred = owner.inferred;
  FlowUpdated update;
  update.flow = flow.id;
  update.owner = process(owner.tgid);
  update.owner_uid = owner.uid;
  update.owner_inferred = owner.inferred;
  events_.push_update(at, update, owner.comm);
}

void ConnectionWatch::tell_role(Flow& flow, Role role, EventTime at) {
  if (role == Role::unknown || role == flow.role) return;
  flow.role = role;
  FlowUpdated update;
  update.flow = flow.id;
  update.role = role;
  events_.push_update(at, update, {});
}

void ConnectionWatch::tell_bytes(Flow& flow, Direction direction, std::uint64_t count, EventTime at) {
  std::uint64_t& told = direction == Direction::tx ? flow.tx_told : flow.rx_told;
  const std::uint64_t base = direction == Direction::tx ? flow.tx_base : flow.rx_base;
  if (count <= base + told) return;
  FlowData data;
  data.flow = flow.id;
  data.direction = direction;
  data.offset = told;
  data.moved = count - base - told;
  data.rest = GapCause::no_payload;
  told += data.moved;
  events_.push({at, process(flow.owner), data});
}

void ConnectionWatch::tell_measured(Flow& flow, const MeasuredSocket& socket, bool last, EventTime at) {
  const TcpState state = socket.listed.facts.state;
  FlowMeasured measured;
  measured.flow = flow.id;
  measured.tcp_state = static_cast<std::uint8_t>(state);
  bool changed = flow.state_told != state;
  if (socket.counters) {
    const TcpCounters& counters = *socket.counters;
    if (counters.rtt_us != 0) measured.rtt_us = counters.rtt_us;
    measured.retransmits = counters.retransmits;
    const std::uint32_t drift =
        std::max(counters.rtt_us, flow.rtt_told_us) - std::min(counters.rtt_us, flow.rtt_told_us);
    changed = changed || counters.retransmits != flow.retransmits_told || drift > flow.rtt_told_us / 4 ||
              (last && drift != 0);
    if (changed) {
      flow.rtt_told_us = counters.rtt_us;
      flow.retransmits_told = counters.retransmits;
    }
  }
  if (!changed) return;
  flow.state_told = state;
  events_.push({at, process(flow.owner), measured});
}

void ConnectionWatch::tell_closed(const Key& key, const Flow& flow, const Payload* last, EventTime at) {
  FlowClosed closed;
  closed.flow = flow.id;
  if (last != nullptr) {
    if (last->tx_exact) closed.kernel_tx_bytes = closed.tx_end = flow.tx_told;
    if (last->rx_exact) closed.kernel_rx_bytes = closed.rx_end = flow.rx_told;
  }
  events_.push({at, process(flow.owner), closed});
  if (last == nullptr && options_.notices) remember_end(key);
}

void ConnectionWatch::look(std::span<const MeasuredSocket> sockets, bool complete, EventTime at) {
  ++looks_;
  listening_.clear();
  for (const MeasuredSocket& socket : sockets) {
    if (socket.listed.facts.state == TcpState::listen && socket.listed.facts.local)
      listening_.push_back(*socket.listed.facts.local);
  }
  for (const MeasuredSocket& socket : sockets) {
    const SocketFacts& facts = socket.listed.facts;
    if (facts.state == TcpState::listen || facts.state == TcpState::close || !facts.local || !facts.remote) continue;
    if (facts.state == TcpState::syn_sent || ended_.contains(key_of(facts))) continue;
    if (!socket.counters && facts.inode == 0) continue;  // what stands for a socket in TIME_WAIT, waiting for the FIN
    Flow* flow = find_or_open(socket, at, looks_ == 1);
    if (flow == nullptr) continue;
    flow->seen_in_look = looks_;
    flow->missed_since.reset();
    flow->remains.fin_received = flow->remains.fin_received || fin_received(facts.state);
    flow->remains.half_closed = facts.state == TcpState::fin_wait2 && facts.inode != 0;
    if (flow->owner == 0 && flow->next_question <= looks_)
      tell_owner(*flow, questions_.owner_of(facts, socket.listed.uid), at);
    const Payload payload = payload_of_open(socket, flow->role);
    tell_role(*flow, payload.role, at);
    tell_bytes(*flow, Direction::tx, payload.tx, at);
    tell_bytes(*flow, Direction::rx, payload.rx, at);
    tell_measured(*flow, socket, false, at);
  }
  if (!complete) return;
  for (auto it = flows_.begin(); it != flows_.end();) {
    Flow& flow = it->second;
    if (flow.seen_in_look == looks_ || flow.waits) {
      ++it;
      continue;
    }
    if (!flow.missed_since) flow.missed_since = at;
    if (options_.notices && at.ns - flow.missed_since->ns < options_.notice_wait_ns) {
      ++it;
      continue;
    }
    if (flow.owner == 0) tell_owner(flow, questions_.owner_of_closed(flow.ends.first, flow.ends.second), at);
    tell_closed(it->first, flow, nullptr, at);
    it = flows_.erase(it);
  }
}

void ConnectionWatch::destroyed(std::span<const MeasuredSocket> sockets, EventTime at) {
  // First what each wrote: both ends of a connection within the machine are often told together.
  for (const MeasuredSocket& socket : sockets) {
    const SocketFacts& facts = socket.listed.facts;
    if (!facts.local || !facts.remote || !was_established(socket)) continue;
    const Payload payload = payload_of_destroyed(socket, Role::unknown, {});
    if (payload.tx_exact) remember_written({*facts.local, *facts.remote}, {payload.tx, payload.role});
  }
  finish_waiting(at);
  for (const MeasuredSocket& socket : sockets) {
    const SocketFacts& facts = socket.listed.facts;
    if (!facts.local || !facts.remote || (!was_established(socket) && !flows_.contains(key_of(facts)))) continue;
    if (ended_.erase(key_of(facts)) != 0) continue;
    if (!finish(socket, at, waiting_.size() < options_.remembered_max)) waiting_.push_back({socket, at});
  }
}

void ConnectionWatch::finish_waiting(EventTime at) {
  std::erase_if(waiting_, [&](const Waiting& end) {
    const SocketFacts& facts = end.socket.listed.facts;
    if (!flows_.contains(key_of(facts))) return true;
    const bool other_told = written_.contains({*facts.remote, *facts.local});
    if (!other_told && at.ns - end.since.ns < options_.other_end_wait_ns) return false;
    return finish(end.socket, at, false);
  });
}

bool ConnectionWatch::finish(const MeasuredSocket& socket, EventTime at, bool may_wait) {
  Flow* flow = find_or_open(socket, at, false);
  if (flow == nullptr) return true;
  if (const auto left = questions_.now_at(flow->ends.first, flow->ends.second)) {
    const TcpState state = left->listed.facts.state;
    if (state == TcpState::time_wait || state == TcpState::fin_wait2) flow->remains.left_behind = state;
  }
  if (flow->owner == 0) tell_owner(*flow, questions_.owner_of_closed(flow->ends.first, flow->ends.second), at);
  Payload payload = payload_of_destroyed(socket, flow->role, flow->remains);
  if (!payload.rx_exact || payload.role == Role::unknown) {
    const auto other = other_end(flow->ends);
    if (!other && may_wait && flow->ends.first.address == flow->ends.second.address) {
      flow->waits = true;
      return false;
    }
    if (other && payload.role == Role::unknown && other->role != Role::unknown) {
      const Role role = other->role == Role::client ? Role::server : Role::client;
      payload = payload_of_destroyed(socket, role, flow->remains);
    }
    const bool close = other && std::max(other->written, payload.rx) - std::min(other->written, payload.rx) <= 1;
    if (close && !payload.rx_exact) {
      payload.rx = other->written;
      payload.rx_exact = true;
    }
  }
  tell_role(*flow, payload.role, at);
  tell_bytes(*flow, Direction::tx, payload.tx, at);
  tell_bytes(*flow, Direction::rx, payload.rx, at);
  tell_measured(*flow, socket, true, at);
  const Key key = key_of(socket.listed.facts);
  tell_closed(key, *flow, &payload, at);
  flows_.erase(key);
  return true;
}

std::optional<ConnectionWatch::OtherEnd> ConnectionWatch::other_end(const Ends& ends) {
  const Ends mirrored{ends.second, ends.first};
  if (const auto told = written_.find(mirrored); told != written_.end()) return told->second;
  const auto other = questions_.now_at(mirrored.first, mirrored.second);
  if (!other || !other->counters) return std::nullopt;
  const Payload payload = payload_of_open(*other, Role::unknown);
  if (!payload.tx_exact) return std::nullopt;
  return OtherEnd{payload.tx, payload.role};
}

void ConnectionWatch::remember_end(const Key& key) {
  if (ended_since_.size() >= options_.remembered_max) {
    ended_.erase(ended_since_.front());
    ended_since_.pop_front();
  }
  if (ended_.emplace(key, true).second) ended_since_.push_back(key);
}

void ConnectionWatch::remember_written(const Ends& ends, OtherEnd end) {
  if (written_since_.size() >= options_.remembered_max) {
    written_.erase(written_since_.front());
    written_since_.pop_front();
  }
  if (written_.insert_or_assign(ends, end).second) written_since_.push_back(ends);
}

}  // namespace tracer::procfs
