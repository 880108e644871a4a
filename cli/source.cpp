#include "cli/source.h"

#include <algorithm>
#include <span>
#include <thread>
#include <utility>

#include "cli/analyzers.h"

namespace tracer::cli {
namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr std::size_t last_events_max = 4096;        // between two looks at the clock
constexpr std::chrono::milliseconds last_block{30};  // longest that a backend holds back what it has

std::uint64_t since_epoch_ns(auto time) {
  return static_cast<std::uint64_t>(duration_cast<nanoseconds>(time.time_since_epoch()).count());
}

std::int64_t wall_minus_monotonic_ns() {
  // The wall clock is read between two readings of the other.
  const std::uint64_t before = since_epoch_ns(steady_clock::now());
  const std::uint64_t wall = since_epoch_ns(system_clock::now());
  const std::uint64_t after = since_epoch_ns(steady_clock::now());
  return static_cast<std::int64_t>(wall - before - (after - before) / 2);
}

Timeline timeline_of(ClockDomain clock) {
  return clock == ClockDomain::monotonic ? Timeline::of_monotonic(wall_minus_monotonic_ns())
                                         : Timeline::of_wall_clock(clock);
}

bool contains(const std::vector<Facet>& facets, Facet facet) {
  return std::ranges::find(facets, facet) != facets.end();
}

PipelineOptions pipeline_options(const OpenedBackend& backend, const std::vector<Facet>& facets,
                                 const SourceSetting& setting) {
  PipelineOptions options;
  options.transactions =
      contains(facets, Facet::http) || contains(facets, Facet::tls) || contains(facets, Facet::https);
  options.handshakes = contains(facets, Facet::tls);
  options.plaintext = contains(facets, Facet::https);
  options.connections = contains(facets, Facet::connection) ? ConnectionRecords::all : ConnectionRecords::none;
  options.processes = contains(facets, Facet::process);
  options.files = contains(facets, Facet::file);
  options.libraries = contains(facets, Facet::library);
  options.api_calls = contains(facets, Facet::crypto_api);
  options.crypto = setting.crypto;
  options.file_patterns = setting.file_patterns;
  options.ignored_tgids = setting.ignored_tgids;
  options.backend = backend.kind;
  options.mechanism = backend.mechanism;
  options.missing = backend.missing;
  return options;
}

// Makes a record by itself, so that the source before has made it already.
bool is_told_at_once(const Event& event) {
  return std::holds_alternative<ProcessStarted>(event.body) || std::holds_alternative<ProcessExited>(event.body) ||
         std::holds_alternative<FileOpened>(event.body) || std::holds_alternative<LibraryMapped>(event.body) ||
         std::holds_alternative<CryptoCall>(event.body);
}

void add_counters(TraceEnd& end, const BackendCounters& counters, std::vector<LossCount>& lost) {
  end.events_produced += counters.produced;
  end.events_delivered += counters.delivered;
  end.self += counters.self_events;
  if (counters.missed_runs_measured) end.missed_runs = end.missed_runs.value_or(0) + counters.missed_runs;
  // Two witnesses of one loss: what the kernel counted, and what came through as an event. The larger is right.
  const auto raise = [&](std::string_view cause, std::uint64_t events, std::uint64_t bytes) {
    if (events == 0 && bytes == 0) return;
    auto row = std::ranges::find(lost, cause, &LossCount::cause);
    if (row == lost.end()) row = lost.insert(row, LossCount{cause, 0, 0});
    row->events = std::max(row->events, events);
    row->bytes = std::max(row->bytes, bytes);
  };
  raise("ring_full", counters.lost_ring_full, counters.lost_bytes);
  raise("malformed", counters.lost_user, 0);
  raise("kernel_flow_limit", counters.flows_untracked, 0);
  if (counters.missed_runs_measured) raise("missed_runs", counters.missed_runs, 0);
}

void add_rows(std::vector<LossCount>& to, std::span<const LossCount> rows) {
  for (const LossCount& row : rows) {
    const auto same = std::ranges::find(to, row.cause, &LossCount::cause);
    if (same == to.end()) {
      to.push_back(row);
    } else {
      same->events += row.events;
      same->bytes += row.bytes;
    }
  }
}

// What was in the buffer at `end` and is there still, `later`. What came in between lies behind it and is no loss.
std::uint64_t left_of(const BackendCounters& end, const BackendCounters& later) {
  const auto put_in = [](const BackendCounters& counters) { return counters.produced - counters.lost_ring_full; };
  const std::uint64_t since = put_in(later) - put_in(end);
  return later.unread > since ? later.unread - since : 0;
}

void add_blind(TraceEnd& end, const BlindSpot& spot) {
  if (spot.count == 0) return;
  BlindCount& row = end.blind_row(spot.what);
  row.count = row.count.value_or(0) + spot.count;
}

}  // namespace

Instant Instant::now() {
  const auto steady = steady_clock::now();
  return {steady, {since_epoch_ns(steady)}, {since_epoch_ns(system_clock::now())}};
}

void look_after(Backend& backend, Health& health, SteadyTime now) {
  if (health.beat_due(now)) {
    const BackendCounters counters = backend.counters();
    const Beats before = backend.beats();
    const bool sent = backend.send_beat().has_value();
    health.on_beat(now, sent, before, counters);
  }
  if (health.count_due(now)) health.on_counters(now, backend.counters());
}

