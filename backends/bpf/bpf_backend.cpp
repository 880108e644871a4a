#include "backends/bpf/bpf_backend.h"

#include <arpa/inet.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "backends/bpf/blind_spots.h"
#include "backends/bpf/control_maps.h"
#include "backends/bpf/self_test.h"
#include "backends/bpf/thread_beat.h"

namespace tracer {
namespace {

constexpr std::chrono::milliseconds self_test_patience{500};
constexpr std::size_t kept_records_max = 65536;
constexpr std::uint64_t sweep_interval_ns = 10'000'000'000;
constexpr std::size_t kept_bytes_max = 64u << 20;
constexpr std::size_t perf_pages_per_cpu_max = 512;

EventTime monotonic_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return {static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec)};
}

class Collector final : public EventHandler {
 public:
  explicit Collector(std::vector<Event>& events) : events_(events) {}
  void on_event(const Event& event) override { events_.push_back(event); }

 private:
  std::vector<Event>& events_;
};

}  // namespace

Result<void> require_attached(std::span<const std::string_view> programs, std::span<const AttachOutcome> outcomes) {
  for (const std::string_view program : programs) {
    const auto outcome = std::ranges::find(outcomes, program, &AttachOutcome::what);
    if (outcome == outcomes.end()) return fail(Errc::not_supported, std::string(program) + " is not in the object");
    if (!outcome->attached) return fail(Errc::not_supported, outcome->what + ": " + outcome->reason);
  }
  return {};
}

Result<std::unique_ptr<BpfBackend>> BpfBackend::make(std::unique_ptr<BpfObject> object, BpfBackendOptions options) {
  auto backend = std::unique_ptr<BpfBackend>(new BpfBackend);
  const int events = object->map_fd("events");
  const std::size_t page = static_cast<std::size_t>(::getpagesize());
  std::size_t pages = 1;
  while (pages < perf_pages_per_cpu_max && pages * page * possible_processors() < options.ring_bytes) pages *= 2;
  auto reader = options.ring_buffer ? EventReader::open_ring(events) : EventReader::open_perf(events, pages);
  if (!reader) return std::unexpected(reader.error());
  auto verdicts = VerdictMap::open(object->map_fd("verdicts"), options.ring_buffer && options.mappable_arrays);
  if (!verdicts) return std::unexpected(verdicts.error());
  backend->object_ = std::move(object);
  backend->reader_ = std::move(*reader);
  backend->verdicts_ = std::move(*verdicts);
  backend->beat_ = std::move(options.beat);
  backend->missed_runs_ = options.missed_runs;
  backend->exchange_ = options.exchange;
  backend->blind_ = std::move(options.blind);
  if (options.measure_time)
    if (auto measured = measure_programs()) backend->time_measured_ = std::move(*measured);
  backend->config_.version = WIRE_VERSION;
  // Any two tracers on a box differ in it. It only has to be an unlikely size, below the 2 GiB to which the kernel cuts
  // the size of a call.
  backend->config_.beat_nonce = 0x40000000u | (static_cast<std::uint32_t>(monotonic_now().ns >> 10) & 0x1fffffffu);
  const PidNamespace foreign = foreign_pid_namespace();
  backend->config_.pid_namespace_device = foreign.device;
  backend->config_.pid_namespace_inode = foreign.inode;
  backend->config_.cpus = possible_processors();
  backend->config_.receive_flags_argument = options.receive_flags_argument;
  backend->config_.twice = options.twice ? 1 : 0;
  if (options.ports.size() <= std::size(backend->config_.ports)) {
    std::ranges::transform(options.ports, backend->config_.ports, [](std::uint16_t port) { return htons(port); });
    backend->port_count_ = static_cast<std::uint32_t>(options.ports.size());
  }
  backend->config_.wake_bytes = static_cast<std::uint32_t>(options.ring_bytes / 4);
  if (auto written = backend->configure(false); !written) return std::unexpected(written.error());
  return backend;
}

Result<void> BpfBackend::configure(bool trace_self) {
  config_.trace_self = trace_self ? 1 : 0;
  config_.port_count = trace_self ? 0 : port_count_;  // the self-test takes any port, and wants its bytes back
  char name[WIRE_COMM_SIZE];
  write_beat_name(name, config_.beat_nonce);
  std::ranges::copy(name, config_.beat_name);
  return write_config(object_->map_fd("config"), config_);
}

