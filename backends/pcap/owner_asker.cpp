#include "backends/pcap/owner_asker.h"

#include <algorithm>

namespace tracer {
namespace {

constexpr std::uint64_t ms = 1'000'000;
// How long to wait before asking again, by how often it was asked: a socket that waits in the queue of its listener has
// no owner until it is accepted.
constexpr std::array<std::uint64_t, 6> patience_ns{5 * ms, 20 * ms, 100 * ms, 500 * ms, 2'000 * ms, 10'000 * ms};
// A server that waits for connections accepts at once, and may be finished before the packets are read. All waits are
// equal, so that the queue is in order.
constexpr std::uint64_t accept_ns = 1 * ms;
constexpr std::size_t accept_tries = 4;
// The same deduced answer so many times is the answer.
constexpr std::uint8_t deduced_max = 3;

}  // namespace

bool OwnerAsker::may_ask() {
  constexpr std::uint64_t second_ns = 1'000'000'000;
  if (const std::uint64_t second = now_ns_ / second_ns; second != second_) {
    second_ = second;
    asked_this_second_ = 0;
    spent_this_second_ns_ = 0;
  }
  if (asked_this_second_ >= limits_.questions_per_second_max ||
      spent_this_second_ns_ >= limits_.questions_ns_per_second_max) {
    ++counters_.refused;
    return false;
  }
  ++asked_this_second_;
  ++counters_.questions;
  return true;
}

SocketOwner OwnerAsker::owner_of(const Endpoint& holder, const Endpoint& peer) {
  const std::uint64_t before = clock_ != nullptr ? clock_() : 0;
  SocketOwner owner = owners_.owner(holder, peer);
  if (clock_ != nullptr) spent_this_second_ns_ += clock_() - before;
  return owner;
}

void OwnerAsker::note_all(std::vector<HeldEnd> held) {
  for (HeldEnd& end : held) {
    end.owner.inferred = true;  // it may change hands until its next packet
    held_before_.insert_or_assign(FlowKey{end.local, end.remote}, std::move(end.owner));
  }
}

void OwnerAsker::on_handshake(const Endpoint& sender, const Endpoint& receiver) {
  const FlowKey pair{sender, receiver};
  if (!held_before_.empty()) held_before_.erase(pair);
  if (early_answers_.contains(pair) || !may_ask()) return;
  SocketOwner owner = owner_of(sender, receiver);
  if (owner.answer == SocketOwner::Answer::found) return keep_early(pair, std::move(owner));
  if (owner.answer == SocketOwner::Answer::not_yet && accepting_.size() < limits_.questions_waiting_max)
    accepting_.push_back({pair, now_ns_ + accept_ns, 1});
}

std::optional<std::uint64_t> OwnerAsker::ask_accepting() {
  while (!accepting_.empty() && accepting_.front().due_ns <= now_ns_) {
    Accepting next = accepting_.front();
    accepting_.pop_front();
    if (early_answers_.contains(next.pair) || !may_ask()) continue;
    SocketOwner owner = owner_of(next.pair.low, next.pair.high);
    if (owner.answer == SocketOwner::Answer::found) {
      keep_early(next.pair, std::move(owner));
    } else if (owner.answer == SocketOwner::Answer::not_yet && ++next.tries < accept_tries) {
      next.due_ns = now_ns_ + accept_ns;
      accepting_.push_back(next);
    }
  }
  if (accepting_.empty()) return std::nullopt;
  return accepting_.front().due_ns;
}

void OwnerAsker::keep_early(const FlowKey& pair, SocketOwner owner) {
  if (early_answers_.size() >= limits_.questions_waiting_max) {  // of handshakes that came to nothing
    counters_.forgotten += early_answers_.size();
    early_answers_.clear();
  }
  early_answers_.emplace(pair, std::move(owner));
}

void OwnerAsker::tell(FlowId flow, End& end, bool remote, const SocketOwner& owner, EventTime at,
                      EventHandler& handler) {
  if (end.told_tgid == owner.tgid && end.told_inferred == owner.inferred) return;
  // What was read from the socket itself is not taken back for what is deduced.
  if (end.told_tgid != 0 && !end.told_inferred && owner.inferred) return;
  end.told_tgid = owner.tgid;
  end.told_inferred = owner.inferred;
  FlowUpdated updated{};
  updated.flow = flow;
  updated.owner = ProcessRef{owner.tgid, owner.tgid};
  updated.owner_comm = owner.comm;
  updated.owner_uid = owner.uid;
  updated.owner_is_remote = remote;
  updated.owner_inferred = owner.inferred;
  handler.on_event(Event{at, {}, updated});
}

SocketOwner OwnerAsker::answer_of(const Waiting& waiting, const End& end) {
  SocketOwner owner = owner_of(end.holder, end.peer);
  if (owner.answer == SocketOwner::Answer::found || !waiting.preexisting) return owner;
  const auto before = held_before_.find({end.holder, end.peer});
  return before == held_before_.end() ? owner : before->second;
}

bool OwnerAsker::ask(FlowId flow, Waiting& waiting, EventTime at, EventHandler& handler) {
  bool all_settled = true;
  using Said = SocketOwner::Answer;
  for (std::size_t i = 0; i < waiting.ends.size(); ++i) {
    End& end = waiting.ends[i];
    if (end.settled) continue;
    SocketOwner owner;
    if (const auto early = early_answers_.find({end.holder, end.peer}); early != early_answers_.end()) {
      owner = std::move(early->second);
      early_answers_.erase(early);
    } else if (may_ask()) {
      owner = answer_of(waiting, end);
    } else {
      all_settled = false;
      continue;
    }
    const bool deduced = owner.answer == Said::found && owner.inferred;
    end.deduced = deduced && owner.tgid == end.told_tgid ? end.deduced + 1 : deduced;
    if (owner.answer == Said::found && owner.tgid != 0) tell(flow, end, i == 1, owner, at, handler);
    end.settled = (owner.answer == Said::found && !deduced) || end.deduced == deduced_max ||
                  owner.answer == Said::unreadable || (owner.answer == Said::not_here && waiting.tries > 0);
    all_settled &= end.settled;
  }
  waiting.due_ns = now_ns_ + patience_ns[std::min(waiting.tries, patience_ns.size() - 1)];
  next_due_ns_ = std::min(next_due_ns_, waiting.due_ns);
  return all_settled || ++waiting.tries > patience_ns.size();
}

void OwnerAsker::on_opened(FlowId flow, const Endpoint& local, const Endpoint& remote, bool preexisting, EventTime at,
                           EventHandler& handler) {
  if (!preexisting && !held_before_.empty()) {
    held_before_.erase({local, remote});
    held_before_.erase({remote, local});
  }
  if (waiting_.size() >= limits_.questions_waiting_max) {
    ++counters_.forgotten;
    waiting_.erase(waiting_.begin());
  }
  Waiting& waiting = waiting_[flow.value];
  waiting.preexisting = preexisting;
  waiting.ends = {End{.holder = local, .peer = remote}, End{.holder = remote, .peer = local}};
  if (ask(flow, waiting, at, handler)) waiting_.erase(flow.value);
}

void OwnerAsker::on_progress(FlowId flow, EventTime at, EventHandler& handler) {
  const auto waiting = waiting_.find(flow.value);
  if (waiting != waiting_.end() && ask(flow, waiting->second, at, handler)) waiting_.erase(waiting);
}

void OwnerAsker::on_closing(FlowId flow, EventTime at, EventHandler& handler) {
  on_progress(flow, at, handler);
  waiting_.erase(flow.value);
}

void OwnerAsker::ask_due(EventTime at, EventHandler& handler) {
  if (waiting_.empty() || now_ns_ < next_due_ns_) return;
  next_due_ns_ = UINT64_MAX;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->second.due_ns > now_ns_) {
      next_due_ns_ = std::min(next_due_ns_, it->second.due_ns);
      ++it;
    } else if (ask(FlowId{it->first}, it->second, at, handler)) {
      it = waiting_.erase(it);
    } else {
      ++it;
    }
  }
}

}  // namespace tracer
