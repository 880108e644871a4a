#include "backends/ebpf/uprobe.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "backends/bpf/beat_log.h"
#include "backends/bpf/bpf_object.h"
#include "backends/bpf/control_maps.h"
#include "backends/bpf/event_reader.h"
#include "backends/bpf/hash_map.h"
#include "backends/bpf/self_test.h"
#include "backends/ebpf/breakpoints.h"
#include "backends/ebpf/call_counts.h"
#include "backends/ebpf/called_processes.h"
#include "backends/ebpf/library_looks.h"
#include "backends/ebpf/return_trial.h"
#include "backends/ebpf/uprobe_programs.h"

extern "C" {
// The tracer's own function with a breakpoint in it. Does nothing else than being called.
[[gnu::noinline, gnu::used]] void tracer_uprobe_beat(std::uint32_t nonce) { asm volatile("" ::"r"(nonce) : "memory"); }
}

namespace tracer {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds self_test_patience{500};
constexpr std::chrono::milliseconds work_slice{10};  // of looking and attaching, between two readings
constexpr std::size_t perf_pages = 16;
constexpr std::uint64_t drop_delay_ns = 200'000'000;
constexpr std::size_t self_test_records_max = 4096;

std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

class UprobeBackend final : public Backend, private WireHandler {
 public:
  static Result<OpenedBackend> open(UprobeOptions options);

  int fd() const override { return reader_->fd(); }
  Result<Drained> drain(EventHandler& handler, std::size_t budget) override;
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  BackendCounters counters() const override;
  void hold_nothing_back() override { ending_ = true; }
  Result<void> send_beat() override {
    beats_.sent(monotonic_ns());
    tracer_uprobe_beat(config_.beat_nonce);
    return {};
  }
  Beats beats() const override { return beats_.beats(); }
  std::vector<BlindSpot> blind() const override;
  std::optional<std::uint64_t> probe_time_ns() const override {
    return time_measured_ ? object_->run_time_ns() : std::nullopt;
  }

 private:
  explicit UprobeBackend(UprobeOptions options) : options_(std::move(options)), counts_(2 * options_.counters_max) {}
  // With links for many places, or with a program for each.
  Result<void> load(bool many_places, std::vector<AttachOutcome>& outcomes);
  Result<void> configure();
  Result<void> start(bool many_places, const BreakpointSource& source, std::vector<AttachOutcome>& outcomes);
  Result<void> test_self(const BreakpointSource& source);
  void watch_libraries(const BreakpointSource& source);
  void attach_lives(std::vector<AttachOutcome>& outcomes);

  void on_wire(Bytes record) override;
  void on_first(const uprobe_first& record);
  void tell(const uprobe_key& key, std::uint64_t calls, std::uint64_t at_ns);
  [[nodiscard]] const std::string& library_of(const uprobe_key& key);
  // Tells what was counted since the last time: of one kind (false: nothing), of a process that ended or runs another
  // program now, of all.
  bool tell_count(const uprobe_key& key, bool wanted);
  void tell_counts_of(std::uint32_t tgid, bool ended);
  void tell_counts();
  void drop(const uprobe_key& key);
  // Of a process that runs: a program may be about to add to the counter, which would be another's the next moment.
  void drop_later(const uprobe_key& key);
  void drop_due(std::uint64_t now_ns);
  void tell_losses();

