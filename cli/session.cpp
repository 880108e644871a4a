#include "cli/session.h"

#include <poll.h>
#include <algorithm>
#include <csignal>

#include "cli/analyzers.h"
#include "cli/version.h"

namespace tracer::cli {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr std::size_t drain_events_max = 4096;      // between two looks at signals and output
constexpr std::size_t flush_bytes_min = 64u << 10;  // less than this waits for the next tick

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

// The only filter that is applied in the kernel.
std::string left_out(std::uint64_t flows) {
  if (flows == 0) return {};
  return "; " + std::string(option_of(FilterKind::port)) + " left out " + std::to_string(flows) + " flows";
}

EventTime backend_time(ClockDomain clock, Session::Time now) {
  return {clock == ClockDomain::monotonic ? since_epoch_ns(now) : since_epoch_ns(system_clock::now())};
}

WallTime wall_now() { return {static_cast<std::int64_t>(since_epoch_ns(system_clock::now()))}; }

bool shows(const Options& options, Facet facet) { return std::ranges::find(options.show, facet) != options.show.end(); }

PipelineOptions pipeline_options(const Options& options, const OpenedBackend& backend,
                                 std::vector<std::uint32_t> ignored) {
  PipelineOptions pipeline;
  pipeline.connections = shows(options, Facet::connection) ? ConnectionRecords::all : ConnectionRecords::none;
  pipeline.ignored_tgids = std::move(ignored);
  pipeline.backend = backend.kind;
  pipeline.mechanism = backend.mechanism;
  pipeline.missing = backend.missing;
  return pipeline;
}

double ms_between(Session::Time from, Session::Time to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

// What the user asked to see and will not.
std::vector<std::string> blind_spots(const Opened& opened, const OpenedBackend& backend) {
  std::vector<std::string> blind;
  for (const FacetPlan& facet : opened.plan.facets) {
    if (facet.backend || facet.rejected.empty()) continue;
    blind.push_back(std::string(to_string(facet.facet)) + ": " + facet.rejected.front().reason);
  }
  for (const AttachOutcome& outcome : backend.outcomes) {
    if (!outcome.attached) blind.push_back(outcome.what + ": " + outcome.reason);
  }
  return blind;
}

// Two witnesses of one loss: what the kernel counted, and what came through as an event. The larger is right.
void raise(std::vector<LossCount>& lost, std::string_view cause, std::uint64_t events, std::uint64_t bytes) {
  if (events == 0 && bytes == 0) return;
  const auto row = std::ranges::find(lost, cause, &LossCount::cause);
  if (row == lost.end()) {
    lost.push_back({cause, events, bytes});
  } else {
    row->events = std::max(row->events, events);
    row->bytes = std::max(row->bytes, bytes);
  }
}

}  // namespace

Session::Session(const Options& options, Opened& opened, Ownership& ownership, RecordWriter& writer,
                 OutputQueue& output, const Talk& talk, std::vector<std::uint32_t> ignored_tgids, SessionTimes times)
    : options_(options),
      opened_(opened),
      backend_(opened.backends.front()),
      writer_(writer),
      output_(output),
      talk_(talk),
      times_(times),
      pipeline_(pipeline_options(options, backend_, std::move(ignored_tgids)), make_router(),
                timeline_of(backend_.clock), ownership, *this, *this),
      window_(pipeline_, backend_.ordered ? ReorderWindow::Input::ordered : ReorderWindow::Input::unordered) {}

LoopDescriptors Session::descriptors() const { return {{backend_.backend->fd()}, output_.wait_fd()}; }

void Session::begin(const Machine& machine, Time began, Time now) {
  began_ = began;
  last_event_ = last_check_ = now;
  deadline_ = options_.duration ? now + *options_.duration : Time::max();
  next_loss_report_ = now + times_.loss_report;
  next_silence_ = now + times_.silence_first;

  TraceStart start;
  start.schema_version = schema_version;
  start.version = version;
  start.host = machine.host;
  start.boot_id = machine.boot_id;
  start.kernel = machine.kernel;
  start.plan = opened_.plan;
  start.scope = machine.scope;
  for (const AttachOutcome& outcome : backend_.outcomes) {
    start.attached.push_back({outcome.what, outcome.attached, outcome.reason});
  }
  start.blind = blind_spots(opened_, backend_);
  start.self_test_seen = backend_.self_test_seen;
  start.attached_after_ms = ms_between(began, now);
  Record record;
  record.timestamp = wall_now();
  record.body = std::move(start);
  if (options_.meta) writer_.write_meta(record);
  output_.flush();
}

Next Session::step(Wake wake, Time now) {
  if (wake == Wake::interrupt || wake == Wake::terminate) {
    signal_ = wake == Wake::interrupt ? SIGINT : SIGTERM;
    end(wake == Wake::interrupt ? "signal SIGINT" : "signal SIGTERM");
  }
  Next next;
  if (end_reason_.empty()) next.again = drain_once(now);
  look_after_output(wake, now);
  report_losses(now, false);
  report_silence(now);
  if (writer_.complete()) end("count");
  if (now >= deadline_) end("duration");

  next.stop = !end_reason_.empty();
  next.until_writable = output_.state() == OutputState::behind;
  const bool idle = now - last_event_ >= times_.idle_after;
  next.timer = idle ? times_.poll_idle : times_.poll_busy;
  if (deadline_ != Time::max()) {
    next.timer =
        std::clamp(duration_cast<milliseconds>(deadline_ - now) + milliseconds(1), milliseconds(0), next.timer);
  }
  return next;
}

// True: the budget ended before the events did.
bool Session::drain_once(Time now) {
  const EventTime asked_at = backend_time(backend_.clock, now);
  const auto drained = backend_.backend->drain(window_, drain_events_max);
  if (!drained) {
    failed_ = true;
    talk_.error(drained.error());
    end("backend failed: " + drained.error().context);
    return false;
  }
  if (*drained != Drained::more) {
    window_.advance(asked_at);
    pipeline_.advance(asked_at);
  }
  if (*drained == Drained::ended) end("end of input");
  if (const std::uint64_t events = pipeline_.counters().events; events != events_seen_) {
    events_seen_ = events;
    last_event_ = now;
  }
  return *drained == Drained::more;
}

void Session::look_after_output(Wake wake, Time now) {
  // At least every poll_idle, which is less than the 200 ms that a finished record may wait.
  const bool due = wake != Wake::backend || output_.queued_bytes() >= flush_bytes_min;
  if (due && output_.queued_bytes() != 0) output_.flush();
  if (now - last_check_ >= times_.reader_check) {
    last_check_ = now;
    output_.check();
  }
  if (output_.state() == OutputState::closed) end("output closed");
  if (output_.state() == OutputState::failed) end("output failed: " + output_.error().context);
}

// What no event tells of.
void Session::report_losses(Time now, bool at_end) {
  if (now < next_loss_report_ && !at_end) return;
  next_loss_report_ = now + times_.loss_report;
  report_slow_reader();
  report_missed_runs();
}

void Session::report_slow_reader() {
  const std::uint64_t records = writer_.not_taken() - slow_told_;
  const std::uint64_t bytes = output_.counts().dropped_bytes - slow_bytes_told_;
  if (records == 0 || output_.state() == OutputState::closed || output_.state() == OutputState::failed) return;
  if (!tell(Loss{{"sink_slow", records, bytes}, "sink"})) return;  // told later, with what comes to it
  slow_told_ = writer_.not_taken();
  slow_bytes_told_ = output_.counts().dropped_bytes;
}

void Session::report_missed_runs() {
  const BackendCounters counters = backend_.backend->counters();
  if (!counters.missed_runs_measured || counters.missed_runs <= missed_told_) return;
  if (tell(Loss{{"missed_runs", counters.missed_runs - missed_told_, 0}, "kernel"}))
    missed_told_ = counters.missed_runs;
}

bool Session::tell(Loss loss) {
  if (!options_.meta) {
    const std::string_view what = loss.where == "sink" ? " records" : " events";
    talk_.notice("loss: " + std::string(loss.count.cause) + ": " + std::to_string(loss.count.events) +
                 std::string(what));
    return true;
  }
  Record record;
  record.timestamp = wall_now();
  record.body = loss;
  return writer_.write_meta(record);
}

void Session::report_silence(Time now) {
  if (now < next_silence_ || writer_.written() != 0) return;
  next_silence_ = now + times_.silence_again;
  const Filters& filters = writer_.filters();
  const SilenceReport seen = pipeline_.silence_report();
  std::string line = silence_line(seen, filters.counts().dropped);
  if (const auto culprit = filters.culprit())
    line += "; " + std::string(option_of(*culprit)) + " let none of them pass";
  talk_.notice(line + left_out(seen.filtered));
}

void Session::end(std::string reason) {
  if (end_reason_.empty()) end_reason_ = std::move(reason);
}

void Session::on_record(std::unique_ptr<Record> record) {
  const bool wanted = !std::holds_alternative<HttpTransaction>(record->body) || shows(options_, Facet::http);
  if (const auto* loss = std::get_if<Loss>(&record->body)) {
    if (options_.meta) {
      writer_.write_meta(*record);
    } else {
      talk_.notice("loss: " + std::string(loss->count.cause) + ": " + std::to_string(loss->count.events) + " events");
    }
  } else if (wanted) {
    writer_.write(*record);
  }
  pipeline_.recycle(std::move(record));
}

void Session::set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) {
  backend_.backend->set_verdict(flow, direction, verdict);
}

