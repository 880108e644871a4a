// From lists of sockets and notices of destroyed ones to the events of their connections. Pure: the kernel is asked
// through an interface, time is an argument, and what happened is queued.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backends/procfs/tcp_payload.h"
#include "core/event.h"
#include "core/ownership.h"

namespace tracer::procfs {

// What a list does not say.
class SocketQuestions {
 public:
  [[nodiscard]] virtual SocketOwner owner_of(const SocketFacts& socket, std::uint32_t uid) = 0;
  [[nodiscard]] virtual SocketOwner owner_of_closed(const Endpoint& local, const Endpoint& remote) = 0;
  // The socket that has these ends now, TIME_WAIT included.
  [[nodiscard]] virtual std::optional<MeasuredSocket> now_at(const Endpoint& local, const Endpoint& remote) = 0;

 protected:
  ~SocketQuestions() = default;
};

// Events that wait to be handed out; they own their text.
class EventQueue {
 public:
  void push(Event event) { events_.push_back({event, {}}); }
  void push_update(EventTime at, FlowUpdated update, std::string owner_comm);
  // At most `budget`; how many were handed out.
  std::size_t hand_out(EventHandler& handler, std::size_t budget);
  [[nodiscard]] bool empty() const { return events_.empty(); }

 private:
  struct Held {
    Event event;
    std::string text;
  };
  std::deque<Held> events_;
};

struct ConnectionWatchOptions {
  std::uint64_t network_namespace = 0;
  bool notices = true;                            // destroyed sockets are told: wait for the last word
  std::uint64_t notice_wait_ns = 300'000'000;     // this long after a socket was missed in a list
  std::uint64_t other_end_wait_ns = 100'000'000;  // for the notice of the other end of a connection within the machine
  std::size_t connections_max = 65'536;
  std::size_t remembered_max = 8192;  // ended connections, for late notices and for the counts of the other end
};

class ConnectionWatch {
 public:
  ConnectionWatch(const ConnectionWatchOptions& options, SocketQuestions& questions, EventQueue& events)
      : options_(options), questions_(questions), events_(events) {}

  // The sockets of one list. What is not in it any more has ended, if the list is complete. The first list holds
  // connections from before.
  void look(std::span<const MeasuredSocket> sockets, bool complete, EventTime at);
  // The kernel tells the ends of a connection by a work queue, in any order and apart: one whose own counters do not
  // say whether a FIN is among them waits for the other end's. Also to be called without a socket, so that waits end.
  void destroyed(std::span<const MeasuredSocket> sockets, EventTime at);
  [[nodiscard]] std::size_t open() const { return flows_.size(); }
  [[nodiscard]] std::uint64_t over_limit() const { return over_limit_; }

 private:
  using Ends = std::pair<Endpoint, Endpoint>;
  // A socket generation: by its cookie, and by its ends where the kernel gives no cookies.
  using Key = std::pair<std::uint64_t, Ends>;
  struct Flow {
    FlowId id;
    Ends ends;
    Role role = Role::unknown;
    std::uint64_t tx_base = 0, rx_base = 0;  // of a connection from before, when it was first seen
    std::uint64_t tx_told = 0, rx_told = 0;
    std::optional<TcpState> state_told;
    std::uint32_t rtt_told_us = 0, retransmits_told = 0;
    std::uint32_t owner = 0;
    bool owner_inferred = false;
    std::uint64_t next_question = 0, question_pause = 1;  // in looks
    std::uint64_t seen_in_look = 0;
    std::optional<EventTime> missed_since;
    Remains remains;
    bool waits = false;  // destroyed, its last word is in waiting_
  };
  [[nodiscard]] static Key key_of(const SocketFacts& socket);
  Flow* find_or_open(const MeasuredSocket& socket, EventTime at, bool from_before);
  void tell_owner(Flow& flow, const SocketOwner& owner, EventTime at);
  void tell_role(Flow& flow, Role role, EventTime at);
  void tell_bytes(Flow& flow, Direction direction, std::uint64_t count, EventTime at);
  void tell_measured(Flow& flow, const MeasuredSocket& socket, bool last, EventTime at);
  void tell_closed(const Key& key, const Flow& flow, const Payload* last, EventTime at);
  // Answers false if it waits for the other end's notice.
  bool finish(const MeasuredSocket& socket, EventTime at, bool may_wait);
  void finish_waiting(EventTime at);
  [[nodiscard]] Role role_by_listeners(const Ends& ends) const;
  struct OtherEnd {
    std::uint64_t written = 0;
    Role role = Role::unknown;
  };
  // Of a connection within this machine.
  [[nodiscard]] std::optional<OtherEnd> other_end(const Ends& ends);
  void remember_end(const Key& key);
  void remember_written(const Ends& ends, OtherEnd end);

  ConnectionWatchOptions options_;
  SocketQuestions& questions_;
  EventQueue& events_;
  std::map<Key, Flow> flows_;
  std::vector<Endpoint> listening_;
  std::map<Key, bool> ended_;  // without a notice so far
  std::deque<Key> ended_since_;
  struct Waiting {
    MeasuredSocket socket;
    EventTime since;
  };
  std::vector<Waiting> waiting_;
  std::map<Ends, OtherEnd> written_;
  std::deque<Ends> written_since_;
  std::uint64_t looks_ = 0;
  std::uint64_t next_flow_ = 1;
  std::uint64_t over_limit_ = 0;
};

}  // namespace tracer::procfs
