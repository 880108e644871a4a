#include "core/connection.h"

#include <algorithm>
#include <utility>

#include "core/record_finisher.h"

namespace tracer {

Connection::Connection(PipelineContext& context, std::uint64_t id, Flow& first, EventTime at)
    : context_(context), id_(id), opened_at_(at) {
  flows_[0] = &first;
  first.connection = this;
  first.side = Side::a;
}

Channel& Connection::channel_for(Layer layer) {
  auto& channel = channels_[static_cast<std::size_t>(layer)];
  if (!channel) {
    channel = std::make_unique<Channel>(context_, static_cast<ChannelOwner&>(*this), layer);
    for (const Flow* flow : flows_) {
      if (flow != nullptr && flow->merged) channel->add_flow(*flow);
    }
    if (layer == Layer::socket) refresh_observers();
  }
  return *channel;
}

void Connection::on_data(Flow& flow, const FlowData& data, EventTime at) {
  if (!flow.merged && data.layer == Layer::socket) return;
  Channel& channel = channel_for(data.layer);
  channel.on_data(flow, data, at);
  if (catching_up_ && caught_up()) catching_up_ = false;
  refresh_outdated();
  if (!pending_.empty()) finish_pending(at, false);
}

void Connection::on_flow_known(Flow& flow) {
  if (!flow.merged) return;
  if (!context_.options.transactions) (void)channel_for(Layer::socket);  // its ledgers are all that is asked for
  for (const auto& channel : channels_) {
    if (channel) channel->add_flow(flow);
  }
  refresh_verdicts();  // the end may have got its numbering
  if (!pending_.empty()) finish_pending(context_.now, false);
}

void Connection::on_stream_end(Flow& flow, const StreamEnded& event, EventTime at) {
  if (!flow.merged) return;
  if (const auto& socket = channels_[static_cast<std::size_t>(Layer::socket)]) socket->on_stream_ended(flow, event, at);
  if (!pending_.empty()) finish_pending(at, false);
}

void Connection::on_flow_end(Flow& flow, EventTime at) {
  check_witness(flow);
  if (flow.merged) {
    for (const auto& channel : channels_) {
      if (channel) channel->on_flow_end(flow, at);
    }
  }
  if (!pending_.empty()) finish_pending(at, false);
}

void Connection::on_time(EventTime now) {
  for (const auto& channel : channels_) {
    if (channel) channel->on_time(now);
  }
  refresh_outdated();
  if (!pending_.empty()) finish_pending(now, false);
}

void Connection::cut(EventTime at) {
  for (const auto& channel : channels_) {
    if (channel) channel->cut(at, StreamEnd::handed_over);
  }
}

void Connection::finish(EventTime at, ConnectionEnd how) {
  for (const auto& channel : channels_) {
    if (channel) channel->cut(at, StreamEnd::cut);
  }
  finish_pending(at, true);
  if (own_ || how == ConnectionEnd::handed_over) return;
  if (how == ConnectionEnd::closed && !witnessed_) ++context_.counters.unwitnessed;
  account();
  summarize(at, how);
}

bool Connection::filtered() const {
  return std::ranges::all_of(flows_, [](const Flow* it) { return it == nullptr || it->filtered; });
}

std::uint64_t Connection::progress() const {
  std::uint64_t sum = 0;
  for (const auto& channel : channels_) sum += channel ? channel->progress() : 0;
  return sum;
}

std::string_view Connection::protocol() const {
  // What lies inside TLS says more than TLS.
  for (const Layer layer : {Layer::tls_plaintext, Layer::socket}) {
    if (const Channel* it = channel(layer); it != nullptr && !it->protocol().empty()) return it->protocol();
  }
  return {};
}

std::optional<Side> Connection::client() const {
  for (const Side side : {Side::a, Side::b}) {
    const Flow* it = flow(side);
    if (it == nullptr || it->end.role == Role::unknown) continue;
    return it->end.role == Role::client ? side : other(side);
  }
  for (const auto& channel : channels_) {
    if (channel && channel->client()) return channel->client();
  }
  return std::nullopt;
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

void Connection::on_channel_changed(Layer layer) {
  if (layer == Layer::socket) refresh_verdicts();
}

// ---- records ----

void Connection::on_record(Layer layer, std::unique_ptr<Record> record) {
  if (own_) return context_.pool.give_back(std::move(record));
  ++transactions_;
  ++context_.counters.transactions;
  Pending pending{std::move(record), layer, context_.now, {process_of(Side::a), process_of(Side::b)}, std::nullopt};
  if (pending_.empty() && finish_record(pending, context_.now, false)) return;
  if (context_.records_pending >= context_.options.records_pending_max) {
    ++context_.counters.pending_limit_hits;
    finish_pending(context_.now, true);  // keeps the order
    (void)finish_record(pending, context_.now, true);
    return;
  }
  ++context_.records_pending;
  pending_.push_back(std::move(pending));
  settle_waiting_times();
}

bool Connection::settle_times(Pending& pending) {
  if (pending.times) return true;
  const auto* transaction = std::get_if<HttpTransaction>(&pending.record->body);
  if (transaction == nullptr || may_be_joined()) return false;
  const TransactionTimes times = times_of(*this, pending.layer, *transaction, true);
  if (times.may_still_come) return false;
  pending.times = times;
  prune_marks(pending.layer, *transaction);
  return true;
}

// In order: the marks of one record lie before those of the next.
void Connection::settle_waiting_times() {
  std::size_t first = pending_.size();
  while (first > 0 && !pending_[first - 1].times) --first;
  while (first < pending_.size() && settle_times(pending_[first])) ++first;
}

void Connection::prune_marks(Layer layer, const HttpTransaction& transaction) {
  const Side client_side = client().value_or(Side::a);
  Channel& channel = *channels_[static_cast<std::size_t>(layer)];
  const auto prune = [&](Side side, const HttpMessage& message) {
    if (!message.present) return;
    for (const Observer which : {Observer::sender, Observer::receiver}) {
      channel.stream(side).observer(which).marks.prune(message.end_offset);
    }
  };
  prune(client_side, transaction.request);
  prune(other(client_side), transaction.response);
}

// Sends the record on, unless something that belongs into it may still come. `whatever`: do not wait.
bool Connection::finish_record(Pending& pending, EventTime now, bool whatever) {
  whatever |= now.ns >= pending.since.ns + context_.options.record_hold_ns;
  TransactionTimes times;
  const auto* transaction = std::get_if<HttpTransaction>(&pending.record->body);
  if (pending.times) {
    times = *pending.times;
  } else if (transaction != nullptr) {
    times = times_of(*this, pending.layer, *transaction, !whatever);
  }
  if (!whatever && (times.may_still_come || may_be_joined() || owner_may_come())) return false;
  const bool told =
      transaction != nullptr && (told_before(*transaction) || (carried_ && told_by_predecessor(*transaction)));
  if (told) {
    ++context_.counters.superseded;
    --context_.counters.transactions;
    --transactions_;
    context_.pool.give_back(std::move(pending.record));
    return true;
  }
  for (const Side side : {Side::a, Side::b}) {
    std::uint32_t& tgid = pending.processes[index_of(side)];
    if (tgid == 0) tgid = process_of(side);  // the end was found, or moved its first byte, meanwhile
  }
  fill_record(context_, *this, pending.layer, times, pending.processes, pending.since, *pending.record);
  if (transaction != nullptr) {
    const Side client_side = client().value_or(Side::a);
    const auto told_to = [&](Side side, const HttpMessage& message) {
      if (message.present) told_until_[index_of(side)] = std::max(told_until_[index_of(side)], message.end_offset);
    };
    told_to(client_side, transaction->request);
    told_to(other(client_side), transaction->response);
    prune_marks(pending.layer, *transaction);
  }
  context_.records.on_record(std::move(pending.record));
  return true;
}

// Could this turn out to be an end of a connection whose other end tells the same?
bool Connection::may_be_joined() const {
  if (joined()) return false;
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
bool Connection::told_before(const HttpTransaction& transaction) const {
  const Side client_side = client().value_or(Side::a);
  const HttpMessage& message = transaction.request.present ? transaction.request : transaction.response;
  const Side side = transaction.request.present ? client_side : other(client_side);
  return message.present && message.end_offset != 0 && message.end_offset <= told_until_[index_of(side)];
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