// What was captured before the end is still on its way. On a busy machine there is always more: then time ends it.
void Session::last_drain() {
  const Time until = steady_clock::now() + times_.last_drain;
  while (!failed_ && steady_clock::now() < until && drain_once(steady_clock::now())) {
    if (output_.queued_bytes() >= flush_bytes_min) output_.flush();
  }
  window_.flush();
  pipeline_.finish();
}

void Session::flush_patiently(Time until) {
  while (output_.flush() == OutputState::behind) {
    const auto left = duration_cast<milliseconds>(until - steady_clock::now());
    if (left.count() <= 0) return;
    pollfd entry{output_.wait_fd(), POLLOUT, 0};
    ::poll(&entry, 1, static_cast<int>(left.count()));
  }
}

Record Session::last_record() const {
  TraceEnd last;
  last.reason = end_reason_;
  last.duration_ms = ms_between(began_, steady_clock::now());
  const BackendCounters counters = backend_.backend->counters();
  last.events_produced = counters.produced;
  last.events_delivered = counters.delivered;
  last.self = counters.self_events;
  if (counters.missed_runs_measured) last.missed_runs = counters.missed_runs;
  pipeline_.fill(last);
  last.records_filtered = writer_.filters().counts().dropped;
  last.records_written = writer_.written() - std::min(writer_.written(), output_.counts().unwritten);
  raise(last.lost, "ring_full", counters.lost_ring_full, counters.lost_bytes);
  raise(last.lost, "malformed", counters.lost_user, 0);
  raise(last.lost, "kernel_flow_limit", counters.flows_untracked, 0);
  if (counters.missed_runs_measured) raise(last.lost, "missed_runs", counters.missed_runs, 0);
  raise(last.lost, "reorder_late", window_.too_late(), 0);
  raise(last.lost, "sink_slow", writer_.not_taken() + output_.counts().unwritten, output_.counts().dropped_bytes);
  Record record;
  record.timestamp = wall_now();
  record.body = std::move(last);
  return record;
}

