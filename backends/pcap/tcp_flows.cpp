// The table of connections: slots, age, aliases.
#include <algorithm>

#include "backends/pcap/tcp_tracker.h"

namespace tracer {
namespace {

constexpr unsigned slot_bits = 24;
constexpr std::size_t slots_max = (1U << slot_bits) - 1;
constexpr std::uint64_t expiry_interval_ns = 1'000'000'000;
// So much of a full table may be of connections that nobody answered.
constexpr std::size_t unanswered_share = 8;

}  // namespace

TcpTracker::TcpTracker(const PcapLimits& limits, std::vector<std::uint16_t> ports, std::uint64_t seed,
                       FlowWatcher* watcher)
    : limits_(limits), ports_(std::move(ports)), watcher_(watcher), map_(seed) {
  limits_.flows_max = std::clamp<std::size_t>(limits_.flows_max, 1, slots_max);
}

FlowId TcpTracker::id_of(Slot slot) const { return {flows_[slot].serial << slot_bits | slot}; }

void TcpTracker::set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) {
  const auto slot = static_cast<Slot>(flow.value & slots_max);
  if (slot >= flows_.size() || flows_[slot].serial != flow.value >> slot_bits) return;
  flows_[slot].sent[direction == Direction::tx ? 0 : 1].verdict = verdict;
}

TcpTracker::Slot TcpTracker::create(const FlowKey& key, std::uint32_t hash, bool local_is_low) {
  if (map_.size() >= limits_.flows_max) make_room();
  Slot slot;
  if (free_.empty()) {
    slot = static_cast<Slot>(flows_.size());
    flows_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  WireFlow& flow = flows_[slot];
  flow.key = key;
  flow.local_is_low = local_is_low;
  flow.hash = hash;
  flow.serial = ++serials_;
  flow.opened_at = at_;
  flow.last_at = now_;
  map_.insert(hash, slot);
  link(unanswered_, slot);
  ++counters_.flows;
  return slot;
}

void TcpTracker::make_room() {
  if (closed_.oldest != FlowMap::none) {
    forget(closed_.oldest);
    return;
  }
  // A flood of forged packets takes the place of its own first.
  const bool flood = unanswered_.size > limits_.flows_max / unanswered_share;
  const bool only = live_.oldest == FlowMap::none;
  const Slot oldest = flood || only ? unanswered_.oldest : live_.oldest;
  ++counters_.flows_evicted;
  close(oldest);
  forget(oldest);
}

void TcpTracker::forget(Slot slot) {
  WireFlow& flow = flows_[slot];
  unlink(list_of(flow), slot);
  map_.erase(flow.hash, slot);
  if (const auto pair = by_pair_.find(flow.pair_key); pair != by_pair_.end() && pair->second == slot) {
    by_pair_.erase(pair);
  }
  if (flow.waiting) std::erase(waiting_, slot);
  flow = WireFlow{};
  free_.push_back(slot);
}

void TcpTracker::link(List& list, Slot slot) {
  WireFlow& flow = flows_[slot];
  ++list.size;
  flow.newer = FlowMap::none;
  flow.older = list.newest;
  if (list.newest != FlowMap::none) flows_[list.newest].newer = slot;
  list.newest = slot;
  if (list.oldest == FlowMap::none) list.oldest = slot;
}

void TcpTracker::unlink(List& list, Slot slot) {
  const WireFlow& flow = flows_[slot];
  --list.size;
  (flow.newer != FlowMap::none ? flows_[flow.newer].older : list.newest) = flow.older;
  (flow.older != FlowMap::none ? flows_[flow.older].newer : list.oldest) = flow.newer;
}

void TcpTracker::touch(Slot slot, std::uint8_t from) {
  WireFlow& flow = flows_[slot];
  flow.last_at = now_;
  List& before = list_of(flow);
  flow.heard |= static_cast<std::uint8_t>(1U << from);
  List& list = list_of(flow);
  if (list.newest == slot) return;
  unlink(before, slot);
  link(list, slot);
}

// Two numbers of 32 bits that both ends chose at random, or that name a place in two streams: that another connection
// has the same pair at the same time does not happen by chance.
bool TcpTracker::is_alias(Slot slot, std::uint32_t mine, std::uint32_t theirs) {
  WireFlow& flow = flows_[slot];
  flow.pair_key = static_cast<std::uint64_t>(mine) << 32U | theirs;
  const auto [pair, fresh] = by_pair_.try_emplace(flow.pair_key, slot);
  if (fresh) return false;
  const WireFlow& other = flows_[pair->second];
  if (other.state == WireFlow::State::closed) {
    pair->second = slot;
    return false;
  }
  flow.state = WireFlow::State::alias;
  ++counters_.aliases;
  tell_translated(pair->second, flow);
  return true;
}

void TcpTracker::close(Slot slot) {
  WireFlow& flow = flows_[slot];
  if (flow.state == WireFlow::State::closed) return;
  if (flow.state != WireFlow::State::alias) {
    if (!flow.told) tell_opened(slot);
    for (const std::uint8_t from : {std::uint8_t{0}, std::uint8_t{1}}) give_up_holes(slot, from);
    tell_closed(slot);
  }
  unlink(list_of(flow), slot);
  flow.state = WireFlow::State::closed;
  link(closed_, slot);
}

// The lists are by age, so only their old ends need a look; what has a shorter life than `idle_ns` waits behind what
// is older, which is good enough.
void TcpTracker::expire() {
  if (now_.ns < next_expiry_ns_) return;
  next_expiry_ns_ = now_.ns + expiry_interval_ns;
  while (closed_.oldest != FlowMap::none && flows_[closed_.oldest].last_at.ns + limits_.closed_ns <= now_.ns) {
    forget(closed_.oldest);
  }
  expire(live_);
  expire(unanswered_);
}

void TcpTracker::expire(const List& list) {
  const auto older_than = [&](Slot slot, std::uint64_t ns) { return flows_[slot].last_at.ns + ns <= now_.ns; };
  for (Slot slot = list.oldest; slot != FlowMap::none;) {
    const WireFlow& flow = flows_[slot];
    const Slot next = flow.newer;
    const bool finished = flow.sent[0].fin_end != 0 && flow.sent[1].fin_end != 0;
    const std::uint64_t life = flow.state == WireFlow::State::opening ? limits_.opening_ns
                               : finished                             ? limits_.closing_ns
                                                                      : limits_.idle_ns;
    if (older_than(slot, life)) {
      close(slot);
      forget(slot);
    } else if (!older_than(slot, std::min(limits_.opening_ns, limits_.closing_ns))) {
      break;
    }
    slot = next;
  }
}

}  // namespace tracer