void BpfBackend::follow(std::unique_ptr<RecordFollower> follower) {
  follower_ = std::move(follower);
  Collector collector(adopted_);
  follower_->adopt_existing(monotonic_now(), collector);
}

// A busy machine may have filled the buffer before anybody read it, so the beat is repeated.
Result<void> BpfBackend::await_heartbeat() {
  heartbeat_seen_ = false;
  ++config_.beat_nonce;  // a late repetition of the beat before is not this one
  if (auto written = configure(config_.trace_self != 0); !written) return written;
  const auto deadline = std::chrono::steady_clock::now() + self_test_patience;
  while (!heartbeat_seen_ && std::chrono::steady_clock::now() < deadline) {
    if (auto drained = reader_->drain(*this, kept_records_max); !drained) return std::unexpected(drained.error());
    if (heartbeat_seen_) break;
    beat_->send(config_.beat_nonce);
    pollfd waiting{reader_->fd(), POLLIN, 0};
    ::poll(&waiting, 1, 5);
  }
  if (heartbeat_seen_) return {};
  return fail(Errc::not_supported, "self-test: the programs are attached but no event came back within " +
                                       std::to_string(self_test_patience.count()) + " ms");
}

Result<void> BpfBackend::run_self_test() {
  // The first heartbeat says who the tracer is to the kernel: in a container getpid() is another number.
  if (auto answered = await_heartbeat(); !answered) return answered;
  if (!exchange_) return {};
  bool exchanged = false;
  for (int round = 0; round < 3 && !self_data_seen_ && (round == 0 || exchanged); ++round) {
    if (auto written = configure(true); !written) return written;
    const auto port = loopback_exchange();
    exchanged = port.has_value();
    if (port) self_ports_.insert(*port);
    if (auto written = configure(false); !written) return written;
    // Emitted after the exchange: once it is here, all of that is.
    if (auto answered = await_heartbeat(); !answered) return answered;
  }
  if (exchanged && !self_data_seen_)
    return fail(Errc::not_supported, "self-test: an own exchange over loopback was not seen");
  return {};
}

void BpfBackend::watch_for_self_test(Bytes record) {
  const Decoded decoded = decode(record);
  if (const auto* beat = std::get_if<Heartbeat>(&decoded)) {
    heartbeat_seen_ |= beat->nonce == config_.beat_nonce;
    config_.self_tgid = beat->tgid;
  }
  if (const auto* made = std::get_if<DecodedEvent>(&decoded))
    if (const auto* data = std::get_if<FlowData>(&made->event.body))
      self_data_seen_ |= made->event.who.tgid == config_.self_tgid && as_text(data->bytes) == self_test_text;
  kept_bytes_ += record.size();
  if (kept_.size() < kept_records_max && kept_bytes_ < kept_bytes_max)
    kept_.emplace_back(record.begin(), record.end());
  else
    ++dropped_;
}

Result<Drained> BpfBackend::drain(EventHandler& handler, std::size_t budget) {
  const bool first = handler_ == nullptr;
  handler_ = &handler;
  if (first) {
    for (const Event& event : std::exchange(adopted_, {})) on_event(event);
    for (const auto& record : std::exchange(kept_, {})) on_wire(record);
    self_ports_.clear();  // all of the self-test is behind; the port is anybody's again
  }
  if (follower_ && monotonic_now().ns >= next_sweep_ns_) {
    next_sweep_ns_ = monotonic_now().ns + sweep_interval_ns;
    follower_->sweep();
  }
  if (follower_) follower_->ask_again(monotonic_now(), *this);
  return reader_->drain(*this, budget);
}

// Told in the place where it happened among the records: the core decides by it why bytes are missing.
void BpfBackend::tell_losses(std::uint32_t lost_before) {
  const std::uint32_t fresh = lost_before - told_lost_;
  if (static_cast<std::int32_t>(fresh) <= 0) return;  // the count is read before the room: records may swap places
  told_lost_ = lost_before;
  Event event;
  event.at = monotonic_now();
  event.body = Lost{fresh, GapCause::ring_full};
  handler_->on_event(event);
}