  UprobeOptions options_;
  std::unique_ptr<BpfObject> object_;
  std::unique_ptr<EventReader> reader_;
  UniqueFd beat_event_, time_measured_;
  std::optional<CalledProcesses> processes_;
  std::optional<LibraryLooks> looks_;
  CallCounts counts_;
  BeatLog beats_;
  wire_config config_{};
  EventHandler* handler_ = nullptr;
  int counts_fd_ = -1, losses_fd_ = -1;
  bool many_places_ = false;
  bool ending_ = false;
  bool heartbeat_seen_ = false;
  std::uint64_t next_tell_ns_ = 0;
  struct Dropping {
    uprobe_key key{};
    std::uint64_t due_ns = 0;
  };
  std::deque<Dropping> dropping_;
  std::unordered_set<std::uint32_t> gone_;  // processes whose counters wait to be dropped
  std::uint64_t told_calls_ = 0, beats_seen_ = 0, told_lost_ = 0;
};

Result<void> UprobeBackend::load(bool many_places, std::vector<AttachOutcome>& outcomes) {
  many_places_ = many_places;
  auto object = load_uprobe_programs({.functions = options_.table.functions,
                                      .many_places = many_places,
                                      .ring_buffer = options_.ring_buffer,
                                      .counters_max = options_.counters_max,
                                      .ring_bytes = options_.ring_bytes},
                                     outcomes);
  if (!object) return std::unexpected(object.error());
  beat_event_.reset();
  reader_.reset();  // of the attempt before
  object_ = std::move(*object);
  counts_fd_ = object_->map_fd("counts");
  losses_fd_ = object_->map_fd("call_losses");
  const int events = object_->map_fd("events");
  auto reader = options_.ring_buffer ? EventReader::open_ring(events) : EventReader::open_perf(events, perf_pages);
  if (!reader) return std::unexpected(reader.error());
  reader_ = std::move(*reader);
  return {};
}

Result<void> UprobeBackend::configure() {
  config_.version = WIRE_VERSION;
  config_.wake_bytes = static_cast<std::uint32_t>(options_.ring_bytes / 4);
  const PidNamespace foreign = foreign_pid_namespace();
  config_.pid_namespace_device = foreign.device;
  config_.pid_namespace_inode = foreign.inode;
  config_.cpus = possible_processors();
  return write_config(object_->map_fd("config"), config_);
}

void UprobeBackend::attach_lives(std::vector<AttachOutcome>& outcomes) {
  const uprobe_settings settings{fork_child_offset(),
                                 options_.processes != nullptr && options_.processes->follows_children() ? 1u : 0u};
  const std::uint32_t zero = 0;
  hash_map_set(object_->map_fd("settings"), &zero, &settings, true);
  outcomes.push_back(object_->attach_tracepoint("tracer_exec", "sched", "sched_process_exec"));
  outcomes.push_back(object_->attach_tracepoint("tracer_exit", "sched", "sched_process_exit"));
  if (settings.follow_children != 0)
    outcomes.push_back(object_->attach_tracepoint("tracer_fork", "sched", "sched_process_fork"));
}

// The beat says, too, who the tracer is to the kernel: in a container getpid() is another number.
Result<void> UprobeBackend::test_self(const BreakpointSource& source) {
  const std::uint64_t offset = own_file_offset(reinterpret_cast<std::uintptr_t>(&tracer_uprobe_beat));
  const int program = object_->program_fd("tracer_beat");
  if (program < 0) return fail(Errc::not_supported, "the program of the self-test is not loaded");
  auto event = many_places_ ? set_breakpoints({"/proc/self/exe", {offset}, {0}, false, ::getpid()}, program)
                            : source.set({"/proc/self/exe", offset, false, ::getpid()}, program);
  if (!event) return std::unexpected(event.error());
  beat_event_ = *std::move(event);
  const auto watch_return = [&] {
    return many_places_ ? set_breakpoints({"/proc/self/exe", {offset}, {0}, true, -1}, program)
                        : source.set({"/proc/self/exe", offset, true, -1}, program);
  };
  if (auto safe = try_return_under_filter(watch_return, [] { tracer_uprobe_beat(0); }); !safe) return safe;
  config_.beat_nonce = static_cast<std::uint32_t>(monotonic_ns() >> 10) | 1;
  if (auto written = configure(); !written) return written;
  const auto deadline = Clock::now() + self_test_patience;
  while (!heartbeat_seen_ && Clock::now() < deadline) {
    tracer_uprobe_beat(config_.beat_nonce);
    if (auto drained = reader_->drain(*this, self_test_records_max); !drained) return std::unexpected(drained.error());
    if (!heartbeat_seen_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (!heartbeat_seen_)
    return fail(Errc::not_supported, "self-test: a breakpoint in an own function was set and never hit");
  return configure();
}

void UprobeBackend::watch_libraries(const BreakpointSource& source) {
  processes_.emplace(options_.processes, options_.ownership, options_.proc_root,
                     ProcessVerdicts{.map_fd = object_->map_fd("verdicts")});
  LibraryWatchOptions watch;
  watch.table = options_.table.libraries();
  watch.proc_root = options_.proc_root;
  watch.libraries_max = options_.libraries_max;
  watch.programs = function_programs(*object_, options_.table.functions, many_places_);
  if (many_places_) watch.common = common_programs(*object_);
  LibraryLooksOptions looks;
  looks.system_root = options_.system_root;
  looks.look_ns = options_.look_ns;
  looks.alone_max = options_.alone_max;
  looks_.emplace(std::move(looks), std::move(watch), source, *processes_);
  looks_->begin(Clock::time_point::max());
}

// Up to the sign of life.
Result<void> UprobeBackend::start(bool many_places, const BreakpointSource& source,
                                  std::vector<AttachOutcome>& outcomes) {
  if (many_places && options_.one_by_one) return fail(Errc::not_supported, "not wanted");
  auto loaded = load(many_places, outcomes);
  if (loaded && many_places && !common_programs(*object_).complete())
    loaded = fail(Errc::not_supported, "the common programs are not loaded");
  return loaded ? test_self(source) : loaded;
}

Result<OpenedBackend> UprobeBackend::open(UprobeOptions options) {
  auto source = BreakpointSource::find();
  if (!source) return std::unexpected(source.error());
  OpenedBackend opened;
  opened.kind = BackendKind::ebpf;
  opened.mechanism = Mechanism::uprobe;
  auto backend = std::unique_ptr<UprobeBackend>(new UprobeBackend(std::move(options)));
  if (backend->options_.measure_time)
    if (auto measured = measure_programs()) backend->time_measured_ = *std::move(measured);
  if (!backend->start(true, *source, opened.outcomes)) {
    opened.outcomes.clear();
    if (auto started = backend->start(false, *source, opened.outcomes); !started)
      return std::unexpected(started.error());
    opened.slow_to_detach = true;  // a perf event each, and the kernel takes about 0.1 s to close one
  }
  backend->attach_lives(opened.outcomes);
  backend->watch_libraries(*source);
  std::ranges::move(backend->looks_->libraries().outcomes(), std::back_inserter(opened.outcomes));
  opened.self_test_seen = true;
  opened.backend = std::move(backend);
  return opened;
}

// ---- while it runs ----

Result<Drained> UprobeBackend::drain(EventHandler& handler, std::size_t budget) {
  handler_ = &handler;
  auto drained = reader_->drain(*this, budget);
  if (!drained || *drained == Drained::more) return drained;
  const std::uint64_t now = monotonic_ns();
  drop_due(now);
  if (ending_ || now >= next_tell_ns_) {
    next_tell_ns_ = now + options_.tell_ns;
    tell_counts();
    tell_losses();
  }
  if (!ending_) {
    const auto began = Clock::now();
    looks_->work(began, began + work_slice);
  }
  return drained;
}

void UprobeBackend::on_wire(Bytes record) {
  wire_header header{};
  if (record.size() < sizeof(header)) return;
  std::memcpy(&header, record.data(), sizeof(header));
  if (header.kind == WIRE_BEAT) {
    if (header.flow != config_.beat_nonce) return;
    heartbeat_seen_ = true;
    config_.self_tgid = header.tgid;
    ++beats_seen_;
    beats_.answered(header.at_ns);
  } else if (handler_ == nullptr) {
    return;  // before the first drain; what was counted is told then
  } else if (header.kind == UPROBE_RECORD_FIRST && record.size() >= sizeof(uprobe_first)) {
    uprobe_first first{};
    std::memcpy(&first, record.data(), sizeof(first));
    on_first(first);
  } else if (header.kind == UPROBE_RECORD_EXEC || header.kind == UPROBE_RECORD_EXIT) {
    tell_counts_of(header.tgid, header.kind == UPROBE_RECORD_EXIT);
  }
}

void UprobeBackend::on_first(const uprobe_first& record) {
  const Caller caller{record.key.tgid, record.local_tgid, record.uid,
                      std::string_view(record.comm, ::strnlen(record.comm, sizeof(record.comm))), record.verdict};
  if (!processes_->wants(caller)) return drop_later(record.key);
  if (counts_.first(record.key)) tell(record.key, 1, record.header.at_ns);
}

const std::string& UprobeBackend::library_of(const uprobe_key& key) {
  const std::string_view family = options_.table.functions[key.slot].family;
  static const std::string unknown;
  if (const std::string* known = processes_->library(key.tgid, family)) return *known;
  auto path = looks_->libraries().path_of(family, processes_->number_in_proc(key.tgid));
  processes_->remember_library(key.tgid, family, std::move(path).value_or(unknown));
  const std::string* known = processes_->library(key.tgid, family);
  return known != nullptr ? *known : unknown;
}

void UprobeBackend::tell(const uprobe_key& key, std::uint64_t calls, std::uint64_t at_ns) {
  if (key.slot >= options_.table.functions.size()) return;
  const std::string name = name_of(key);
  CryptoCall call;
  call.function = options_.table.functions[key.slot].name;
  call.library = library_of(key);
  call.argument = name;
  if ((key.has & UPROBE_HAS_SIZE) != 0) call.size = key.size;
  if ((key.has & UPROBE_HAS_RESULT) != 0) call.result = key.result;
  call.calls = calls;
  told_calls_ += calls;
  Event event;
  event.at = EventTime{at_ns};
  event.who = {key.tgid, key.tgid};
  event.body = call;
  handler_->on_event(event);
}

bool UprobeBackend::tell_count(const uprobe_key& key, bool wanted) {
  uprobe_count count{};
  if (!hash_map_get(counts_fd_, &key, &count)) return false;
  const std::uint64_t fresh = counts_.grown(key, count.calls);
  if (fresh != 0 && wanted) tell(key, fresh, count.last_ns);
  return fresh != 0;
}

void UprobeBackend::drop(const uprobe_key& key) {
  hash_map_delete(counts_fd_, &key);
  counts_.forget(key);
}

void UprobeBackend::drop_later(const uprobe_key& key) {
  if (dropping_.size() < options_.counters_max) dropping_.push_back({key, monotonic_ns() + drop_delay_ns});
}

void UprobeBackend::drop_due(std::uint64_t now_ns) {
  for (; !dropping_.empty() && dropping_.front().due_ns <= now_ns; dropping_.pop_front())
    if (!processes_->wants({dropping_.front().key.tgid})) drop(dropping_.front().key);
}

void UprobeBackend::tell_counts_of(std::uint32_t tgid, bool ended) {
  for (const uprobe_key& key : counts_.keys_of(tgid)) {
    tell_count(key, processes_->wants({tgid}));
    if (ended) drop(key);
  }
  processes_->forget(tgid);
  // While it can still be asked.
  if (!ended) static_cast<void>(processes_->wants({tgid}));
}

void UprobeBackend::tell_counts() {
  std::vector<uprobe_key> keys;
  uprobe_key key{};
  // An entry that goes meanwhile makes the kernel begin anew: hence the limit.
  for (bool more = hash_map_next_key(counts_fd_, nullptr, &key); more && keys.size() < 2 * options_.counters_max;
       more = hash_map_next_key(counts_fd_, &keys.back(), &key))
    keys.push_back(key);
  // Of a process that was gone at the last look too, everything that it emitted has been read by now.
  std::unordered_map<std::uint32_t, bool> gone;
  for (const uprobe_key& each : keys) {
    const bool wanted = processes_->wants({each.tgid});
    if (!wanted) {
      drop_later(each);
      continue;
    }
    if (tell_count(each, wanted)) continue;
    const auto [row, asked] = gone.try_emplace(each.tgid, false);
    if (asked) row->second = processes_->is_gone(each.tgid);
    if (row->second && gone_.contains(each.tgid)) drop(each);
  }
  gone_.clear();
  for (const auto& [tgid, is_gone] : gone)
    if (is_gone) gone_.insert(tgid);
}

void UprobeBackend::tell_losses() {
  std::vector<uprobe_losses> each(possible_processors());
  const std::uint32_t zero = 0;
  if (!hash_map_get(losses_fd_, &zero, each.data())) return;
  std::uint64_t lost = 0;
  for (const uprobe_losses& one : each) lost += one.uncounted;
  if (lost == told_lost_) return;
  Event event;
  event.at = EventTime{monotonic_ns()};
  event.body = Lost{lost - told_lost_, GapCause::ring_full};
  told_lost_ = lost;
  handler_->on_event(event);
}

BackendCounters UprobeBackend::counters() const {
  BackendCounters counters;
  counters.delivered = told_calls_;
  counters.self_events = beats_seen_;
  counters.lost_ring_full = told_lost_;
  counters.produced = told_calls_ + told_lost_ + beats_seen_;
  return counters;
}

std::vector<BlindSpot> UprobeBackend::blind() const {
  std::vector<uprobe_losses> each(possible_processors());
  const std::uint32_t zero = 0;
  std::uint64_t unpaired = 0;
  if (hash_map_get(losses_fd_, &zero, each.data()))
    for (const uprobe_losses& one : each) unpaired += one.unpaired;
  return {{"crypto_libraries_unseen", looks_->libraries().unseen()}, {"crypto_calls_without_begin", unpaired}};
}

}  // namespace

Result<OpenedBackend> open_uprobe(UprobeOptions options) { return UprobeBackend::open(std::move(options)); }

}  // namespace tracer
