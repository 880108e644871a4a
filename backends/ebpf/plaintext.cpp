#include "backends/ebpf/plaintext.h"

#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

#include "backends/bpf/blind_spots.h"
#include "backends/bpf/bpf_object.h"
#include "backends/bpf/control_maps.h"
#include "backends/bpf/hash_map.h"
#include "backends/ebpf/breakpoints.h"
#include "backends/ebpf/called_processes.h"
#include "backends/ebpf/library_looks.h"
#include "backends/ebpf/return_trial.h"
#include "backends/ebpf/tls_programs.h"

extern "C" {
// The tracer's own function in which a breakpoint is tried. Only a child calls it.
[[gnu::noinline, gnu::used]] void tracer_plaintext_trial() { asm volatile(""); }
}

namespace tracer {
namespace {

using Clock = LibraryLooks::Clock;
constexpr std::chrono::milliseconds start_patience{500};       // nobody reads the buffer meanwhile; the rest follows
constexpr std::chrono::milliseconds work_slice{10};            // of looking and attaching, between two readings
constexpr std::uint64_t session_bit = std::uint64_t{1} << 63;  // what sessions have and flows have not

class Plaintext final : public Companion {
 public:
  static Result<std::unique_ptr<Companion>> open(const PlaintextOptions& options, const BpfObject& carrier);

  bool pass(Event& event) override;
  void work() override {
    const auto now = Clock::now();
    looks_->work(now, now + work_slice);
  }
  std::vector<BlindSpot> blind() const override;
  std::vector<AttachOutcome> outcomes() const override;
  std::optional<std::uint64_t> run_time_ns() const override {
    return options_.measure_time ? object_->run_time_ns() : std::nullopt;
  }
  std::uint64_t missed_runs() const override {
    const auto missed = object_->missed_runs();
    return missed ? untold_runs(*missed) : 0;
  }
  bool slow_to_detach() const override { return !many_places_; }

 private:
  explicit Plaintext(const PlaintextOptions& options) : options_(options) {}
  Result<void> load(bool many_places, const BpfObject& carrier, const BreakpointSource& source);
  void watch_libraries(const BreakpointSource& source);

  [[nodiscard]] bool wants(const ProcessRef& who) {
    return processes_->everybody() || processes_->wants({.tgid = who.tgid});
  }
  void find_addresses(PlaintextOpened& opened, std::uint32_t tgid) const;
  [[nodiscard]] std::optional<std::uint32_t> number_in_proc(std::uint32_t tgid) const {
    return options_.ownership != nullptr ? options_.ownership->local_pid(tgid) : tgid;
  }
  void on_exec(std::uint32_t tgid, const ProcessStarted& started, EventTime at);
  void forget(std::uint32_t tgid);

