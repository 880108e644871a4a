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
  for (const auto& channel : channels_) {
    if (channel) channel->add_flow(flow);
  }
  refresh_verdicts();  // the end may have got its numbering
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

void Connection::finish(EventTime at, std::string_view state) {
  for (const auto& channel : channels_) {
    if (channel) channel->cut(at);
  }
  finish_pending(at, true);
  if (state == "closed" && !witnessed_) ++context_.counters.unwitnessed;
  summarize(at, state);
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
  if (it == nullptr) return 0;
  if (it->mover[index_of(Direction::tx)] != 0) return it->mover[index_of(Direction::tx)];
  if (it->mover[index_of(Direction::rx)] != 0) return it->mover[index_of(Direction::rx)];
  return it->owner;
}

void Connection::on_channel_changed(Layer layer) {
  if (layer == Layer::socket) refresh_verdicts();
}

// ---- records ----

void Connection::on_record(Layer layer, std::unique_ptr<Record> record) {
  ++transactions_;
  ++context_.counters.transactions;
  Pending pending{std::move(record), layer, context_.now, {process_of(Side::a), process_of(Side::b)}};
  if (pending_.empty() && finish_record(pending, context_.now, false)) return;
  if (context_.records_pending >= context_.options.records_pending_max) {
    ++context_.counters.pending_limit_hits;
    finish_pending(context_.now, true);  // keeps the order
    (void)finish_record(pending, context_.now, true);
    return;
  }
  ++context_.records_pending;
  pending_.push_back(std::move(pending));
}

// Sends the record on, unless something that belongs into it may still come. `whatever`: do not wait.
bool Connection::finish_record(Pending& pending, EventTime now, bool whatever) {
  whatever |= now.ns >= pending.since.ns + context_.options.record_hold_ns;
  TransactionTimes times;
  const auto* transaction = std::get_if<HttpTransaction>(&pending.record->body);
  if (transaction != nullptr) times = times_of(*this, pending.layer, *transaction, !whatever);
  if (!whatever && (times.may_still_come || may_be_joined())) return false;
  if (transaction != nullptr && told_before(*transaction)) {
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
    Channel& channel = *channels_[static_cast<std::size_t>(pending.layer)];
    const auto forget = [&](Side side, const HttpMessage& message) {
      if (!message.present) return;
      told_until_[index_of(side)] = std::max(told_until_[index_of(side)], message.end_offset);
      for (const Observer which : {Observer::sender, Observer::receiver}) {
        channel.stream(side).observer(which).marks.prune(message.end_offset);
      }
    };
    forget(client_side, transaction->request);
    forget(other(client_side), transaction->response);
  }
  context_.records.on_record(std::move(pending.record));
  return true;
}

// Could this turn out to be an end of a connection whose other end tells the same?
bool Connection::may_be_joined() const {
  if (joined()) return false;
  const Flow* only = flows_[0] != nullptr ? flows_[0] : flows_[1];
  const bool nameless_about =
      context_.nameless_flows > 0 && context_.now.ns < context_.nameless_since.ns + context_.options.record_hold_ns;
  return join_possible_ || only->nameless || nameless_about;
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
  if (done == 0) return;
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(done));
  context_.records_pending -= done;
}

// ---- the ledger's witness, and the summary ----

// Compares what was told of the flow with what the kernel counted. Called before the tail becomes a gap of its own.
void Connection::check_witness(Flow& flow) {
  const Channel* socket = channel(Layer::socket);
  bool witnessed = false, agrees = true;
  std::uint64_t counted = 0, told = 0;
  for (const Direction direction : {Direction::tx, Direction::rx}) {
    const bool tx = direction == Direction::tx;
    const std::size_t i = index_of(direction);
    const auto& end = tx ? flow.closing.tx_end : flow.closing.rx_end;
    const auto& bytes = tx ? flow.closing.kernel_tx_bytes : flow.closing.kernel_rx_bytes;
    const SeenRange& seen = tx ? flow.end.tx : flow.end.rx;
    if (bytes) {
      flow.witnessed[i] = *bytes;
    } else if (end && seen.known && *end >= seen.first) {
      flow.witnessed[i] = *end - seen.first;
    }
    if (!flow.witnessed[i]) continue;
    witnessed = true;
    const std::uint64_t moved = socket != nullptr && flow.merged
                                    ? socket->observer(flow.side, direction).ledger(context_.streams).moved
                                    : seen.moved();
    // Fewer bytes told than counted are no surprise when events were lost or not asked for.
    const bool fewer_explained = flow.was_quiet || context_.streams.loss_epoch != flow.loss_epoch;
    counted += fewer_explained ? 0 : *flow.witnessed[i];
    told += moved;
    if (moved > *flow.witnessed[i] || (moved < *flow.witnessed[i] && !fewer_explained)) agrees = false;
  }
  witnessed_ |= witnessed;
  if (!agrees) ++context_.counters.ledger_mismatch;
  if (counted > 0 && told == 0) ++context_.counters.flows_of_unseen_calls;
}

void Connection::summarize(EventTime at, std::string_view state) {
  const ConnectionRecords asked = context_.options.connections;
  const bool parsed = transactions_ > 0;
  if (asked == ConnectionRecords::none || (asked == ConnectionRecords::unexplained && parsed)) return;
  auto record = std::make_unique<Record>();
  ConnectionSummary summary;
  const EventTime now = context_.now;
  record->body = summary;  // what a transaction may lack is no business of this record
  fill_record(context_, *this, Layer::socket, {}, {}, opened_at_, *record);
  summary.flow = identity_of(context_, *this, Layer::socket, {process_of(Side::a), process_of(Side::b)}, now, *record);
  if (!protocol().empty()) summary.protocol = protocol();
  summary.state = state;
  summary.transactions = transactions_;
  if (const Channel* socket = channel(Layer::socket)) {
    const auto ledger = [&](Side from) {
      const Side end = told_by(Layer::socket, from).value_or(primary_);
      const Direction direction = end == from ? Direction::tx : Direction::rx;
      StreamLedger ledger_of = socket->observer(end, direction).ledger(context_.streams);
      ledger_of.witnessed = flow(end)->witnessed[index_of(direction)];
      return ledger_of;
    };
    const Side client_side = client_of(*this);
    summary.client_to_server = ledger(client_side);
    summary.server_to_client = ledger(other(client_side));
  }
  const bool since_open = [&] {
    for (const Flow* it : flows_) {
      if (it != nullptr && (!it->end.opened || it->end.preexisting)) return false;
    }
    return true;
  }();
  if (since_open) summary.opened_at = context_.timeline.to_wall(opened_at_);
  if (state == "closed") {
    summary.closed_at = context_.timeline.to_wall(at);
    if (since_open && at >= opened_at_) summary.duration_ms = static_cast<double>(at.ns - opened_at_.ns) / 1e6;
  }
  record->body = std::move(summary);
  context_.records.on_record(std::move(record));
}

}  // namespace tracer
