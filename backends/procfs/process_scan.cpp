#include "backends/procfs/process_scan.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "backends/procfs/held_events.h"
#include "backends/procfs/ownership.h"
#include "backends/procfs/pid_numbering.h"
#include "backends/procfs/process_look.h"

namespace tracer {
namespace {

using procfs::Found;
using procfs::ProcessLook;
using procfs::ProcReader;
using procfs::Refusal;
using procfs::SeenFile;

// The loop has other backends to drain.
constexpr std::uint64_t drain_ns_max = 20'000'000;

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

bool is_gone(const Found<std::string>& answer) { return !answer && answer.error() == Refusal::gone; }

class ProcessScan final : public Backend {
 public:
  ProcessScan(ProcessScanOptions options, ProcReader proc, procfs::NumberingFacts numbering, UniqueFd ready,
              std::uint32_t self)
      : options_(std::move(options)),
        proc_(std::move(proc)),
        numbering_(numbering),
        ready_(std::move(ready)),
        self_(self),
        wants_processes_(wants(Facet::process)),
        wants_libraries_(wants(Facet::library)),
        wants_files_(wants(Facet::file)) {}

  [[nodiscard]] Result<void> begin() {
    const auto left = proc_.pids(pids_, options_.processes_max);
    if (!left) return std::unexpected(left.error());
    over_process_limit_ = *left;
    began_ns_ = options_.now_ns();
    return {};
  }

