#include "core/connection_join.h"

#include <algorithm>
#include <cstring>

namespace tracer {

namespace {

// Two ends of one connection are never further apart than what socket buffers hold. Random sequence spaces are this
// near in one direction once in 128, in both once in 16,384; the address pair comes on top.
constexpr std::uint32_t sequence_distance_max = 16U << 20U;

// An address pair is shared by few ends at any time; more are port reuse that was never seen to close.
constexpr std::size_t ends_per_pair_max = 16;

enum class Space : std::uint8_t { unknown, same, different };

// Do what one end sent and what the other received lie in one 32-bit sequence space?
Space compare(const SeenRange& sent, const SeenRange& received) {
  // A start of 0 is what a socket says that has no sequence numbers yet.
  if (!sent.known || !received.known || sent.end == 0 || received.end == 0) return Space::unknown;
  const auto distance = static_cast<std::int32_t>(static_cast<std::uint32_t>(sent.end - received.end));
  const auto magnitude = static_cast<std::uint32_t>(distance < 0 ? -static_cast<std::int64_t>(distance) : distance);
  return magnitude <= sequence_distance_max ? Space::same : Space::different;
}

bool fresh(const JoinEnd& end) { return end.opened && !end.preexisting; }

}  // namespace

bool is_loopback(const Endpoint& endpoint) {
  static constexpr std::array<std::uint8_t, 12> v4_mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  static constexpr std::array<std::uint8_t, 16> v6_loopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  if (std::equal(v4_mapped.begin(), v4_mapped.end(), endpoint.address.begin())) return endpoint.address[12] == 127;
  return endpoint.address == v6_loopback;
}

std::size_t AddressPairHash::operator()(const AddressPair& key) const {
  std::uint64_t hash = (static_cast<std::uint64_t>(key.low.port) << 16U) | key.high.port;
  for (const Endpoint* endpoint : {&key.low, &key.high}) {
    std::array<std::uint64_t, 2> words{};
    std::memcpy(words.data(), endpoint->address.data(), endpoint->address.size());
    for (const std::uint64_t word : words) hash = (hash ^ word) * 0x9e37'79b9'7f4a'7c15ULL;
    hash ^= hash >> 29U;
  }
  return static_cast<std::size_t>(hash);
}

static AddressPair key_of(const JoinEnd& end) { return AddressPair::of(*end.local, *end.remote); }

ConnectionJoin::Proof ConnectionJoin::prove(const JoinEnd& a, const JoinEnd& b) const {
  if (a.local != b.remote || a.remote != b.local) return Proof::refuted;
  if (a.role != Role::unknown && a.role == b.role) return Proof::refuted;
  if (a.closed_at && a.closed_at->ns + lifetime_slack_ns_ < b.opened_at.ns) return Proof::refuted;
  if (b.closed_at && b.closed_at->ns + lifetime_slack_ns_ < a.opened_at.ns) return Proof::refuted;
  const bool loopback = is_loopback(*a.local) && is_loopback(*a.remote);
  const bool namespaces_known = a.network_namespace != 0 && b.network_namespace != 0;
  if (loopback && namespaces_known && a.network_namespace != b.network_namespace) return Proof::refuted;

  if (a.offset_source == OffsetSource::sequence && b.offset_source == OffsetSource::sequence) {
    const Space there = compare(a.tx, b.rx), back = compare(b.tx, a.rx);
    if (there == Space::different || back == Space::different) return Proof::refuted;
    if (there == Space::same || back == Space::same) return Proof::proven;
  }
  if (namespaces_known && a.network_namespace == b.network_namespace) return Proof::proven;
  // Equal byte counts: both ends seen from the start, both directions used.
  const bool counted = a.offset_source == OffsetSource::counter && b.offset_source == OffsetSource::counter &&
                       fresh(a) && fresh(b) && a.tx.moved() > 0 && a.rx.moved() > 0;
  if (counted && a.tx.moved() == b.rx.moved() && a.rx.moved() == b.tx.moved()) return Proof::proven;
  return Proof::possible;
}

ConnectionJoin::Finding ConnectionJoin::find(JoinEnd& end) {
  if (!end.local || !end.remote || end.joined) return {};
  auto& bucket = pairs_[key_of(end)];
  if (!end.indexed) {
    // A new socket with the same two addresses in the same order and place: the older generation is over.
    const JoinEnd* const surplus = bucket.size() >= ends_per_pair_max ? bucket.front() : nullptr;
    std::erase_if(bucket, [&](JoinEnd* older) {
      const bool over = fresh(end) && older->local == end.local && older->remote == end.remote &&
                        older->network_namespace != 0 && older->network_namespace == end.network_namespace;
      if (!over && older != surplus) return false;
      older->indexed = false;
      --indexed_;
      return true;
    });
    bucket.push_back(&end);
    end.indexed = true;
    ++indexed_;
  }
  JoinEnd* proven = nullptr;
  std::size_t proofs = 0;
  JoinEnd* possible = nullptr;
  for (JoinEnd* other : bucket) {
    if (other == &end || other->joined) continue;
    switch (prove(end, *other)) {
      case Proof::refuted:
        continue;
      case Proof::proven:
        ++proofs;
        proven = other;
        break;
      case Proof::possible:
        possible = other;
        break;
    }
    other->had_candidate = true;
    end.had_candidate = true;
  }
  if (proofs > 1) return {Outcome::ambiguous, nullptr};
  if (proofs == 1) {
    end.joined = proven->joined = true;
    return {Outcome::joined, proven};
  }
  return {possible != nullptr ? Outcome::possible : Outcome::alone, possible};
}

void ConnectionJoin::unindex(JoinEnd& end) {
  if (end.had_candidate && !end.joined && !end.counted_unjoined) {
    ++unjoined_;
    end.counted_unjoined = true;
  }
  if (!end.indexed) return;
  end.indexed = false;
  --indexed_;
  const auto found = pairs_.find(key_of(end));
  if (found == pairs_.end()) return;
  std::erase(found->second, &end);
  if (end.counted_unjoined) {  // one pair is counted once
    for (JoinEnd* other : found->second) {
      if (!other->joined && other->had_candidate && other->local == end.remote) other->counted_unjoined = true;
    }
  }
  if (found->second.empty()) pairs_.erase(found);
}

}  // namespace tracer
