// The two ends of a connection: taking the second one over, whose bytes are wanted, and telling the backend so.
#include "core/connection.h"

#include <algorithm>

namespace tracer {

namespace {

constexpr std::uint64_t everything = UINT64_MAX;

bool same(const StreamVerdict& a, const StreamVerdict& b) { return a.mode == b.mode && a.skip_until == b.skip_until; }

}  // namespace

void Connection::absorb(Connection& other_connection) {
  Flow& flow = *other_connection.flows_[0];
  const Flow& mine = *flows_[0];
  flow.connection = this;
  flow.side = Side::b;
  flows_[1] = &flow;
  other_connection.flows_[0] = nullptr;
  // Counted bytes are comparable only if both counted from the beginning.
  const auto counts_from_start = [](const Flow& it) { return it.end.opened && !it.end.preexisting; };
  flow.merged =
      (mine.end.offset_source == OffsetSource::sequence && flow.end.offset_source == OffsetSource::sequence) ||
      (counts_from_start(mine) && counts_from_start(flow));
  opened_at_ = std::min(opened_at_, other_connection.opened_at_);
  join_possible_ = false;
  std::array<std::uint64_t, 2> deltas{};
  if (flow.merged && other_connection.socket_) {
    if (!socket_) {  // only the channel of the first flow; the second brings its own observers
      flows_[1] = nullptr;
      (void)socket_channel();
      flows_[1] = &flow;
    }
    socket_->add_flow(mine);  // it may have been opened just now: where it starts counts from here on
    deltas = socket_->adopt_flow(flow, Side::a, *other_connection.socket_);
    for (const Side side : {Side::a, Side::b}) {  // their side a is our side b
      const std::uint64_t told = other_connection.told_until_[index_of(other(side))];
      if (told != 0) told_until_[index_of(side)] = std::max(told_until_[index_of(side)], told + deltas[index_of(side)]);
    }
  } else if (flow.merged && socket_) {
    socket_->add_flow(flow);
  }
  other_connection.drop_pending(Layer::socket);
  if (!handshake_) handshake_ = std::move(other_connection.handshake_);
  join_plaintext(other_connection);
  choose_primary();
  if (flow.merged && other_connection.socket_) socket_->take_held(*other_connection.socket_, deltas);
}

void Connection::choose_primary() {
  const auto client_side = client();
  primary_ = flows_[1]->merged && client_side ? other(*client_side) : Side::a;
  catching_up_ = false;
  if (const Channel* socket = socket_.get(); socket != nullptr && flows_[1]->merged) {
    // The second flow was followed on its own for a while. What it brought there will not come again from it.
    for (const Side side : {Side::a, Side::b}) {
      const Direction direction = side == Side::b ? Direction::tx : Direction::rx;
      const StreamObserver& second = socket->observer(Side::b, direction);
      catch_up_until_[index_of(side)] = second.started() ? second.passed() : 0;
    }
    catching_up_ = !caught_up();
  }
  refresh_observers();
  refresh_verdicts();
}

// Nobody says that an end moves bytes in a way that is not seen. So it must have brought some, in this direction,
// before the other end is asked for sizes only; and once it missed some, the other end goes on bringing them too.
bool Connection::only_sizes_wanted(Side end, Direction direction) const {
  if (!joined() || end == primary_ || catching_up_ || !one_end_suffices()) return false;
  const Channel* socket = socket_.get();
  const Side stream = Channel::stream_side(end, direction);
  const Observer primary = stream == primary_ ? Observer::sender : Observer::receiver;
  return socket != nullptr && socket->stream(stream).observer(primary).sees_all();
}

// If the answer to that has changed, says so.
void Connection::refresh_outdated() {
  const Channel* socket = socket_.get();
  const Flow* secondary = flow(other(primary_));
  if (!joined() || socket == nullptr || !secondary->merged) return;
  for (const Direction direction : {Direction::tx, Direction::rx}) {
    const bool brings = socket->observer(secondary->side, direction).brings_bytes;
    if (brings != only_sizes_wanted(secondary->side, direction)) continue;
    refresh_observers();
    refresh_verdicts();
    return;
  }
}

std::optional<Side> Connection::told_by(Layer layer, Side from) const {
  if (layer == Layer::tls_plaintext) return plaintext_ ? plaintext_->teller : std::nullopt;
  const Channel* it = socket_.get();
  if (it == nullptr) return std::nullopt;
  for (const Side end : {primary_, other(primary_)}) {
    if (it->stream(from).observer(end == from ? Observer::sender : Observer::receiver).brought_bytes()) return end;
  }
  return std::nullopt;
}

// Counted offsets come from backends that must guess which socket a descriptor is and can miss some of an end's calls:
// there the other end's bytes are wanted too, to fill holes.
bool Connection::one_end_suffices() const {
  return flows_[0]->end.offset_source == OffsetSource::sequence &&
         flows_[1]->end.offset_source == OffsetSource::sequence;
}

bool Connection::caught_up() const {
  const Channel* socket = socket_.get();
  for (const Side side : {Side::a, Side::b}) {
    const StreamAssembler& stream = socket->stream(side);
    if (catch_up_until_[index_of(side)] > (stream.started() ? stream.position() : 0)) return false;
  }
  return true;
}

// Whose bytes are still expected, by what the verdicts ask for.
void Connection::refresh_observers() {
  if (!socket_) return;
  for (const Side side : {Side::a, Side::b}) {
    const Flow* it = flow(side);
    if (it == nullptr || !it->merged) continue;
    for (const Direction direction : {Direction::tx, Direction::rx}) {
      socket_->observer(side, direction).brings_bytes = !only_sizes_wanted(side, direction);
    }
  }
}

StreamVerdict Connection::wanted(const Flow& flow, Direction direction) const {
  using Mode = StreamVerdict::Mode;
  const Channel* socket = socket_.get();
  // Where only sizes count, an end that numbers its bytes need not even tell them: its close says how far it went.
  const bool counted = !context_.options.transactions && flow.end.offset_source == OffsetSource::counter;
  if (socket != nullptr && !socket->interesting()) return {counted ? Mode::sizes : Mode::quiet, 0};
  if (!flow.merged) return {Mode::sizes, 0};
  if (only_sizes_wanted(flow.side, direction)) return {Mode::sizes, 0};
  if (socket == nullptr) return {};
  const Side stream = Channel::stream_side(flow.side, direction);
  StreamVerdict verdict;
  verdict.mode = socket->whole(stream) ? Mode::whole : Mode::normal;
  // Before its first byte, or word of where that lies, nobody knows how this end numbers the stream.
  const StreamObserver& it = socket->observer(flow.side, direction);
  if (const std::uint64_t until = socket->skip_until(stream); until != 0 && it.started()) {
    verdict.skip_until = until - it.shift;
  }
  return verdict;
}

void Connection::refresh_verdicts() {
  for (Flow* flow : flows_) {
    if (flow == nullptr || flow->closed || flow->unbound) continue;
    for (const Direction direction : {Direction::tx, Direction::rx}) {
      const StreamVerdict verdict = wanted(*flow, direction);
      StreamVerdict& sent = flow->verdict[index_of(direction)];
      if (same(verdict, sent)) continue;
      sent = verdict;
      ++context_.counters.verdicts;
      const bool quiet = verdict.mode == StreamVerdict::Mode::quiet;
      flow->was_quiet |= quiet;
      if (socket_ && flow->merged) {
        StreamObserver& it = socket_->observer(flow->side, direction);
        if (quiet) {
          it.skip_until = everything;
        } else if (verdict.skip_until != 0 && !it.patient) {  // on the wire every range is told
          it.skip_until = verdict.skip_until + it.shift;
        }
      }
      context_.verdicts.set_verdict(flow->end.id, direction, verdict);
    }
  }
}

}  // namespace tracer
