#include "backends/bpf/bpf_backend.h"

#include <arpa/inet.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "backends/bpf/blind_spots.h"
#include "backends/bpf/control_maps.h"
#include "backends/bpf/open_beat.h"
#include "backends/bpf/self_test.h"
#include "backends/bpf/thread_beat.h"

namespace tracer {
namespace {

constexpr std::chrono::milliseconds self_test_patience{500};
constexpr std::size_t kept_records_max = 65536;
constexpr std::uint64_t sweep_interval_ns = 10'000'000'000;
constexpr std::size_t kept_bytes_max = 64u << 20;
constexpr std::size_t perf_pages_per_cpu_max = 512;
constexpr std::uint64_t work_interval_max_ns = 100'000'000;

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
  backend->config_.files = options.files.flags;
  backend->config_.file_suffix_lengths = options.files.suffix_lengths;
  // Where the tracer counts processes otherwise than the kernel does, nobody can be found in /proc by its number.
  backend->mapped_paths_ =
      std::make_unique<MappedPaths>([numbers_agree = foreign.inode == 0](std::uint32_t tgid, std::uint64_t address) {
        return numbers_agree ? look_up_mapping("/proc", tgid, address) : std::nullopt;
      });
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

void BpfBackend::expect_files() {
  files_ = true;
  if (!exchange_) beat_ = std::make_unique<OpenBeat>();
}

Result<void> BpfBackend::run_self_test() {
  // The first heartbeat says who the tracer is to the kernel: in a container getpid() is another number.
  if (auto answered = await_heartbeat(); !answered) return answered;
  if (exchange_)
    if (auto exchanged = exchange_with_self(); !exchanged) return exchanged;
  return files_ ? open_by_self() : Result<void>{};
}

Result<void> BpfBackend::open_by_self() {
  for (int round = 0; round < 3 && !self_open_seen_; ++round) {
    if (auto written = configure(true); !written) return written;
    self_path_ = failing_open(config_.beat_nonce);
    if (auto written = configure(false); !written) return written;
    if (auto answered = await_heartbeat(); !answered) return answered;
  }
  if (self_open_seen_) return {};
  return fail(Errc::not_supported, "self-test: an own open was not seen");
}

Result<void> BpfBackend::exchange_with_self() {
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
  if (const auto* made = std::get_if<DecodedEvent>(&decoded); made && made->event.who.tgid == config_.self_tgid) {
    if (const auto* data = std::get_if<FlowData>(&made->event.body))
      self_data_seen_ |= as_text(data->bytes) == self_test_text;
    if (const auto* opened = std::get_if<FileOpened>(&made->event.body)) self_open_seen_ |= opened->path == self_path_;
  }
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
  auto drained = reader_->drain(*this, budget);
  // After what happened was read; on a buffer that is never empty in between.
  if (const std::uint64_t now = monotonic_now().ns;
      companion_ && drained && (*drained != Drained::more || now >= next_work_ns_)) {
    next_work_ns_ = now + work_interval_max_ns;
    companion_->work();
  }
  return drained;
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
  Decoded decoded = decode(record);
  if (auto* made = std::get_if<DecodedEvent>(&decoded)) {
    tell_losses(made->lost_before);
    if (follower_) {
      if (const auto* forked = std::get_if<ProcessForked>(&made->event.body))
        follower_->on_fork(made->event.who.tgid, forked->child_tgid);
      else if (std::holds_alternative<ProcessExited>(made->event.body))
        follower_->on_exit(made->event.who.tgid);
    }
    if (!companion_ || companion_->pass(made->event)) on_event(made->event);
  } else if (const auto* descriptor = std::get_if<DescriptorNote>(&decoded); descriptor != nullptr && follower_) {
    follower_->on_descriptor(descriptor->note, *this);
  } else if (const auto* state = std::get_if<SocketStateNote>(&decoded); state != nullptr && follower_) {
    follower_->on_state(state->note, *this);
  } else if (const auto* mapping = std::get_if<MappingNote>(&decoded)) {
    tell_losses(mapping->lost_before);
    on_mapping(*mapping);
  } else if (const auto* beat = std::get_if<Heartbeat>(&decoded)) {
    ++self_events_;
    if (beat->nonce == config_.beat_nonce) beats_.answered(beat->at_ns);
  } else {
    --delivered_;
    ++dropped_;
  }
}

void BpfBackend::on_mapping(const MappingNote& note) {
  const auto path = mapped_paths_->find(note.who.tgid, note.address, monotonic_now().ns);
  Event event;
  event.at = note.at;
  event.who = note.who;
  LibraryMapped mapped;
  if (path) mapped.path = *path;
  mapped.path_inferred = path.has_value();
  event.body = mapped;
  on_event(event);
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
  const MappedPathsCounters& mapped = mapped_paths_->counters();
  if (files_ && (config_.files & WIRE_FILES_LIBRARIES) != 0)
    out.push_back({blind_mappings, mapped.unknown + mapped.left_out});
  const auto beside = companion_ ? companion_->blind() : shed_blind_;
  out.insert(out.end(), beside.begin(), beside.end());
  return out;
}

std::optional<std::uint64_t> BpfBackend::probe_time_ns() const {
  if (!time_measured_) return std::nullopt;
  auto time = object_->run_time_ns();
  if (time && companion_) *time += companion_->run_time_ns().value_or(0);
  return time;
}

// ---- what is carried ----

Result<void> BpfBackend::carry(const CompanionFactory& make) {
  auto companion = make(*object_);
  if (!companion) return std::unexpected(companion.error());
  config_.plaintext = 1;
  if (auto written = configure(false); !written) return written;
  companion_ = *std::move(companion);
  return {};
}

std::vector<Facet> BpfBackend::shed() {
  if (!companion_) return {};
  config_.plaintext = 0;
  static_cast<void>(configure(false));  // its programs stop where they are detached too
  shed_blind_ = companion_->blind();
  shed_missed_ = companion_->missed_runs();
  shedding_ = std::jthread([shed = std::move(companion_)]() mutable { shed.reset(); });
  return {Facet::https};
}

Result<void> carry_plaintext(BpfBackend& backend, const CompanionFactory& make, std::span<const Facet> facets,
                             OpenedBackend& opened) {
  const bool asked = std::ranges::find(facets, Facet::https) != facets.end();
  if (std::ranges::find(opened.refused, Facet::https, &RefusedFacet::facet) != opened.refused.end()) return {};
  if (!asked && !(facets.empty() && make)) return {};
  Result<void> carried = fail(Errc::not_supported, "nobody was given who reads plaintext");
  if (make) carried = backend.carry(make);
  if (carried) {
    std::ranges::move(backend.companion()->outcomes(), std::back_inserter(opened.outcomes));
    opened.slow_to_detach |= backend.companion()->slow_to_detach();
    return {};
  }
  opened.refused.push_back({Facet::https, carried.error().context});
  if (opened.refused.size() == facets.size()) return carried;
  return {};
}

BackendCounters BpfBackend::counters() const {
  const wire_counters kernel = read_counters(object_->map_fd("counters"));
  BackendCounters out;
  out.produced = kernel.produced;
  out.delivered = delivered_;
  out.lost_ring_full = kernel.failed;
  out.lost_user = dropped_;
  out.lost_bytes = kernel.failed_bytes;
  const std::uint64_t accounted = delivered_ + kernel.failed + dropped_;
  out.unread = kernel.produced > accounted ? kernel.produced - accounted : 0;
  out.self_events = self_events_;
  out.flows_untracked = kernel.flows_untracked + (follower_ ? follower_->untracked() : 0);
  out.files_filtered = kernel.files_filtered;
  const auto missed = object_->missed_runs();
  out.missed_runs = missed ? untold_runs(*missed) : 0;
  out.missed_runs_measured =
      missed_runs_ == MissedRuns::by_kernel_unless_zero ? out.missed_runs != 0 : missed.has_value();
  if (missed_runs_ == MissedRuns::by_programs) {
    out.missed_runs_measured = true;
    out.missed_runs = std::max<std::uint64_t>(out.missed_runs, kernel.missed);
  }
  const std::uint64_t beside = companion_ ? companion_->missed_runs() : shed_missed_;
  out.missed_runs += beside;
  out.missed_runs_measured |= beside != 0;
  return out;
}

}  // namespace tracer
