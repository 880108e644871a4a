#include "cli/session.h"

#include <poll.h>
#include <algorithm>
#include <csignal>
#include <utility>

#include "cli/exit_code.h"
#include "cli/version.h"
#include "probe-matrix/planner.h"

namespace tracer::cli {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr std::size_t drain_events_max = 4096;  // between two looks at signals and output
constexpr std::size_t file_events_max = 512;    // the same for a file, because its records wait and are not dropped
constexpr std::size_t waiting_bytes_max = 1u << 20;  // a file is not read while more waits for its reader
constexpr std::size_t flush_bytes_min = 64u << 10;   // less than this waits for the next tick

// The only filter that is applied in the kernel.
std::string left_out(std::uint64_t flows) {
  if (flows == 0) return {};
  return "; " + std::string(option_of(FilterKind::port)) + " left out " + std::to_string(flows) + " flows";
}

WallTime wall_now() {
  return {static_cast<std::int64_t>(duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count())};
}

double ms_between(Session::Time from, Session::Time to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

// What the user asked to see and will not.
std::vector<std::string> blind_spots(const Plan& plan, const Capture& capture) {
  std::vector<std::string> blind;
  for (const FacetPlan& facet : plan.facets) {
    if (facet.backend || facet.rejected.empty()) continue;
    // What even the last way lacks, of those that this machine refused.
    const auto last = std::ranges::find_if(facet.rejected.rbegin(), facet.rejected.rend(), is_step_down);
    const RejectedChoice& why = last != facet.rejected.rend() ? *last : facet.rejected.front();
    blind.push_back(std::string(to_string(facet.facet)) + ": " + why.reason);
  }
  for (const auto& source : capture.sources()) {
    for (const AttachOutcome& outcome : source->opened().outcomes)
      if (!outcome.attached) blind.push_back(outcome.what + ": " + outcome.reason);
  }
  return blind;
}

}  // namespace

Session::Session(const Options& options, RecordWriter& writer, OutputQueue& output, const Talk& talk, Pace pace,
                 SessionTimes times, RunGuide* guide)
    : options_(options),
      writer_(writer),
      output_(output),
      talk_(talk),
      pace_(pace),
      times_(times),
      guide_(guide),
      meta_(options.meta || is_document(options)) {}

LoopDescriptors Session::descriptors() const { return {capture_->descriptors(), output_.wait_fd()}; }

void Session::begin(Capture& capture, const Plan& plan, const Machine& machine, Time began, Time now) {
  capture_ = &capture;
  generation_ = capture.generation();
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
  start.plan = plan;
  start.scope = machine.scope;
  start.self_test_seen = true;
  for (const auto& source : capture.sources()) {
    for (const AttachOutcome& outcome : source->opened().outcomes)
      start.attached.push_back({outcome.what, outcome.attached, outcome.reason, outcome.load_ms});
    if (!source->beside()) start.self_test_seen = start.self_test_seen && source->opened().self_test_seen;
  }
  start.blind = blind_spots(plan, capture);
  start.attached_after_ms = ms_between(began, now);
  Record record;
  record.timestamp = wall_now();
  record.body = std::move(start);
  if (meta_) writer_.write_meta(record);
  output_.flush();
}

Next Session::step(Wake wake, Time now) {
  if (wake == Wake::interrupt || wake == Wake::terminate || wake == Wake::hangup) {
    signal_ = wake == Wake::interrupt ? SIGINT : wake == Wake::terminate ? SIGTERM : SIGHUP;
    if (guide_ == nullptr || !guide_->defers(signal_))
      end(wake == Wake::interrupt ? "signal SIGINT" : wake == Wake::terminate ? "signal SIGTERM" : "signal SIGHUP");
  }
  Next next;
  if (end_reason_.empty()) next.again = drain_once(wake, now);
  look_after_output(wake, now);
  report_losses(now, false);
  report_silence(now);
  if (writer_.complete()) end("count");
  if (now >= deadline_) end("duration");
  if (guide_ != nullptr && end_reason_.empty())
    if (auto reason = guide_->over(now)) end(std::move(*reason));

  next.stop = !end_reason_.empty();
  next.until_writable = output_.state() == OutputState::behind;
  if (capture_->generation() != generation_) {
    generation_ = capture_->generation();
    next.backends = capture_->descriptors();
  }
  const bool idle = now - last_event_ >= times_.idle_after;
  next.timer = idle ? times_.poll_idle : times_.poll_busy;
  if (deadline_ != Time::max()) {
    next.timer =
        std::clamp(duration_cast<milliseconds>(deadline_ - now) + milliseconds(1), milliseconds(0), next.timer);
  }
  return next;
}

bool Session::waits_for_reader() const { return pace_ == Pace::reader && output_.queued_bytes() > waiting_bytes_max; }

// True: there is more to do now.
bool Session::drain_once(Wake wake, Time now) {
  if (drained_) {
    // A signal may have broken off the reading: it is told before the failure is.
    if (capture_->failure() && wake != Wake::timer) return false;
    if (output_.flush() == OutputState::ok) end(input_end_);
    return false;
  }
  if (waits_for_reader() && output_.flush() == OutputState::behind) return false;
  const bool more = capture_->drain(pace_ == Pace::live ? drain_events_max : file_events_max);
  capture_->supervise();
  if (const auto& failure = capture_->failure(); failure && pace_ == Pace::live) {
    talk_.error(*failure);
    end("backend failed: " + failure->context);
    return false;
  }
  if (const std::uint64_t events = capture_->events(); events != events_seen_) {
    events_seen_ = events;
    last_event_ = now;
  }
  if (capture_->ended() || capture_->failure()) {
    drained_ = true;
    input_end_ = capture_->failure() ? "input failed: " + capture_->failure()->context : "end of input";
    capture_->finish();
    return !capture_->failure();
  }
  return more;
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
  tell_switches();
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
  const std::uint64_t missed = capture_->missed_runs();
  if (missed > missed_told_ && tell(Loss{{"missed_runs", missed - missed_told_, 0}, "kernel"})) missed_told_ = missed;
}

bool Session::tell(const Loss& loss) {
  if (!meta_) {
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

std::string Session::silence() const {
  const std::uint64_t dropped = writer_.filters().counts().dropped;
  if (guide_ != nullptr)
    if (std::string what = guide_->waits_for(); !what.empty()) return what;
  if (options_.command == Command::trace) return silence_line(capture_->silence_report(), dropped);
  std::string line = "nothing yet of";
  std::string_view separator = " ";
  for (const Facet facet : options_.show) line.append(std::exchange(separator, ", ")).append(to_string(facet));
  return line + "; " + std::to_string(capture_->events()) + " events seen; filters dropped " + std::to_string(dropped);
}

void Session::report_silence(Time now) {
  if (now < next_silence_ || writer_.written() != 0 || pace_ == Pace::reader) return;
  next_silence_ = now + times_.silence_again;
  const Filters& filters = writer_.filters();
  std::string line = silence();
  if (const auto culprit = filters.culprit())
    line += "; " + std::string(option_of(*culprit)) + " let none of them pass";
  talk_.notice(line + left_out(capture_->silence_report().filtered));
}

void Session::end(std::string reason) {
  if (end_reason_.empty()) end_reason_ = std::move(reason);
}

// What is only captured to know whose child a process is was not asked for; what was there before may have been told
// as it happened.
bool Session::is_shown(const Record& record) {
  const bool process =
      std::holds_alternative<ProcessExec>(record.body) || std::holds_alternative<ProcessExit>(record.body);
  if (process && options_.follow_children && std::ranges::find(options_.show, Facet::process) == options_.show.end())
    return false;
  return !capture_->looks_beside() || first_look_.is_news(record);
}

void Session::on_record(const Record& record) {
  if (const auto* loss = std::get_if<Loss>(&record.body)) {
    if (meta_) {
      writer_.write_meta(record);
    } else {
      talk_.notice("loss: " + std::string(loss->count.cause) + ": " + std::to_string(loss->count.events) + " events");
    }
  } else if (is_shown(record)) {
    writer_.write(record);
  }
}

void Session::on_switch(const BackendSwitch& change) {
  Record record;
  record.timestamp = wall_now();
  record.body = change;
  if (!meta_) return;
  untold_switches_.push_back(std::move(record));
  tell_switches();
}

// As far as there is room.
void Session::tell_switches() {
  const auto untold =
      std::ranges::find_if(untold_switches_, [&](const Record& record) { return !writer_.write_meta(record); });
  untold_switches_.erase(untold_switches_.begin(), untold);
}

void Session::flush_patiently(Time until) {
  while (output_.flush() == OutputState::behind) {
    const auto left = duration_cast<milliseconds>(until - steady_clock::now());
    if (left.count() <= 0) return;
    pollfd entry{output_.wait_fd(), POLLOUT, 0};
    ::poll(&entry, 1, static_cast<int>(left.count()));
  }
}

// A document is all that the run was for: its reader may take as long as it likes.
void Session::write_rest() {
  std::string text;
  writer_.finish(text);
  wrote_document_ = !text.empty();
  if (!is_document(options_)) {
    if (!text.empty() && output_.append(text)) flush_patiently(steady_clock::now() + times_.patience);
    return;
  }
  constexpr std::size_t piece = 1u << 20;
  std::string_view rest = text;
  while (!rest.empty() || output_.queued_bytes() != 0) {
    const std::string_view next = rest.substr(0, piece);
    if (!next.empty() && output_.queued_bytes() == 0 && output_.append(next)) rest.remove_prefix(next.size());
    flush_patiently(steady_clock::now() + times_.reader_check);
    output_.check();
    if (output_.state() == OutputState::closed || output_.state() == OutputState::failed) return;
  }
}

Record Session::last_record() const {
  TraceEnd last = capture_->summary();
  last.reason = end_reason_;
  last.duration_ms = ms_between(began_, steady_clock::now());
  last.records_filtered = writer_.filters().counts().dropped;
  last.records_written = writer_.written() - std::min(writer_.written(), output_.counts().unwritten);
  const std::uint64_t slow = writer_.not_taken() + output_.counts().unwritten;
  const std::uint64_t slow_bytes = output_.counts().dropped_bytes;
  if (slow != 0 || slow_bytes != 0) last.lost.push_back({"sink_slow", slow, slow_bytes});
  Record record;
  record.timestamp = wall_now();
  record.body = std::move(last);
  return record;
}

int Session::finish() {
  if (!drained_) capture_->finish();
  const Time until = steady_clock::now() + times_.patience;
  if (output_.queued_bytes() != 0) flush_patiently(until);
  report_losses(steady_clock::now(), true);
  // A reader that does not read gets no more records, so that there is room for the end.
  if (output_.state() != OutputState::ok) output_.abandon();
  const std::uint64_t given_up = output_.counts().unwritten;
  tell_switches();

  const Record record = last_record();
  const auto& last = std::get<TraceEnd>(record.body);
  if (meta_) writer_.write_meta(record);
  write_rest();
  flush_patiently(steady_clock::now() + times_.patience / 4);
  if (output_.queued_bytes() != 0) output_.abandon();

  if (!meta_) {
    talk_.notice(end_reason_ + ": " + std::to_string(last.records_written) + " records written, " +
                 std::to_string(last.records_filtered) + " filtered" + left_out(last.flows_filtered));
    for (const LossCount& loss : last.lost) {
      talk_.notice("lost: " + std::string(loss.cause) + ": " + std::to_string(loss.events));
    }
  }
  if (meta_ && writer_.not_taken() != 0)
    talk_.notice("lost: sink_slow: " + std::to_string(writer_.not_taken()) +
                 " records that the reader was too slow for");
  if (pace_ == Pace::reader && capture_->failure() && signal_ == 0) talk_.error(*capture_->failure());
  if (output_.state() == OutputState::failed) talk_.error(output_.error());
  if (given_up != 0 && output_.state() != OutputState::closed) {
    talk_.error(Error{Errc::os, 0, "not written: " + std::to_string(given_up) + " records", {}});
  }
  return exit_code(last);
}

int Session::exit_code(const TraceEnd& last) const {
  // A signal breaks off the reading of a pipe: that is no failure.
  const bool interrupted = pace_ == Pace::reader && signal_ != 0;
  if ((capture_->failure() && !interrupted) || output_.state() == OutputState::failed) return exit_error;
  if (output_.state() == OutputState::closed) return exit_ok;
  if (options_.fail_on_loss && !last.lost.empty()) return exit_loss;
  if (output_.counts().unwritten != 0) return exit_error;
  return signal_ == 0 ? exit_ok : 128 + signal_;  // as a shell says it
}

}  // namespace tracer::cli
