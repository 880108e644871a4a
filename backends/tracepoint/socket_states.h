// TCP connections as far as their changes of state tell: addresses, role, the process that connected, how they ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "core/event.h"

namespace tracer {

struct SocketStateChange {
  std::uint64_t socket = 0;        // its address in the kernel, which is given out again when it is gone
  std::uint32_t from = 0, to = 0;  // include/net/tcp_states.h
  Endpoint local, remote;
};

class SocketStates {
 public:
  explicit SocketStates(std::size_t flows_max = 65'536) : flows_max_(flows_max) {}
  // `who` runs at the change: whoever is on the processor, but for one that begins to connect.
  void on_change(const SocketStateChange& change, std::uint64_t at_ns, ProcessRef who, EventHandler& handler);

  [[nodiscard]] std::size_t size() const { return flows_.size(); }
  [[nodiscard]] std::uint64_t untracked() const { return untracked_; }  // left out by the limit

 private:
  struct Flow {
    FlowId id;
    ProcessRef owner;
    bool opened = false;
  };
  void open(Flow& flow, const SocketStateChange& change, EventTime at, bool preexisting, EventHandler& handler);

  std::size_t flows_max_;
  std::unordered_map<std::uint64_t, Flow> flows_;
  std::uint64_t next_id_ = 1;
  std::uint64_t untracked_ = 0;
};

}  // namespace tracer
