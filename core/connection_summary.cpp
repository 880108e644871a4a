// What remains to be said when a connection ends: the ledger against its witness, and the summary.
#include <algorithm>
#include <utility>

#include "core/connection.h"
#include "core/record_finisher.h"

namespace tracer {

namespace {

std::optional<std::string_view> tcp_state_name(std::optional<std::uint8_t> state) {
  static constexpr std::string_view names[] = {"ESTABLISHED", "SYN_SENT",  "SYN_RECV", "FIN_WAIT1",
                                               "FIN_WAIT2",   "TIME_WAIT", "CLOSE",    "CLOSE_WAIT",
                                               "LAST_ACK",    "LISTEN",    "CLOSING"};
  if (!state || *state == 0 || *state > std::size(names)) return std::nullopt;
  return names[*state - 1];
}

}  // namespace

// Compares what was told of the flow with what the kernel counted. Called before the tail becomes a gap of its own.
void Connection::check_witness(Flow& flow) {
  const Channel* socket = socket_.get();
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
  if (counted > 0 && told == 0 && flow.vantage == Vantage::endpoint) ++context_.counters.flows_of_unseen_calls;
}

// The end whose ledger stands for what side `from` sent.
std::optional<Side> Connection::end_telling(Side from) const {
  const Side end = told_by(Layer::socket, from).value_or(primary_);
  return flow(end) != nullptr && flow(end)->merged ? std::optional(end) : std::nullopt;
}

StreamLedger Connection::ledger_of(Side from) const {
  const Channel* socket = socket_.get();
  const auto end = end_telling(from);
  if (socket == nullptr || !end) return {};
  const Direction direction = *end == from ? Direction::tx : Direction::rx;
  StreamLedger ledger = socket->observer(*end, direction).ledger(context_.streams);
  ledger.witnessed = flow(*end)->witnessed[index_of(direction)];
  return ledger;
}

// Counts what became of the bytes that the witness knows of.
void Connection::account() {
  Coverage& coverage = context_.coverage;
  bool witnessed = false;
  for (const Side from : {Side::a, Side::b}) {
    const StreamLedger ledger = ledger_of(from);
    const auto gap = [&](GapCause cause) { return ledger.gaps[static_cast<std::size_t>(cause)]; };
    if (gap(GapCause::zero_copy) > 0) {
      ++context_.zero_copy_flows;
      context_.zero_copy_bytes += gap(GapCause::zero_copy);
    }
    if (const std::uint64_t unwatched = switch_gap(from); unwatched > 0)
      context_.streams.counters.gap_bytes[static_cast<std::size_t>(GapCause::backend_switch)] += unwatched;
    if (!ledger.witnessed) continue;
    witnessed = true;
    const bool quiet = flow(*end_telling(from))->was_quiet;
    std::uint64_t rest = *ledger.witnessed;
    const auto take = [&rest](std::uint64_t bytes) {
      const std::uint64_t taken = std::min(rest, bytes);
      rest -= taken;
      return taken;
    };
    coverage.bytes_flowed += rest;
    coverage.bytes_analyzed += take(ledger.kept);
    coverage.bytes_skipped += take(gap(GapCause::verdict_skip) + gap(GapCause::filter));
    coverage.bytes_without_payload += take(gap(GapCause::no_payload) + gap(GapCause::zero_copy));
    // What was not told because nobody wanted to hear it is no loss.
    if (quiet && ledger.moved < *ledger.witnessed) coverage.bytes_skipped += take(*ledger.witnessed - ledger.moved);
    coverage.bytes_lost += rest;
  }
  coverage.connections += witnessed ? 1 : 0;
}

bool Connection::payload_seen() const {
  if (!context_.options.transactions) return false;
  if (!protocol().empty()) return true;
  const StreamLedger a = ledger_of(Side::a), b = ledger_of(Side::b);
  return a.moved + b.moved == 0 || a.kept + b.kept > 0;
}

void Connection::summarize(EventTime at, ConnectionEnd how) {
  const ConnectionRecords asked = context_.options.connections;
  const bool parsed = transactions_ > 0 || handshake_told_;
  if (asked == ConnectionRecords::none || (asked == ConnectionRecords::unexplained && parsed)) return;
  const bool closed = how == ConnectionEnd::closed;
  if (carried_ && carried_->ended) return;  // its record was made then
  auto record = std::make_unique<Record>();
  ConnectionSummary summary;
  const EventTime now = context_.now;
  record->body = ConnectionSummary{};  // what a transaction may lack is no business of this record
  fill_record(context_, *this, {}, {}, {}, opened_at_, *record);
  summary.flow = identity_of(context_, *this, Layer::socket, {process_of(Side::a), process_of(Side::b)}, now, *record);
  if (payload_seen()) {
    summary.protocol = protocol().empty() ? "unknown" : protocol();
    summary.transactions = transactions_ + (carried_ ? carried_->transactions : 0);
  }
  summary.state = closed ? "closed" : "open";
  const auto ledger = [&](Side from, std::string_view field) -> std::optional<StreamLedger> {
    if (std::ranges::find(context_.options.missing, field) != context_.options.missing.end()) return std::nullopt;
    StreamLedger whole = ledger_of(from);
    if (!carried_) return whole;
    const StreamLedger& before = carried_->ledgers[carried_side(0) == from ? 0 : 1];
    const std::uint64_t unwatched = switch_gap(from);
    whole.moved += before.moved + unwatched;
    whole.kept += before.kept;
    for (std::size_t cause = 0; cause < gap_cause_count; ++cause) whole.gaps[cause] += before.gaps[cause];
    whole.gaps[static_cast<std::size_t>(GapCause::backend_switch)] += unwatched;
    whole.witnessed.reset();  // it saw only a part of it
    return whole;
  };
  const Side client_side = client_of(*this);
  summary.client_to_server = ledger(client_side, "client_to_server");
  summary.server_to_client = ledger(other(client_side), "server_to_client");
  for (const Side side : {other(client_side), client_side}) {
    const Flow* it = flow(side);
    if (it == nullptr) continue;
    const FlowMeasured& measured = it->measured;
    if (measured.rtt_us) summary.rtt_ms = static_cast<double>(*measured.rtt_us) / 1e3;
    if (const auto state = tcp_state_name(measured.tcp_state)) summary.tcp_state = state;
    if (measured.retransmits) summary.retransmits = measured.retransmits;
  }
  const bool since_open = std::ranges::all_of(
      flows_, [](const Flow* it) { return it == nullptr || (it->end.opened && !it->end.preexisting); });
  // Of two ends that were looked at now and then, the one that was met first knows best.
  OpeningTime opening = OpeningTime::unknown;
  for (const Flow* it : flows_)
    if (it != nullptr) opening = std::min(opening, it->end.opening);
  if (since_open && opening != OpeningTime::unknown) summary.opened_at = context_.timeline.to_wall(opened_at_);
  if (carried_) summary.opened_at = carried_->opened_at;
  if (closed) summary.closed_at = context_.timeline.to_wall(at);
  if (summary.opened_at && summary.closed_at && *summary.opened_at <= *summary.closed_at)
    summary.duration_ms = static_cast<double>(summary.closed_at->ns - summary.opened_at->ns) / 1e6;
  if (summary.opened_at && opening == OpeningTime::by_then) {
    record->inferred.emplace_back("opened_at");
    if (summary.duration_ms) record->inferred.emplace_back("duration_ms");
  }
  record->body = std::move(summary);
  context_.records.on_record(std::move(record));
}

}  // namespace tracer
