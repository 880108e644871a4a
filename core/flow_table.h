// The ends of connections that backends tell of, by FlowId.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/analyzer.h"
#include "core/backend.h"
#include "core/connection_join.h"
#include "core/event.h"

namespace tracer {

class Connection;
class PlaintextSession;

[[nodiscard]] constexpr std::size_t index_of(Side side) { return static_cast<std::size_t>(side); }
[[nodiscard]] constexpr std::size_t index_of(Direction direction) { return static_cast<std::size_t>(direction); }

struct Flow {
  JoinEnd end;
  Connection* connection = nullptr;  // never null once it is in use; the connection does not own it
  Side side = Side::a;               // which side of the connection it is
  bool nameless = true;              // its addresses are not known yet
  bool merged = true;                // its offsets count in the connection's streams; false: only its identity is used
  bool closed = false;               // a FlowClosed was seen; late events are taken until the linger time is over
  bool ended = false;                // that time is over: its streams have ended
  Vantage vantage = Vantage::endpoint;
  std::uint32_t owner = 0;         // tgid that opened it or is said to own it
  std::uint32_t remote_owner = 0;  // wire only: the same of the other end
  bool owner_inferred = false, remote_owner_inferred = false;
  std::array<std::uint32_t, 2> mover{};                 // tgid of the last call, by Direction
  std::array<std::optional<std::uint64_t>, 2> start{};  // own offset of the first byte to come, by Direction
  std::array<StreamVerdict, 2> verdict{};               // as last sent, by Direction
  // It has no socket: it stands for a session of a TLS library of which the connection is not known.
  bool unbound = false;
  std::vector<PlaintextSession*> sessions;  // of a TLS library, that it carries
  std::uint32_t join_tries = 0;
  std::uint64_t loss_epoch = 0;                             // when it was first seen
  bool filtered = false;                                    // a filter of the user's keeps its payload in the kernel
  bool was_quiet = false;                                   // its calls went uncounted on request
  FlowClosed closing;                                       // what the kernel said at the end
  FlowMeasured measured;                                    // the last word on each
  std::array<std::optional<std::uint64_t>, 2> witnessed{};  // the kernel's count of what the ledger should hold
};

class FlowTable {
 public:
  [[nodiscard]] Flow* find(FlowId id) {
    if (last_ != nullptr && last_->end.id == id) return last_;
    const auto found = flows_.find(id.value);
    return found == flows_.end() ? nullptr : last_ = found->second.get();
  }
  Flow& create(FlowId id);
  void erase(FlowId id);
  [[nodiscard]] std::size_t size() const { return flows_.size(); }

 private:
  std::unordered_map<std::uint64_t, std::unique_ptr<Flow>> flows_;
  Flow* last_ = nullptr;  // events come in runs
};

}  // namespace tracer
