#include "core/plaintext_session.h"

#include <utility>

#include "core/connection.h"
#include "core/record_finisher.h"

namespace tracer {

namespace {

constexpr std::uint64_t everything = UINT64_MAX;

}  // namespace

PlaintextSession::PlaintextSession(PipelineContext& context, FlowId id, std::uint32_t tgid, bool from_start)
    : context_(context),
      id_(id),
      tgid_(tgid),
      from_start_(from_start),
      channel_(std::make_unique<Channel>(context, static_cast<ChannelOwner&>(*this), Layer::tls_plaintext)) {
  channel_->begin_session(from_start);
  refresh_verdicts();
}

void PlaintextSession::begins_at_start() {
  if (begun_ || from_start_ || silenced()) return;
  from_start_ = true;
  channel_->begin_session(true);
}

void PlaintextSession::on_data(const FlowData& data, EventTime at) {
  if (silenced()) return;
  if (!std::exchange(begun_, true)) begun_at_ = at;
  channel_->on_data(Side::a, data, at);
}

void PlaintextSession::on_time(EventTime now) {
  if (channel_) channel_->on_time(now);
}

void PlaintextSession::end(EventTime at) {
  if (channel_ && flow != nullptr) channel_->end_session(at);
}

void PlaintextSession::cut(EventTime at, StreamEnd how) {
  if (channel_ && flow != nullptr) channel_->cut(at, how);
}

void PlaintextSession::silence() {
  if (silenced()) return;
  channel_.reset();
  refresh_verdicts();
}

// The end that tells is the only one whose clock is read, so all times are there, or were never seen.
void PlaintextSession::on_record(std::unique_ptr<Record> record) {
  const auto extent = extent_of(*record);
  const Side client = known_client().value_or(Side::a);
  TransactionTimes times;
  if (extent) {
    times = times_seen_at(*channel_, Side::a, client, *extent);
    times.may_still_come = false;
    times.seen_at = flow->side;
    channel_->prune_marks(client, *extent);
  }
  told_ = true;
  flow->connection->on_plaintext_record(*this, std::move(record), times);
}

void PlaintextSession::on_protocol(std::string_view protocol, bool analyzed) {
  flow->connection->on_plaintext_protocol(protocol, analyzed);
}

void PlaintextSession::on_channel_changed() {
  Connection& connection = *flow->connection;
  if (const auto client = channel_->client()) connection.plaintext_client_is(side_in_connection(*client));
  connection.plaintext_is(channel_->protocol());
  refresh_verdicts();
}

std::optional<Side> PlaintextSession::known_client() const {
  const auto client = flow->connection->client();
  if (!client) return channel_->client();
  return *client == flow->side ? Side::a : Side::b;
}

StreamVerdict PlaintextSession::wanted(Direction direction) const {
  using Mode = StreamVerdict::Mode;
  if (!channel_ || !channel_->interesting()) return {Mode::quiet, 0};
  const Side stream = Channel::stream_side(Side::a, direction);
  return {channel_->whole(stream) ? Mode::whole : Mode::normal, channel_->skip_until(stream)};
}

void PlaintextSession::refresh_verdicts() {
  for (const Direction direction : {Direction::tx, Direction::rx}) {
    const StreamVerdict verdict = wanted(direction);
    StreamVerdict& sent = verdict_[index_of(direction)];
    if (verdict.mode == sent.mode && verdict.skip_until == sent.skip_until) continue;
    sent = verdict;
    ++context_.counters.verdicts;
    if (channel_) {
      StreamObserver& it = channel_->observer(Side::a, direction);
      if (verdict.mode == StreamVerdict::Mode::quiet) {
        it.skip_until = everything;
      } else if (verdict.skip_until != 0) {
        it.skip_until = verdict.skip_until;
      }
    }
    context_.verdicts.set_verdict(id_, direction, verdict);
  }
}

}  // namespace tracer
