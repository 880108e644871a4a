// Which TCP connection a descriptor is, where the kernel cannot be asked: follows what the floor programs note about
// descriptors and socket states, asks Ownership for the rest, and says it all as flow events.
//
// Pure bookkeeping but for the two interfaces it is given. The kernel-side descriptor map is the truth that the
// programs act on; this class only fills in what they could not know.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "backends/bpf/record_follower.h"
#include "core/ownership.h"

namespace tracer {

// The kernel-side maps, as far as user space writes them.
class DescriptorMap {
 public:
  virtual ~DescriptorMap() = default;
  // `replace` false: an entry that is there stays, it is newer than what user space knows.
  virtual void set(wire_fd_key key, wire_fd_value value, bool replace) = 0;
  virtual void forget(wire_fd_key key) = 0;
  [[nodiscard]] virtual std::optional<wire_fd_value> find(wire_fd_key key) const = 0;
  // The descriptor that was asked about belongs to `flow`: bytes that it moved meanwhile become a hole in the flow.
  virtual void resolve(wire_fd_key key, std::uint64_t flow) = 0;
  [[nodiscard]] virtual std::vector<wire_fd_key> keys() const = 0;
  virtual void add_stream(std::uint64_t flow) = 0;
  virtual void remove_stream(std::uint64_t flow) = 0;
};

struct DescriptorTrackerOptions {
  std::size_t sockets_max = 65536;  // TCP sockets remembered; past it unclaimed ones are forgotten
  std::size_t questions_max = 256;  // descriptors asked about that Ownership cannot name yet
  // The first pause between two questions; the next are as long as all before. Its list of sockets is made anew at most
  // every few milliseconds, more seldom where there are many sockets.
  std::uint64_t question_interval_ns = 2'000'000;
  std::uint64_t question_patience_ns = 1'000'000'000;
  // Whether the end of sockets is reported (tcp:tcp_destroy_sock). If not, TCP_CLOSE stands for it, and what a process
  // reads from a closed socket is not seen.
  bool destroy_seen = true;
};

class DescriptorTracker final : public RecordFollower {
 public:
  DescriptorTracker(Ownership& ownership, std::unique_ptr<DescriptorMap> map, DescriptorTrackerOptions options)
      : ownership_(ownership), map_(std::move(map)), options_(options) {}

  // Connections and listeners that were there before.
  void adopt_existing(EventTime now, EventHandler& out) override;

  void on_descriptor(const wire_fd& note, EventHandler& out) override;
  void on_state(const wire_open& note, EventHandler& out) override;
  void ask_again(EventTime now, EventHandler& out) override;
  // Forgets descriptors of processes that are gone: the programs see to the first 64 only.
  void sweep() override;
  // Fork and exit keep the namespace cache true.
  void on_fork(std::uint32_t parent, std::uint32_t child) override;
  void on_exit(std::uint32_t tgid) override;

  [[nodiscard]] std::uint64_t untracked() const override { return sockets_forgotten_ + questions_unanswered_; }

 private:
  using Tuple = std::pair<Endpoint, Endpoint>;  // local, remote

  struct Flow {
    std::optional<Endpoint> local, remote;
    std::uint64_t socket = 0;  // kernel address; 0: not known yet
    std::uint64_t inode = 0;
  };
  struct Socket {
    Endpoint local, remote;
    std::uint64_t flow = 0;
  };
  // An accepted flow of which only the peer is known: no change of its socket's state was told (a program that comes on
  // top of another one is skipped; perf buffers keep the order of one CPU), and its descriptor was given away at once.
  struct HalfKnown {
    std::uint64_t flow = 0;
    EventTime accepted;
  };
  struct Question {
    wire_fd_key key{};
    std::uint64_t flow = 0;  // its flow, of which the addresses are wanted; 0: which flow it is
    ProcessRef who;
    EventTime since, again;
  };

  void open_flow(std::uint64_t id, const Flow& flow, Role role, bool preexisting, ProcessRef who, EventTime at,
                 EventHandler& out);
  void on_connect(const wire_fd& note, EventHandler& out);
  void on_accept(const wire_fd& note, EventHandler& out);
  void on_unknown(const wire_fd& note, EventHandler& out);
  // False: not known yet.
  [[nodiscard]] bool explain(const Question& question, EventHandler& out);
  [[nodiscard]] bool explain_unknown(const Question& question, const FdAnswer& answer, EventHandler& out);
  void ask_later(const Question& question);
  void give_up(const Question& question);
  void complete(std::uint64_t flow, const SocketFacts& facts, EventTime at, EventHandler& out);
  void bind(std::uint64_t flow, std::uint64_t socket);
  template <typename Say>
  void forget(std::uint64_t socket, std::uint64_t flow, Say say);
  void remember(std::uint64_t socket, const Socket& facts);
  [[nodiscard]] std::uint64_t flow_of(std::uint64_t socket, const Tuple& tuple);
  void forget_half_known(const Flow& flow, std::uint64_t id);
  [[nodiscard]] std::uint64_t namespace_of(std::uint32_t tgid);
  // The accepted socket whose peer is `remote`, if that is certain.
  [[nodiscard]] std::uint64_t claim(const Endpoint& remote);
  [[nodiscard]] std::uint64_t claim_at(std::uint32_t tgid, int listener);
  [[nodiscard]] std::optional<std::uint16_t> port_of(std::uint32_t tgid, int listener);

  Ownership& ownership_;
  std::unique_ptr<DescriptorMap> map_;
  DescriptorTrackerOptions options_;
  std::unordered_map<std::uint64_t, Flow> flows_;
  std::unordered_map<std::uint64_t, Socket> sockets_;  // by kernel address
  std::multimap<Endpoint, std::uint64_t> unclaimed_;   // passive sockets nobody accepted yet, by peer
  std::multimap<Endpoint, HalfKnown> half_known_;      // by peer
  std::map<Tuple, std::uint64_t> by_tuple_;            // flow of a tuple; the latest
  std::unordered_map<std::uint64_t, std::uint64_t> by_inode_;
  std::map<std::pair<std::uint32_t, int>, std::uint16_t> listener_ports_;
  std::unordered_map<std::uint32_t, std::uint64_t> namespaces_;
  std::uint64_t next_own_flow_ = std::uint64_t{1} << 62;  // above what the programs give out
  std::vector<Question> questions_;
  std::uint64_t sockets_forgotten_ = 0;
  std::uint64_t questions_unanswered_ = 0;
};

}  // namespace tracer
