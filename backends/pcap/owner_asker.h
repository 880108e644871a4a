// Asks who holds the sockets at both ends of each flow: when the connection begins, before its first bytes and its end
// are told, and a few times between while the answer may still come. So many questions a second and no more.
//
// Packets are read some milliseconds after they passed, and by then a short connection is over. So handshakes are told
// at once, and who accepts is asked for again soon after; and of connections that were there before, everybody is asked
// at the start.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "backends/pcap/flow_map.h"
#include "backends/pcap/limits.h"
#include "backends/pcap/tcp_tracker.h"
#include "core/ownership.h"

namespace tracer {

struct OwnerAskerCounters {
  std::uint64_t questions = 0;
  std::uint64_t refused = 0;    // over the rate; asked later if there is a later
  std::uint64_t forgotten = 0;  // flows over the limit of those that wait
};

class OwnerAsker final : public FlowWatcher {
 public:
  // `clock`: to measure what questions cost; null: they cost nothing.
  using Clock = std::uint64_t (*)();
  OwnerAsker(SocketOwners& owners, const PcapLimits& limits, Clock clock = nullptr)
      : owners_(owners), limits_(limits), clock_(clock) {}

  // The clock of its rate and of its patience: any that never goes back. To be told before anything else.
  void set_now(std::uint64_t now_ns) { now_ns_ = now_ns; }
  // The connections that are there already. Those that begin later are to be told by on_handshake() or on_opened().
  void note_all(std::vector<HeldEnd> held);
  // A handshake is under way; the packets of its flow come later.
  void on_handshake(const Endpoint& sender, const Endpoint& receiver);
  // Asks again who accepts. Returns when to call it next; nullopt: nobody is waited for.
  std::optional<std::uint64_t> ask_accepting();
  void on_opened(FlowId flow, const Endpoint& local, const Endpoint& remote, bool preexisting, EventTime at,
                 EventHandler& handler) override;
  void on_progress(FlowId flow, EventTime at, EventHandler& handler) override;
  void on_closing(FlowId flow, EventTime at, EventHandler& handler) override;
  // Asks again what is due.
  void ask_due(EventTime at, EventHandler& handler);

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] const OwnerAskerCounters& counters() const { return counters_; }

 private:
  struct End {
    Endpoint holder, peer;
    bool settled = false;
    std::uint32_t told_tgid = 0;
    bool told_inferred = false;
    std::uint8_t deduced = 0;  // how often the answer was the same and not certain
  };
  struct Waiting {
    std::array<End, 2> ends;  // local, remote
    std::uint64_t due_ns = 0;
    std::size_t tries = 0;
    bool preexisting = false;
  };
  struct Accepting {
    FlowKey pair;  // {holder, peer}
    std::uint64_t due_ns = 0;
    std::size_t tries = 0;
  };
  struct PairHash {
    std::size_t operator()(const FlowKey& pair) const { return FlowMap().hash(pair); }
  };
  [[nodiscard]] bool may_ask();
  [[nodiscard]] SocketOwner owner_of(const Endpoint& holder, const Endpoint& peer);
  [[nodiscard]] SocketOwner answer_of(const Waiting& waiting, const End& end);
  void keep_early(const FlowKey& pair, SocketOwner owner);
  // True: nothing more to find out of this flow.
  bool ask(FlowId flow, Waiting& waiting, EventTime at, EventHandler& handler);
  static void tell(FlowId flow, End& end, bool remote, const SocketOwner& owner, EventTime at, EventHandler& handler);

  SocketOwners& owners_;
  PcapLimits limits_;
  Clock clock_;
  std::unordered_map<std::uint64_t, Waiting> waiting_;                // by flow
  std::unordered_map<FlowKey, SocketOwner, PairHash> early_answers_;  // {holder, peer}, found at the handshake
  std::unordered_map<FlowKey, SocketOwner, PairHash> held_before_;    // {holder, peer}, of connections before the first
  std::deque<Accepting> accepting_;                                   // the next one due first
  std::uint64_t now_ns_ = 0, second_ = 0, next_due_ns_ = 0;
  std::size_t asked_this_second_ = 0;
  std::uint64_t spent_this_second_ns_ = 0;
  OwnerAskerCounters counters_;
};

}  // namespace tracer