  PlaintextOptions options_;
  std::unique_ptr<BpfObject> object_;
  std::optional<CalledProcesses> processes_;
  std::optional<LibraryLooks> looks_;
  std::vector<AttachOutcome> load_outcomes_;
  int verdicts_fd_ = -1, losses_fd_ = -1;
  bool many_places_ = false;
};

// With links for many places, or with a program for each. A breakpoint that nobody hits shows what this kernel allows.
Result<void> Plaintext::load(bool many_places, const BpfObject& carrier, const BreakpointSource& source) {
  many_places_ = many_places;
  load_outcomes_.clear();
  auto object = load_tls_programs(
      {.functions = options_.table.functions, .many_places = many_places, .ring_buffer = options_.ring_buffer}, carrier,
      load_outcomes_);
  if (!object) return std::unexpected(object.error());
  object_ = *std::move(object);
  verdicts_fd_ = object_->map_fd("tls_processes");
  losses_fd_ = object_->map_fd("tls_losses");
  const auto common = tls_common_programs(*object_);
  if (many_places && !common.complete()) return fail(Errc::not_supported, "the common programs are not loaded");
  const auto each = tls_function_programs(*object_, options_.table.functions, many_places);
  if (each.empty()) return {};
  const std::uint64_t offset = own_file_offset(reinterpret_cast<std::uintptr_t>(&tracer_plaintext_trial));
  auto tried = many_places ? set_breakpoints({"/proc/self/exe", {offset}, {0}, true, -1}, common.at_return)
                           : source.set({"/proc/self/exe", offset, true, -1}, each.front().at_return);
  if (!tried) return std::unexpected(tried.error());
  return try_return_under_filter([&] { return std::move(tried); }, &tracer_plaintext_trial);
}

void Plaintext::watch_libraries(const BreakpointSource& source) {
  processes_.emplace(
      options_.processes, options_.ownership, options_.proc_root,
      ProcessVerdicts{.map_fd = verdicts_fd_, .wanted = TLS_VERDICT_WANTED, .left_out = TLS_VERDICT_LEFT_OUT});
  LibraryWatchOptions watch;
  watch.table = options_.table.libraries();
  watch.proc_root = options_.proc_root;
  watch.libraries_max = options_.files_max;
  watch.search_programs = true;
  watch.programs = tls_function_programs(*object_, options_.table.functions, many_places_);
  if (many_places_) watch.common = tls_common_programs(*object_);
  LibraryLooksOptions looks;
  looks.system_root = options_.system_root;
  looks.look_ns = options_.look_ns;
  looks.alone_max = options_.alone_max;
  looks_.emplace(std::move(looks), std::move(watch), source, *processes_);
  looks_->begin(Clock::now() + start_patience);
}

Result<std::unique_ptr<Companion>> Plaintext::open(const PlaintextOptions& options, const BpfObject& carrier) {
  auto source = BreakpointSource::find();
  if (!source) return std::unexpected(source.error());
  auto plaintext = std::unique_ptr<Plaintext>(new Plaintext(options));
  Result<void> loaded = fail(Errc::not_supported, "not wanted");
  if (!options.one_by_one) loaded = plaintext->load(true, carrier, *source);
  if (!loaded) loaded = plaintext->load(false, carrier, *source);
  if (!loaded) return std::unexpected(loaded.error());
  plaintext->watch_libraries(*source);
  return plaintext;
}

// ---- while it runs ----

bool Plaintext::pass(Event& event) {
  if (const auto* data = std::get_if<FlowData>(&event.body))
    return data->layer != Layer::tls_plaintext || wants(event.who);
  if (const auto* closed = std::get_if<FlowClosed>(&event.body))
    return (closed->flow.value & session_bit) == 0 || wants(event.who);
  if (auto* opened = std::get_if<PlaintextOpened>(&event.body)) {
    if (!wants(event.who)) return false;  // and the kernel knows that now
    find_addresses(*opened, event.who.tgid);
  } else if (std::holds_alternative<ProcessStarted>(event.body)) {
    on_exec(event.who.tgid, std::get<ProcessStarted>(event.body), event.at);
  } else if (std::holds_alternative<ProcessExited>(event.body)) {
    forget(event.who.tgid);
    if (const auto pid = number_in_proc(event.who.tgid)) looks_->gone(*pid);
  }
  return true;
}

void Plaintext::find_addresses(PlaintextOpened& opened, std::uint32_t tgid) const {
  if (opened.flow.value != 0 || !opened.fd || options_.ownership == nullptr) return;
  const FdAnswer answer = options_.ownership->descriptor(tgid, *opened.fd);
  if (answer.kind != FdKind::tcp || !answer.socket.remote) return;
  opened.local = answer.socket.local;
  opened.remote = answer.socket.remote;
}

// Decided anew: by the program, which may have ended by now.
void Plaintext::on_exec(std::uint32_t tgid, const ProcessStarted& started, EventTime at) {
  forget(tgid);
  const Caller caller{.tgid = tgid, .uid = started.uid, .comm = started.comm, .executable = started.executable};
  if (!processes_->everybody() && !processes_->wants(caller)) return;
  if (const auto pid = number_in_proc(tgid))
    looks_->look_soon(*pid, Clock::time_point(std::chrono::nanoseconds(at.ns)));
}

void Plaintext::forget(std::uint32_t tgid) {
  if (processes_->everybody()) return;
  processes_->forget(tgid);
  hash_map_delete(verdicts_fd_, &tgid);
}

std::vector<BlindSpot> Plaintext::blind() const {
  std::vector<tls_losses> each(possible_processors());
  const std::uint32_t zero = 0;
  tls_losses all{};
  if (hash_map_get(losses_fd_, &zero, each.data()))
    for (const tls_losses& one : each) {
      all.unpaired += one.unpaired;
      all.nested += one.nested;
      all.no_room += one.no_room;
    }
  return {{blind_tls_libraries, looks_->libraries().unseen()},
          {blind_tls_unpaired, all.unpaired},
          {blind_tls_nested, all.nested},
          {blind_tls_untracked, all.no_room}};
}

std::vector<AttachOutcome> Plaintext::outcomes() const {
  std::vector<AttachOutcome> all = load_outcomes_;
  std::ranges::move(looks_->libraries().outcomes(), std::back_inserter(all));
  return all;
}

}  // namespace

Result<std::unique_ptr<Companion>> open_plaintext(const PlaintextOptions& options, BpfObject& carrier) {
  return Plaintext::open(options, carrier);
}

}  // namespace tracer