void BpfBackend::on_wire(Bytes record) {
  if (handler_ == nullptr) return watch_for_self_test(record);
  ++delivered_;
  const Decoded decoded = decode(record);
  if (const auto* made = std::get_if<DecodedEvent>(&decoded)) {
    tell_losses(made->lost_before);
    if (follower_) {
      if (const auto* forked = std::get_if<ProcessForked>(&made->event.body))
        follower_->on_fork(made->event.who.tgid, forked->child_tgid);
      else if (std::holds_alternative<ProcessExited>(made->event.body))
        follower_->on_exit(made->event.who.tgid);
    }
    on_event(made->event);
  } else if (const auto* descriptor = std::get_if<DescriptorNote>(&decoded); descriptor != nullptr && follower_) {
    follower_->on_descriptor(descriptor->note, *this);
  } else if (const auto* state = std::get_if<SocketStateNote>(&decoded); state != nullptr && follower_) {
    follower_->on_state(state->note, *this);
  } else if (const auto* beat = std::get_if<Heartbeat>(&decoded)) {
    ++self_events_;
    if (beat->nonce == config_.beat_nonce) beats_.answered(beat->at_ns);
  } else {
    --delivered_;
    ++dropped_;
  }
}

void BpfBackend::on_event(const Event& event) {
  if (is_self(event)) {
    ++self_events_;
    return;
  }
  handler_->on_event(event);
}

bool BpfBackend::is_self(const Event& event) {
  const bool own = event.who.tgid == config_.self_tgid;
  if (const auto* opened = std::get_if<FlowOpened>(&event.body)) {
    const bool test = (opened->local && self_ports_.contains(opened->local->port)) ||
                      (opened->remote && self_ports_.contains(opened->remote->port));
    if (own || test) self_flows_.insert(opened->flow.value);
    return own || test;
  }
  if (std::holds_alternative<FlowData>(event.body) || self_flows_.empty()) return own;
  if (const auto* updated = std::get_if<FlowUpdated>(&event.body))
    return own || self_flows_.contains(updated->flow.value);
  if (const auto* ended = std::get_if<StreamEnded>(&event.body)) return self_flows_.contains(ended->flow.value);
  if (const auto* closed = std::get_if<FlowClosed>(&event.body)) {
    return self_flows_.erase(closed->flow.value) != 0;
  }
  return own;
}

Result<void> BpfBackend::send_beat() {
  beats_.sent(monotonic_now().ns);
  beat_->send(config_.beat_nonce);
  return {};
}

std::vector<BlindSpot> BpfBackend::blind() const {
  const wire_counters counted = read_counters(object_->map_fd("counters"));
  std::vector<BlindSpot> out;
  for (const BlindSpotCounter& each : blind_spot_counters)
    if (std::ranges::find(blind_, each.what) != blind_.end()) out.push_back({each.what, counted.*each.counter});
  return out;
}

std::optional<std::uint64_t> BpfBackend::probe_time_ns() const {
  return time_measured_ ? object_->run_time_ns() : std::nullopt;
}

BackendCounters BpfBackend::counters() const {
  const wire_counters kernel = read_counters(object_->map_fd("counters"));
  BackendCounters out;
  out.produced = kernel.produced;
  out.delivered = delivered_;
  out.lost_ring_full = kernel.failed;
  out.lost_user = dropped_;
  out.lost_bytes = kernel.failed_bytes;
  out.self_events = self_events_;
  out.flows_untracked = kernel.flows_untracked + (follower_ ? follower_->untracked() : 0);
  const auto missed = object_->missed_runs();
  out.missed_runs = missed ? untold_runs(*missed) : 0;
  out.missed_runs_measured =
      missed_runs_ == MissedRuns::by_kernel_unless_zero ? out.missed_runs != 0 : missed.has_value();
  if (missed_runs_ == MissedRuns::by_programs) {
    out.missed_runs_measured = true;
    out.missed_runs = std::max<std::uint64_t>(out.missed_runs, kernel.missed);
  }
  return out;
}

}  // namespace tracer
