// Two observed ends → one connection, only on proof.
//
// Candidates are ends whose address pairs mirror each other, with opposite roles (where known), overlapping lifetimes
// and, on loopback, the same network namespace. Proof is the shared TCP sequence space; where it cannot be read, the
// pair of addresses itself where both ends are in one network namespace (in which it is unique), else equal byte counts
// in both directions. Two proven candidates are no proof. The two connections of a proxy have different address pairs
// and never meet here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/event.h"

namespace tracer {

// Positions seen in one direction of one end, in its own numbering.
struct SeenRange {
  bool known = false;
  std::uint64_t first = 0, end = 0;

  void start_at(std::uint64_t offset) {
    if (!known) *this = {true, offset, offset};
  }
  void include(std::uint64_t begin, std::uint64_t up_to) {
    if (!known) *this = {true, begin, begin};
    if (begin < first) first = begin;
    if (up_to > end) end = up_to;
  }
  [[nodiscard]] std::uint64_t moved() const { return end - first; }
};

// What joining needs to know of one end. Part of the flow that owns it; unindex() it before it goes.
struct JoinEnd {
  FlowId id;
  std::optional<Endpoint> local, remote;
  Role role = Role::unknown;
  std::uint64_t network_namespace = 0;
  OffsetSource offset_source = OffsetSource::counter;
  bool opened = false;  // a FlowOpened was seen
  bool preexisting = false;
  OpeningTime opening = OpeningTime::exact;
  EventTime opened_at;  // 0: before the tracer, or not known
  std::optional<EventTime> closed_at;
  SeenRange tx, rx;

  bool indexed = false;
  bool joined = false;
  bool had_candidate = false;  // at least one end looked like the other one and was not refuted
  bool counted_unjoined = false;
};

// Is the address 127.0.0.0/8 or ::1?
[[nodiscard]] bool is_loopback(const Endpoint& endpoint);

// The two addresses of a connection, the same from both of its ends.
struct AddressPair {
  Endpoint low, high;
  bool operator==(const AddressPair&) const = default;
  [[nodiscard]] static AddressPair of(const Endpoint& local, const Endpoint& remote) {
    return local < remote ? AddressPair{local, remote} : AddressPair{remote, local};
  }
};
struct AddressPairHash {
  [[nodiscard]] std::size_t operator()(const AddressPair& pair) const;
};

class ConnectionJoin {
 public:
  enum class Proof : std::uint8_t { refuted, possible, proven };
  enum class Outcome : std::uint8_t { alone, possible, ambiguous, joined };
  struct Finding {
    Outcome outcome = Outcome::alone;
    JoinEnd* peer = nullptr;  // when joined; when possible, one that may be it
  };

  // Ends may overlap by less than this: a close is seen some time before or after it happened.
  explicit ConnectionJoin(std::uint64_t lifetime_slack_ns) : lifetime_slack_ns_(lifetime_slack_ns) {}

  // Looks for the other end; marks both as joined when it is proven. Does nothing without an address pair.
  Finding find(JoinEnd& end);
  // Forgets the end. Counts the pair as unjoined if it had a candidate and ended alone.
  void unindex(JoinEnd& end);

  [[nodiscard]] Proof prove(const JoinEnd& a, const JoinEnd& b) const;
  [[nodiscard]] std::uint64_t unjoined() const { return unjoined_; }
  [[nodiscard]] std::size_t indexed() const { return indexed_; }

 private:
  std::uint64_t lifetime_slack_ns_;
  std::unordered_map<AddressPair, std::vector<JoinEnd*>, AddressPairHash> pairs_;
  std::size_t indexed_ = 0;
  std::uint64_t unjoined_ = 0;
};

}  // namespace tracer