Source::Source(OpenedSource opened, const SourceSetting& setting, const std::optional<Instant>& from, Handover handover)
    : opened_(std::move(opened.backend)),
      facets_(std::move(opened.facets)),
      beside_(opened.beside),
      setting_(setting),
      pipeline_(pipeline_options(opened_, facets_, setting), make_routers(facets_), timeline_of(opened_.clock),
                setting.ownership, *this, *this, std::move(handover)),
      window_(pipeline_, opened_.ordered ? ReorderWindow::Input::ordered : ReorderWindow::Input::unordered),
      health_(setting.health, steady_clock::now(), opened_.backend->counters()) {
  if (from) from_ = from->on(opened_.clock);
  if (!serves(Facet::process)) return;
  for (ProcessFacts& process : setting_.ownership.all_processes()) pipeline_.know(std::move(process));
}

bool Source::serves(Facet facet) const { return contains(facets_, facet); }

std::vector<Facet> Source::shed() {
  std::vector<Facet> gone = opened_.backend->shed();
  std::erase_if(gone, [&](Facet facet) { return !serves(facet); });
  std::erase_if(facets_, [&](Facet facet) { return contains(gone, facet); });
  return gone;
}

Result<Drained> Source::drain(const Instant& now, std::size_t events_max) {
  const EventTime bytes_before = bytes_at_;
  auto drained = opened_.backend->drain(*this, events_max);
  if (!drained) {
    health_.on_error(drained.error().context);
    return drained;
  }
  const EventTime asked_at = now.on(opened_.clock);
  std::optional<SteadyTime> bytes_at;
  if (bytes_at_ > bytes_before)
    bytes_at = now.steady - nanoseconds(static_cast<std::int64_t>(asked_at.ns - bytes_at_.ns));
  health_.on_drained(now.steady, *drained != Drained::more, opened_.backend->beats(), bytes_at);
  // A file has its own time.
  if (*drained != Drained::more && opened_.clock != ClockDomain::file) {
    window_.advance(asked_at);
    pipeline_.advance(asked_at);
  }
  return drained;
}

void Source::on_event(const Event& event) {
  if (event.at >= until_) return;
  if (setting_.selection != nullptr) setting_.selection->on_event(event);
  const auto* data = std::get_if<FlowData>(&event.body);
  if (data != nullptr && !data->bytes.empty() && event.at > bytes_at_) bytes_at_ = event.at;
  if (event.at >= from_) {
    window_.on_event(event);
    return;
  }
  // From before the watch changed hands. Who is connected to whom is news here; what was moved is not.
  if (is_told_at_once(event)) return;
  if (data == nullptr) {
    window_.on_event(event);
    return;
  }
  Event early = event;
  auto& moved = std::get<FlowData>(early.body);
  moved.bytes = {};
  moved.rest = GapCause::backend_switch;
  window_.on_event(early);
}

void Source::on_record(std::unique_ptr<Record> record) {
  setting_.records.on_record(*record);
  pipeline_.recycle(std::move(record));
}

void Source::set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) {
  opened_.backend->set_verdict(flow, direction, verdict);
}

// What was captured before the end is still on its way. On a busy machine there is always more: then time ends it.
bool Source::drain_for(std::chrono::milliseconds time_max) {
  const SteadyTime end = steady_clock::now() + time_max;
  opened_.backend->hold_nothing_back();
  bool all = false;
  while (!all && (!health_.dead() || health_.only_lossy()) && steady_clock::now() < end) {
    const auto drained = drain(Instant::now(), last_events_max);
    if (!drained) break;
    all = *drained != Drained::more;
  }
  window_.flush();
  return all;
}

Handover Source::hand_over(const Instant& until, std::chrono::milliseconds time_max) {
  until_ = until.on(opened_.clock);
  // Packets come in blocks that the kernel hands over when they are full or some time old: those of before `until` may
  // still be on their way when there is nothing to read.
  const SteadyTime all_there = std::min(until.steady + last_block, steady_clock::now() + time_max);
  while (!health_.dead() && steady_clock::now() < all_there) {
    if (!drain(Instant::now(), last_events_max)) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  drain_for(time_max);
  return pipeline_.hand_over();
}

void Source::finish(std::chrono::milliseconds time_max) {
  const BackendCounters before = opened_.backend->counters();
  const bool all = drain_for(time_max);
  at_end_ = opened_.backend->counters();
  if (!all) not_read_ = left_of(before, *at_end_);
  at_end_->produced -= std::min(at_end_->unread - not_read_, at_end_->produced);
  pipeline_.finish();
}

void Source::fill(TraceEnd& end) const {
  std::vector<LossCount> lost = std::exchange(end.lost, {});
  pipeline_.fill(end);
  add_counters(end, at_end_ ? *at_end_ : opened_.backend->counters(), end.lost);
  if (not_read_ != 0) end.lost.push_back({"not_read", not_read_, 0});
  if (window_.too_late() != 0) end.lost.push_back({"reorder_late", window_.too_late(), 0});
  for (const BlindSpot& spot : opened_.backend->blind()) add_blind(end, spot);
  add_rows(lost, end.lost);
  end.lost = std::move(lost);
}

}  // namespace tracer::cli
