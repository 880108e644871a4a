#include "core/flow_table.h"

namespace tracer {

Flow& FlowTable::create(FlowId id) {
  auto flow = std::make_unique<Flow>();
  flow->end.id = id;
  Flow& created = *flow;
  flows_[id.value] = std::move(flow);
  last_ = &created;
  return created;
}

void FlowTable::erase(FlowId id) {
  last_ = nullptr;
  flows_.erase(id.value);
}

}  // namespace tracer
