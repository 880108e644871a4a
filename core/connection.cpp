#include "core/connection.h"

#include <algorithm>
#include <utility>

#include "core/plaintext_session.h"
#include "core/record_finisher.h"

namespace tracer {

namespace {

bool is_handshake(const Record& record) { return std::holds_alternative<TlsHandshake>(record.body); }

}  // namespace

Connection::Connection(PipelineContext& context, std::uint64_t id, Flow& first, EventTime at)
    : context_(context), id_(id), opened_at_(at) {
  flows_[0] = &first;
  first.connection = this;
  first.side = Side::a;
}

Channel& Connection::socket_channel() {
  if (!socket_) {
    socket_ = std::make_unique<Channel>(context_, static_cast<ChannelOwner&>(*this), Layer::socket);
    for (const Flow* flow : flows_) {
      if (flow != nullptr && flow->merged) socket_->add_flow(*flow);
    }
    refresh_observers();
  }
  return *socket_;
}

void Connection::on_data(Flow& flow, const FlowData& data, EventTime at) {
  if (!flow.merged) return;
  socket_channel().on_data(flow.side, data, at);
  if (catching_up_ && caught_up()) catching_up_ = false;
  refresh_outdated();
  if (!pending_.empty()) finish_pending(at, false);
}

void Connection::on_flow_known(Flow& flow) {
  if (!flow.merged) return;
  if (!context_.options.transactions) (void)socket_channel();  // its ledgers are all that is asked for
  if (socket_) socket_->add_flow(flow);
  refresh_verdicts();  // the end may have got its numbering
  if (!pending_.empty()) finish_pending(context_.now, false);
}

void Connection::on_stream_end(Flow& flow, const StreamEnded& event, EventTime at) {
  if (!flow.merged) return;
  if (socket_) socket_->on_stream_ended(flow, event, at);
  if (!pending_.empty()) finish_pending(at, false);
}

void Connection::on_flow_end(Flow& flow, EventTime at) {
  check_witness(flow);
  for (PlaintextSession* session : flow.sessions) session->end(at);
  if (flow.merged && socket_) socket_->on_flow_end(flow, at);
  if (!pending_.empty()) finish_pending(at, false);
}

void Connection::on_time(EventTime now) {
  if (socket_) socket_->on_time(now);
  for (const Flow* flow : flows_) {
    if (flow == nullptr) continue;
    for (PlaintextSession* session : flow->sessions) session->on_time(now);
  }
  refresh_outdated();
  if (!pending_.empty()) finish_pending(now, false);
}

void Connection::cut(EventTime at, StreamEnd how) {
  if (socket_) socket_->cut(at, how);  // first: what is inside asks for the handshake
  for (const Flow* flow : flows_) {
    if (flow == nullptr) continue;
    for (PlaintextSession* session : flow->sessions) session->cut(at, how);
  }
}

void Connection::finish(EventTime at, ConnectionEnd how) {
  cut(at, StreamEnd::cut);
  finish_pending(at, true);
  if (own_ || unbound() || how == ConnectionEnd::handed_over) return;
  if (how == ConnectionEnd::closed && !witnessed_) ++context_.counters.unwitnessed;
  count_blindness();
  account();
  summarize(at, how);
}

bool Connection::filtered() const {
  return std::ranges::all_of(flows_, [](const Flow* it) { return it == nullptr || it->filtered; });
}

std::uint64_t Connection::progress() const { return socket_ ? socket_->progress() : 0; }

std::string_view Connection::protocol() const {
  // What lies inside TLS says more than TLS.
  if (plaintext_ && !plaintext_->protocol.empty()) return plaintext_->protocol;
  return socket_ ? socket_->protocol() : std::string_view();
}

std::optional<Side> Connection::client() const {
  for (const Side side : {Side::a, Side::b}) {
    const Flow* it = flow(side);
    if (it == nullptr || it->end.role == Role::unknown) continue;
    return it->end.role == Role::client ? side : other(side);
  }
  if (socket_ && socket_->client()) return socket_->client();
  return plaintext_ ? plaintext_->client : std::nullopt;
}

// Who really moves the bytes; an end that only receives is as good; else who opened it.
std::uint32_t Connection::process_of(Side side) const {
  const Flow* it = flow(side);
  if (it == nullptr) {
    const Flow* there = flow(other(side));
    return there != nullptr ? there->remote_owner : 0;
  }
  if (it->mover[index_of(Direction::tx)] != 0) return it->mover[index_of(Direction::tx)];
  if (it->mover[index_of(Direction::rx)] != 0) return it->mover[index_of(Direction::rx)];
  return it->owner;
}

bool Connection::process_inferred(Side side) const {
  if (const Flow* it = flow(side)) return it->owner != 0 && it->owner_inferred;
  const Flow* there = flow(other(side));
  return there != nullptr && there->remote_owner != 0 && there->remote_owner_inferred;
}

bool Connection::on_wire() const {
  const Flow* it = flows_[0] != nullptr ? flows_[0] : flows_[1];
  return it != nullptr && it->vantage == Vantage::wire;
}

void Connection::on_protocol(std::string_view protocol, bool analyzed) {
  if (plaintext_ && plaintext_->counted && protocol == "TLS") return;  // it is counted by what is inside
  context_.count_protocol(protocol, analyzed);
}

void Connection::on_channel_changed() { refresh_verdicts(); }

// ---- records ----

void Connection::on_record(std::unique_ptr<Record> record) {
  if (own_) return context_.pool.give_back(std::move(record));
  if (const auto* handshake = std::get_if<TlsHandshake>(&record->body)) {
    handshake_ = std::make_shared<const HandshakeFacts>(facts_of(*handshake));
    if (!context_.options.handshakes) return context_.pool.give_back(std::move(record));
    handshake_told_ = true;
  } else {
    ++transactions_;
  }
  Pending pending;
  pending.record = std::move(record);
  pending.layer = Layer::socket;
  take_record(std::move(pending));
}

void Connection::take_record(Pending pending) {
  ++context_.counters.transactions;
  pending.since = context_.now;
  pending.processes = {process_of(Side::a), process_of(Side::b)};
  if (pending.layer == Layer::tls_plaintext && told_by_session(pending)) return drop(pending);
  if (pending_.empty() && finish_record(pending, context_.now, false)) return;
  if (context_.records_pending >= context_.options.records_pending_max) {
    ++context_.counters.pending_limit_hits;
    finish_pending(context_.now, true);  // keeps the order
    (void)finish_record(pending, context_.now, true);
    return;
  }
  ++context_.records_pending;
  // Before the transactions that wait for what it says.
  pending_.insert(is_handshake(*pending.record) ? pending_.begin() : pending_.end(), std::move(pending));
  settle_waiting_times();
}

bool Connection::settle_times(Pending& pending) {
  if (pending.times) return true;
  const auto extent = extent_of(*pending.record);
  if (!extent || may_be_joined()) return false;
  const TransactionTimes times = times_of(*this, *extent, true);
  if (times.may_still_come) return false;
  pending.times = times;
  socket_->prune_marks(client().value_or(Side::a), *extent);
  return true;
}

// In order: the marks of one record lie before those of the next.
void Connection::settle_waiting_times() {
  std::size_t first = pending_.size();
  while (first > 0 && !pending_[first - 1].times) --first;
  while (first < pending_.size() && settle_times(pending_[first])) ++first;
}

// Sends the record on, unless something that belongs into it may still come. `whatever`: do not wait.
bool Connection::finish_record(Pending& pending, EventTime now, bool whatever) {
  whatever |= now.ns >= pending.since.ns + context_.options.record_hold_ns;
  TransactionTimes times;
  const auto extent = extent_of(*pending.record);
  if (pending.times) {
    times = *pending.times;
  } else if (extent) {
    times = times_of(*this, *extent, !whatever);
  }
  const bool in_clear = pending.layer == Layer::tls_plaintext;
  if (!whatever && (times.may_still_come || may_be_joined() || owner_may_come())) return false;
  if (!whatever && in_clear && (unbound() || handshake_may_come() || client_may_tell())) return false;
  // Its request may be on its way from the other end.
  if (!whatever && in_clear && extent && !extent->request.present && !pending.from_start) return false;
  const bool told = extent && ((in_clear ? told_in_clear(pending, *extent) : told_before(*extent)) ||
                               (carried_ && told_by_predecessor(pending.layer, *extent)));
  if (told) {
    drop(pending);
    return true;
  }
  for (const Side side : {Side::a, Side::b}) {
    std::uint32_t& tgid = pending.processes[index_of(side)];
    if (tgid == 0) tgid = process_of(side);  // the end was found, or moved its first byte, meanwhile
  }
  fill_record(context_, *this, {pending.layer, pending.own_handshake ? handshake_.get() : nullptr}, times,
              pending.processes, pending.since, *pending.record);
  if (extent) note_told(pending, *extent);
  context_.records.on_record(std::move(pending.record));
  return true;
}

// Somebody else told it.
void Connection::drop(Pending& pending) {
  ++context_.counters.superseded;
  --context_.counters.transactions;
  if (!is_handshake(*pending.record)) --transactions_;
  context_.pool.give_back(std::move(pending.record));
}

void Connection::note_told(const Pending& pending, const RecordExtent& extent) {
  if (pending.layer == Layer::tls_plaintext) {
    const auto& transaction = std::get<HttpTransaction>(pending.record->body);
    return plaintext_->note(extent, std::max(transaction.request.end_at, transaction.response.end_at));
  }
  const Side client_side = client().value_or(Side::a);
  const auto told_to = [&](Side side, const RecordExtent::Part& part) {
    if (part.present) told_until_[index_of(side)] = std::max(told_until_[index_of(side)], part.end_offset);
  };
  told_to(client_side, extent.request);
  told_to(other(client_side), extent.response);
  socket_->prune_marks(client_side, extent);
}

// Could this turn out to be an end of a connection whose other end tells the same?
bool Connection::may_be_joined() const {
  if (joined() || unbound()) return false;
  const Flow* only = flows_[0] != nullptr ? flows_[0] : flows_[1];
  if (only->vantage == Vantage::wire) return false;
  const bool nameless_about =
      context_.nameless_flows > 0 && context_.now.ns < context_.nameless_since.ns + context_.options.record_hold_ns;
  return join_possible_ || only->nameless || nameless_about;
}

// Where both ends are on this machine, the one that accepts is found a little later than the one that connects. Who is
// not found soon after is not found while there are bytes.
bool Connection::owner_may_come() const {
  if (!context_.owners_told || !on_wire()) return false;
  if (context_.now.ns >= opened_at_.ns + 2 * context_.options.record_hold_ns) return false;
  const Flow& wire = *(flows_[0] != nullptr ? flows_[0] : flows_[1]);
  return (wire.owner == 0 || wire.remote_owner == 0) && wire.end.local && is_loopback(*wire.end.local);
}

// The other end had printed it before the two were known to be one connection.
bool Connection::told_before(const RecordExtent& extent) const {
  const Side client_side = client().value_or(Side::a);
  const RecordExtent::Part& part = extent.request.present ? extent.request : extent.response;
  const Side side = extent.request.present ? client_side : other(client_side);
  return part.present && part.end_offset != 0 && part.end_offset <= told_until_[index_of(side)];
}

void Connection::finish_pending(EventTime now, bool whatever) {
  std::size_t done = 0;
  while (done < pending_.size() && finish_record(pending_[done], now, whatever)) ++done;
  if (done == 0) return settle_waiting_times();
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(done));
  context_.records_pending -= done;
  settle_waiting_times();
}

}  // namespace tracer
