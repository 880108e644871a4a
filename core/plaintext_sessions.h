// The sessions of TLS libraries, by id. Bounded: the one that said nothing for longest goes, since a library may forget
// one without a word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>
#include <vector>

#include "core/plaintext_session.h"

namespace tracer {

class PlaintextSessions {
 public:
  // Makes it the youngest. nullptr: not known.
  [[nodiscard]] PlaintextSession* find(FlowId id);
  PlaintextSession& create(PipelineContext& context, FlowId id, std::uint32_t tgid, bool from_start);
  // Takes it off its flow.
  void erase(PlaintextSession& session);
  // Has the flow carry it from now on.
  void bind(PlaintextSession& session, Flow& flow);

  [[nodiscard]] std::size_t size() const { return by_id_.size(); }
  [[nodiscard]] PlaintextSession& oldest() { return by_age_.back(); }
  // Those of a process of which no connection is known.
  [[nodiscard]] std::vector<FlowId> unbound_of(std::uint32_t tgid) const;
  [[nodiscard]] bool any_unbound() const { return !unbound_.empty(); }

 private:
  void unbind(PlaintextSession& session);

  std::list<PlaintextSession> by_age_;  // the youngest first
  std::unordered_map<std::uint64_t, std::list<PlaintextSession>::iterator> by_id_;
  std::unordered_map<std::uint32_t, std::vector<FlowId>> unbound_;  // by tgid
};

}  // namespace tracer