int Session::finish() {
  last_drain();
  const Time until = steady_clock::now() + times_.patience;
  if (output_.queued_bytes() != 0) flush_patiently(until);
  report_losses(steady_clock::now(), true);
  // A reader that does not read gets no more records, so that there is room for the end.
  if (output_.state() != OutputState::ok) output_.abandon();
  const std::uint64_t given_up = output_.counts().unwritten;

  const Record record = last_record();
  const auto& last = std::get<TraceEnd>(record.body);
  if (options_.meta) writer_.write_meta(record);
  flush_patiently(steady_clock::now() + times_.patience / 4);
  if (output_.queued_bytes() != 0) output_.abandon();

  if (!options_.meta) {
    talk_.notice(end_reason_ + ": " + std::to_string(last.records_written) + " records written, " +
                 std::to_string(last.records_filtered) + " filtered" + left_out(last.flows_filtered));
    for (const LossCount& loss : last.lost) {
      talk_.notice("lost: " + std::string(loss.cause) + ": " + std::to_string(loss.events));
    }
  }
  if (output_.state() == OutputState::failed) talk_.error(output_.error());
  if (given_up != 0 && output_.state() != OutputState::closed) {
    talk_.error(Error{Errc::os, 0, "not written: " + std::to_string(given_up) + " records", {}});
  }
  return exit_code(last);
}

int Session::exit_code(const TraceEnd& last) const {
  if (failed_ || output_.state() == OutputState::failed) return 1;
  if (output_.state() == OutputState::closed) return 0;
  if (options_.fail_on_loss && !last.lost.empty()) return 6;
  if (output_.counts().unwritten != 0) return 1;
  return signal_ == 0 ? 0 : 128 + signal_;
}

}  // namespace tracer::cli