  [[nodiscard]] int fd() const override { return ready_.get(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override;
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  [[nodiscard]] BackendCounters counters() const override {
    BackendCounters counters;
    counters.delivered = delivered_;
    counters.unread = held_.size();
    counters.produced = delivered_ + held_.size();
    return counters;
  }
  [[nodiscard]] std::vector<BlindSpot> blind() const override {
    return {{"unreadable_processes", unreadable_},
            {"scan_time_limit", over_time_limit_},
            {"scan_process_limit", over_process_limit_},
            {"scan_descriptor_limit", over_descriptor_limit_},
            {"scan_maps_limit", over_maps_limit_}};
  }

 private:
  [[nodiscard]] bool wants(Facet facet) const {
    return std::ranges::find(options_.facets, facet) != options_.facets.end();
  }
  [[nodiscard]] bool step();
  [[nodiscard]] std::optional<ProcessLook> next_process();
  void tell_process(const ProcessLook& look);
  void leave(const ProcessLook& look);
  void stop();
  [[nodiscard]] std::int64_t started_wall_ns(std::uint64_t start_ticks) const {
    return boot_wall_ns_ + static_cast<std::int64_t>(start_ticks) * (1'000'000'000 / ticks_per_second_);
  }

  ProcessScanOptions options_;
  ProcReader proc_;
  procfs::NumberingFacts numbering_;
  UniqueFd ready_;  // readable until everything is told
  std::uint32_t self_;
  bool wants_processes_, wants_libraries_, wants_files_;
  std::int64_t boot_wall_ns_ = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
  std::int64_t ticks_per_second_ = std::max(::sysconf(_SC_CLK_TCK), 1L);
  std::vector<std::uint32_t> pids_;
  std::size_t next_pid_ = 0;
  std::optional<ProcessLook> current_;
  std::vector<SeenFile> mapped_, opened_;  // by one step
  procfs::HeldEvents held_;
  std::uint64_t began_ns_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t unreadable_ = 0, over_time_limit_ = 0, over_process_limit_ = 0, over_descriptor_limit_ = 0,
                over_maps_limit_ = 0;
};

// The next that is there, is wanted, and is a program: threads of the kernel and zombies are none.
std::optional<ProcessLook> ProcessScan::next_process() {
  while (next_pid_ < pids_.size()) {
    const std::uint32_t pid = pids_[next_pid_++];
    if (pid == self_) continue;
    auto directory = proc_.process(pid);
    if (!directory) {
      if (directory.error() == Refusal::denied) ++unreadable_;
      continue;
    }
    if (is_gone(directory->link("exe"))) continue;
    if (!procfs::is_wanted(*directory, pid, numbering_, options_.processes, options_.known.get())) continue;
    return ProcessLook(pid, procfs::tgid_of_listed(numbering_, pid), *std::move(directory),
                       EventTime{options_.now_ns()});
  }
  return std::nullopt;
}

void ProcessScan::tell_process(const ProcessLook& look) {
  auto process = procfs::read_started(look.directory(), look.tgid(), look.pid(), numbering_.proc_is_ours);
  if (!process) return;
  if (process->parent != 0) process->parent = procfs::tgid_of_listed(numbering_, process->parent);
  const std::int64_t since = started_wall_ns(process->facts.start_ticks);
  held_.push(look.at(), look.tgid(), true, procfs::FoundProcess{*std::move(process), since});
}

void ProcessScan::leave(const ProcessLook& look) {
  if (look.refused()) ++unreadable_;
  if (look.maps_cut()) ++over_maps_limit_;
  over_descriptor_limit_ += look.descriptors_left_out();
}

void ProcessScan::stop() {
  over_time_limit_ += pids_.size() - next_pid_ + (current_ ? 1 : 0);
  next_pid_ = pids_.size();
  current_.reset();
}

// One small piece of the work; false: there is none left.
bool ProcessScan::step() {
  if (current_ && current_->step(mapped_, opened_)) {
    for (SeenFile& file : mapped_)
      held_.push(current_->at(), current_->tgid(), true, procfs::FoundMapping{std::move(file)});
    for (SeenFile& file : opened_)
      held_.push(current_->at(), current_->tgid(), true, procfs::FoundOpen{std::move(file), false});
    mapped_.clear();
    opened_.clear();
    return true;
  }
  if (current_) leave(*current_);
  current_ = next_process();
  if (!current_) return false;
  if (wants_processes_) tell_process(*current_);
  current_->begin(wants_libraries_, wants_files_, {options_.descriptors_max, options_.maps_bytes_max});
  return true;
}

Result<Drained> ProcessScan::drain(EventHandler& handler, std::size_t budget) {
  const std::uint64_t began_ns = options_.now_ns();
  for (;;) {
    const std::size_t handed = held_.hand_out(handler, budget);
    budget -= handed;
    delivered_ += handed;
    if (!held_.empty()) return Drained::more;
    if (!step()) break;
    const std::uint64_t now_ns = options_.now_ns();
    if (now_ns >= began_ns_ + options_.time_ns_max) stop();
    if (now_ns >= began_ns + drain_ns_max) return Drained::more;
  }
  eventfd_t unread = 0;
  (void)::eventfd_read(ready_.get(), &unread);
  return Drained::idle;
}

}  // namespace

Result<OpenedBackend> open_process_scan(ProcessScanOptions options) {
  if (!options.now_ns) options.now_ns = procfs::monotonic_now_ns;
  auto proc = ProcReader::open(options.proc_root);
  if (!proc) return std::unexpected(proc.error());
  const auto self = proc->self_pid();
  const auto numbering = procfs::find_numbering(*proc, static_cast<std::uint32_t>(::getpid()));
  if (!numbering.proc_is_initial && !numbering.proc_is_ours)
    return fail(Errc::not_supported, "scan of processes: this /proc counts them otherwise than the tracer does");
  UniqueFd ready(::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!ready) return std::unexpected(os_failure(errno, "scan of processes: eventfd"));

  OpenedBackend opened;
  opened.kind = BackendKind::procfs;
  opened.mechanism = Mechanism::poll;
  opened.ordered = true;
  opened.self_test_seen = self.has_value();  // the tracer itself is in the list that is looked at
  opened.outcomes.push_back({"look at all processes", true, {}});
  auto backend = std::make_unique<ProcessScan>(std::move(options), *std::move(proc), numbering, std::move(ready),
                                               self.value_or(0));
  if (auto begun = backend->begin(); !begun) return std::unexpected(begun.error());
  opened.backend = std::move(backend);
  return opened;
}

}  // namespace tracer
