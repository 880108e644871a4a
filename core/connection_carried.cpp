// A connection that another pipeline told of before this one, or will go on with after it.
#include <utility>

#include "core/carried_connections.h"
#include "core/connection.h"

namespace tracer {

void Connection::carry_on(const CarriedConnection& carried) {
  if (carried_) return;
  carried_ = std::make_unique<CarriedConnection>(carried);
  if (!handshake_) handshake_ = carried.handshake;
  const Flow& any = *(flows_[0] != nullptr ? flows_[0] : flows_[1]);
  carried_low_ = *any.end.local == carried.low ? any.side : other(any.side);
}

Side Connection::carried_side(std::size_t index) const { return index == 0 ? carried_low_ : other(carried_low_); }

std::optional<CarriedConnection> Connection::to_carry() const {
  const Flow& any = *(flows_[0] != nullptr ? flows_[0] : flows_[1]);
  if (!any.end.local || !any.end.remote || own_ || unbound()) return std::nullopt;
  CarriedConnection it;
  const AddressPair pair = AddressPair::of(*any.end.local, *any.end.remote);
  it.low = pair.low;
  it.high = pair.high;
  it.network_namespace = any.end.network_namespace;
  if (joined() && flows_[0]->end.network_namespace != flows_[1]->end.network_namespace) it.network_namespace = 0;
  it.connection_id = told_id();
  it.told_at = context_.timeline.to_wall(last_at);
  const Side low = *any.end.local == pair.low ? any.side : other(any.side);
  const Channel* socket = socket_.get();
  for (const Side from : {Side::a, Side::b}) {
    const std::size_t i = from == low ? 0 : 1;
    it.ledgers[i] = ledger_of(from);
    it.ledgers[i].witnessed.reset();
    if (any.end.offset_source != OffsetSource::sequence) continue;
    const Direction direction = from == any.side ? Direction::tx : Direction::rx;
    if (socket != nullptr && socket->stream(from).started()) {
      it.told_until[i] = static_cast<std::uint32_t>(socket->stream(from).position());
    } else if (const auto start = any.start[index_of(direction)]) {
      it.told_until[i] = static_cast<std::uint32_t>(*start);
    }
  }
  it.transactions = transactions_;
  it.handshake = handshake_;
  it.plaintext = plaintext_ != nullptr || (carried_ && carried_->plaintext);
  const bool since_open = any.end.opened && !any.end.preexisting;
  if (since_open) it.opened_at = context_.timeline.to_wall(opened_at_);
  if (carried_) {
    it.opened_at = carried_->opened_at;
    it.transactions += carried_->transactions;
    for (const std::size_t i : {0U, 1U}) {
      const Side from = i == 0 ? low : other(low);
      const StreamLedger& before = carried_->ledgers[carried_side(0) == from ? 0 : 1];
      it.ledgers[i].moved += before.moved;
      it.ledgers[i].kept += before.kept;
      for (std::size_t cause = 0; cause < gap_cause_count; ++cause) it.ledgers[i].gaps[cause] += before.gaps[cause];
    }
  }
  return it;
}

// Between the last byte that the predecessor told and the first that is told here; 0 also where it cannot be known.
std::uint64_t Connection::switch_gap(Side from) const {
  const auto end = end_telling(from);
  const Channel* socket = socket_.get();
  if (!carried_ || carried_->ended || socket == nullptr || !end) return 0;
  const auto& until = carried_->told_until[carried_side(0) == from ? 0 : 1];
  const StreamObserver& it = socket->observer(*end, *end == from ? Direction::tx : Direction::rx);
  if (!until || !it.started() || flow(*end)->end.offset_source != OffsetSource::sequence) return 0;
  const auto distance = static_cast<std::int32_t>(static_cast<std::uint32_t>(it.first()) - *until);
  return distance > 0 ? static_cast<std::uint64_t>(distance) : 0;
}

// It may have been told, whole or as incomplete, before the watch changed hands.
bool Connection::told_by_predecessor(Layer layer, const RecordExtent& extent) {
  if (carried_past_told_) return false;
  const RecordExtent::Part& request = extent.request;
  if (!request.present) return true;  // the request was told as incomplete
  const Side client_side = client().value_or(Side::a);
  const auto& until = carried_->told_until[carried_side(0) == client_side ? 0 : 1];
  const Flow& any = *(flows_[0] != nullptr ? flows_[0] : flows_[1]);
  bool told = false;
  if (layer == Layer::socket && until && any.end.offset_source == OffsetSource::sequence) {
    told = static_cast<std::int32_t>(static_cast<std::uint32_t>(request.first_offset) - *until) < 0;
  } else {
    told = context_.timeline.to_wall(request.first_at).ns <=
           carried_->told_at.ns + static_cast<std::int64_t>(carried_slack_ns);
  }
  carried_past_told_ = !told;
  return told;
}

}  // namespace tracer
