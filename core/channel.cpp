#include "core/channel.h"

#include <algorithm>
#include <utility>

namespace tracer {

Channel::Channel(PipelineContext& context, ChannelOwner& owner, Layer layer)
    : context_(context),
      owner_(owner),
      layer_(layer),
      streams_{StreamAssembler(context.streams, *this, Side::a), StreamAssembler(context.streams, *this, Side::b)},
      interesting_(context.options.transactions) {}

void Channel::note_beginning(const Flow& flow) {
  for (const Direction direction : {Direction::tx, Direction::rx}) {
    const Side side = stream_side(flow.side, direction);
    if (stream(side).delivered() != 0) continue;
    Prefix& prefix = prefix_[index_of(side)];
    prefix.broken = prefix.begun_unseen = flow.end.preexisting || !flow.end.opened;
  }
}

void Channel::add_flow(const Flow& flow) {
  note_beginning(flow);  // of both streams first: a start may set bytes free, and with them the analyzer
  for (const Direction direction : {Direction::tx, Direction::rx}) {
    StreamAssembler& assembler = stream(stream_side(flow.side, direction));
    const Observer which = observer_of(direction);
    StreamObserver& it = assembler.observer(which);
    const auto& start = flow.start[index_of(direction)];
    if (!it.present) assembler.add_observer(which, start ? assembler.align(*start) : 0, flow.end.preexisting);
    it.preexisting = flow.end.preexisting;
    it.patient = flow.vantage == Vantage::wire;
    if (!flow.end.opened) {
      assembler.expect_start();
    } else if (start) {
      if (!it.started()) it.shift = assembler.align(*start);
      assembler.start(which, *start);
    }
  }
}

std::array<std::uint64_t, 2> Channel::adopt_flow(const Flow& flow, Side side_there, Channel& there) {
  std::array<std::uint64_t, 2> deltas{};
  for (const Direction direction : {Direction::tx, Direction::rx}) {
    StreamAssembler& assembler = stream(stream_side(flow.side, direction));
    StreamObserver& it = there.observer(side_there, direction);
    const std::uint64_t own = it.passed() - it.shift;
    const std::uint64_t shift = it.started() ? assembler.align(own) : 0;
    const std::uint64_t delta = shift - it.shift;
    deltas[index_of(stream_side(flow.side, direction))] = delta;
    assembler.adopt_observer(observer_of(direction), std::move(it), delta);
  }
  return deltas;
}

void Channel::take_held(Channel& there, const std::array<std::uint64_t, 2>& deltas) {
  for (const Side side : {Side::a, Side::b}) stream(side).take_held(there.stream(other(side)), deltas[index_of(side)]);
}

void Channel::on_data(Side end, const FlowData& data, EventTime at) {
  StreamAssembler& assembler = stream(stream_side(end, data.direction));
  StreamObserver& it = assembler.observer(observer_of(data.direction));
  if (!it.started() && layer_ == Layer::socket) it.shift = assembler.align(data.offset);
  assembler.add(observer_of(data.direction), data, at);
}

void Channel::on_stream_ended(const Flow& flow, const StreamEnded& event, EventTime at) {
  if (!event.end) return;  // how far it went is not known before the flow closes
  stream(stream_side(flow.side, event.direction)).end_at(observer_of(event.direction), *event.end, at);
}

void Channel::on_flow_end(const Flow& flow, EventTime at) {
  stream(flow.side).end(Observer::sender, flow.closing.tx_end, at);
  stream(other(flow.side)).end(Observer::receiver, flow.closing.rx_end, at);
}

void Channel::begin_session(bool from_start) {
  for (const Direction direction : {Direction::tx, Direction::rx}) {
    const Side side = stream_side(Side::a, direction);
    const Observer which = observer_of(direction);
    stream(side).add_observer(which, 0, !from_start);
    if (from_start) stream(side).start(which, 0);
    prefix_[index_of(side)].broken = prefix_[index_of(side)].begun_unseen = !from_start;
  }
}

void Channel::end_session(EventTime at) {
  stream(Side::a).end(Observer::sender, std::nullopt, at);
  stream(Side::b).end(Observer::receiver, std::nullopt, at);
}

void Channel::on_time(EventTime now) {
  for (StreamAssembler& assembler : streams_) assembler.on_time(now);
  if (analyzer_ && interesting_) analyzer_->on_time(now);
}

void Channel::prune_marks(Side client, const RecordExtent& extent) {
  const auto prune = [&](Side side, const RecordExtent::Part& part) {
    if (!part.present) return;
    for (const Observer which : {Observer::sender, Observer::receiver}) {
      stream(side).observer(which).marks.prune(part.end_offset);
    }
  };
  prune(client, extent.request);
  prune(other(client), extent.response);
}

void Channel::cut(EventTime at, StreamEnd how) {
  for (StreamAssembler& assembler : streams_) assembler.cut(at, how);
}

void Channel::on_stream_bytes(Side side, std::uint64_t offset, Bytes bytes, EventTime at) {
  if (!interesting_) return;
  if (analyzer_) {
    analyzer_->on_bytes(side, offset, bytes, at);
  } else {
    route(side, offset, bytes, at);
  }
}

void Channel::on_stream_gap(Side side, std::uint64_t offset, std::uint64_t size, GapCause cause, EventTime at) {
  if (!interesting_) return;
  if (analyzer_) {
    analyzer_->on_gap(side, offset, size, cause, at);
    return;
  }
  Prefix& prefix = prefix_[index_of(side)];
  prefix.bytes.clear();
  prefix.broken = prefix.begun_unseen = true;
}

void Channel::on_stream_end(Side side, StreamEnd end, EventTime at) {
  if (!interesting_) return;
  if (analyzer_) {
    analyzer_->on_end(side, end, at);
  } else {
    early_end_[index_of(side)] = end;
  }
}

// The protocol is not known yet: what do the first bytes of this side say?
void Channel::route(Side side, std::uint64_t offset, Bytes bytes, EventTime at) {
  Prefix& prefix = prefix_[index_of(side)];
  const std::size_t room =
      context_.options.prefix_bytes_max - std::min(context_.options.prefix_bytes_max, prefix.bytes.size());
  const bool alone = prefix.bytes.empty();
  if (!alone) {
    const Bytes more = bytes.first(std::min(room, bytes.size()));
    prefix.bytes.insert(prefix.bytes.end(), more.begin(), more.end());
  }
  const Guess guess = context_.routers.of(layer_).guess(alone ? bytes : Bytes(prefix.bytes));
  if (guess.match == Match::yes) {
    const std::size_t taken = alone ? 0 : std::min(room, bytes.size());
    prefix.broken = false;  // whatever came before, here a message starts
    decide(guess.protocol, guess.analyzer);
    if (analyzer_ && taken < bytes.size()) {
      analyzer_->on_bytes(side, offset + taken, bytes.subspan(taken), at);
    }
    return;
  }
  const bool maybe =
      guess.match == Match::maybe && (alone ? bytes.size() : prefix.bytes.size()) < context_.options.prefix_bytes_max;
  if (maybe) {
    if (alone) {
      prefix.bytes.assign(bytes.begin(), bytes.end());
      prefix.offset = offset;
      prefix.at = at;
    }
    return;
  }
  prefix.bytes.clear();
  // In the middle of a stream the next call may be where a message starts.
  if (!prefix.broken || ++tries_ >= context_.options.resync_tries_max) decide("unknown", nullptr);
}

void Channel::decide(std::string_view protocol, const AnalyzerEntry* analyzer) {
  protocol_ = protocol;
  interesting_ = analyzer != nullptr;
  owner_.on_protocol(protocol, interesting_ && !analyzer->partial);
  if (analyzer != nullptr) {
    analyzer_ = analyzer->make(*this, owner_.known_client());
    start_analyzer();
  }
  for (Prefix& prefix : prefix_) prefix.bytes = {};
  owner_.on_channel_changed();
}

// Gives the analyzer what came before it.
void Channel::start_analyzer() {
  // The earlier side first: usually that is the request.
  const bool b_first = !prefix_[1].bytes.empty() && (prefix_[0].bytes.empty() || prefix_[1].at < prefix_[0].at);
  for (const Side side : {b_first ? Side::b : Side::a, b_first ? Side::a : Side::b}) {
    const Prefix& prefix = prefix_[index_of(side)];
    if (prefix.begun_unseen) analyzer_->on_gap(side, prefix.offset, 0, GapCause::before_attach, prefix.at);
    if (!prefix.bytes.empty() && !prefix.broken) analyzer_->on_bytes(side, prefix.offset, prefix.bytes, prefix.at);
    if (const auto end = early_end_[index_of(side)]) analyzer_->on_end(side, *end, prefix.at);
  }
}

void Channel::emit(std::unique_ptr<Record> record) { owner_.on_record(std::move(record)); }

std::unique_ptr<Record> Channel::make_record() { return context_.pool.take(); }

void Channel::skip(Side from, std::uint64_t until) {
  const std::size_t i = index_of(from);
  StreamAssembler& assembler = stream(from);
  std::uint64_t passed = 0;  // what has been moved already is here already
  for (const Observer which : {Observer::sender, Observer::receiver}) {
    const StreamObserver& it = assembler.observer(which);
    if (it.present && it.started() && it.brings_bytes) passed = std::max(passed, it.passed());
  }
  if (until <= passed || until - passed < context_.options.skip_bytes_min || until <= skip_until_[i]) return;
  skip_until_[i] = until;
  assembler.skip(until);
  owner_.on_channel_changed();
}

void Channel::need_whole(Side from) {
  if (std::exchange(whole_[index_of(from)], true)) return;
  owner_.on_channel_changed();
}

// Where one message was chunked the next will be, and a verdict that comes after its first call comes too late.
void Channel::need_normal(Side) {}

void Channel::lose_interest(std::string_view protocol) {
  if (!std::exchange(interesting_, false)) return;
  if (!protocol.empty()) protocol_ = protocol;
  owner_.on_channel_changed();
}

void Channel::client_is(Side side) {
  if (client_ == side) return;
  client_ = side;
  owner_.on_channel_changed();
}

}  // namespace tracer
