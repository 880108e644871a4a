#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <utility>

#include "backends/procfs/proc_events.h"
#include "backends/procfs/process_facts.h"
#include "backends/procfs/process_listing.h"

namespace tracer {
namespace {

using procfs::ListedProcess;
using procfs::ProcessChange;
using procfs::ProcReader;

class ProcessPollBackend final : public Backend {
 public:
  ProcessPollBackend(ProcEventsOptions options, ProcReader proc)
      : options_(std::move(options)), proc_(std::move(proc)) {}

  [[nodiscard]] Result<void> begin() {
    timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!timer_) return std::unexpected(os_failure(errno, "polling of processes: timerfd"));
    const auto self = proc_.self_pid();
    if (!self) return fail(Errc::not_found, "polling of processes: this /proc does not show the tracer itself");
    self_ = *self;
    if (auto looked = look(); !looked) return looked;
    rearm(options_.interval_ns);
    return {};
  }

  [[nodiscard]] int fd() const override { return timer_.get(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override;
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  [[nodiscard]] BackendCounters counters() const override {
    BackendCounters counters;
    counters.produced = counters.delivered = delivered_;
    return counters;
  }
  // A look now: it must find the tracer itself.
  [[nodiscard]] Result<void> send_beat() override {
    ++beats_.sent;
    next_look_ns_ = 0;
    rearm(0);
    return {};
  }
  [[nodiscard]] Beats beats() const override { return beats_; }

 private:
  [[nodiscard]] Result<void> look();
  void hand(const ProcessChange& change, EventHandler& handler);
  void rearm(std::uint64_t wait_ns) {
    itimerspec when{};
    when.it_value.tv_sec = static_cast<time_t>(wait_ns / 1'000'000'000);
    when.it_value.tv_nsec = static_cast<long>(std::max<std::uint64_t>(wait_ns % 1'000'000'000, 1));
    (void)::timerfd_settime(timer_.get(), 0, &when, nullptr);
  }

  ProcEventsOptions options_;
  ProcReader proc_;
  UniqueFd timer_;
  std::uint32_t self_ = 0;
  procfs::ProcessListing listing_;
  std::deque<ProcessChange> changes_;  // of the last look
  EventTime looked_at_;
  std::uint64_t next_look_ns_ = 0;
  std::uint64_t delivered_ = 0;
  Beats beats_;
};

Result<void> ProcessPollBackend::look() {
  looked_at_ = EventTime{options_.now_ns()};
  next_look_ns_ = looked_at_.ns + options_.interval_ns;
  std::vector<std::uint32_t> pids;
  const auto over_limit = proc_.pids(pids, options_.processes_max);
  if (!over_limit) return std::unexpected(over_limit.error());
  std::vector<ListedProcess> processes;
  for (const std::uint32_t pid : pids) {
    const auto directory = proc_.process(pid);
    if (!directory) continue;
    auto stat = directory->stat();
    if (stat) processes.push_back({pid, stat->parent, stat->start_ticks, std::move(stat->comm)});
  }
  const bool complete = std::ranges::find(processes, self_, &ListedProcess::pid) != processes.end();
  if (complete) beats_.seen = beats_.sent;
  const auto changes = listing_.update(processes);
  changes_.insert(changes_.end(), changes.begin(), changes.end());
  return {};
}

void ProcessPollBackend::hand(const ProcessChange& change, EventHandler& handler) {
  const ProcessRef who{change.pid, change.pid};
  if (change.kind == ProcessChange::Kind::ended) {
    options_.processes->exited(change.pid, looked_at_.ns);
    ++delivered_;
    handler.on_event({looked_at_, who, ProcessExited{}});
    return;
  }
  const auto directory = proc_.process(change.pid);
  const auto process = directory ? procfs::read_started(*directory, change.pid, change.pid, true) : std::nullopt;
  if (!process) return;  // gone again: the next look says so
  // A child that is what its parent is has not called exec, as far as can be told.
  const ProcessFacts* before =
      options_.processes->find(change.kind == ProcessChange::Kind::begun ? change.parent : change.pid);
  const bool same_image = before != nullptr && before->executable == process->facts.executable &&
                          (change.kind == ProcessChange::Kind::renamed || before->comm == process->facts.comm);
  if (change.kind == ProcessChange::Kind::begun) {
    ++delivered_;
    handler.on_event({looked_at_, {change.parent, change.parent}, ProcessForked{change.pid}});
  }
  if (!same_image) {
    ProcessStarted started = procfs::started_event(*process);
    started.parent_tgid = change.parent;
    ++delivered_;
    handler.on_event({looked_at_, who, started});
  }
  options_.processes->note(process->facts);
}

Result<Drained> ProcessPollBackend::drain(EventHandler& handler, std::size_t budget) {
  if (changes_.empty() && options_.now_ns() >= next_look_ns_) {
    std::array<std::uint64_t, 1> expirations;
    (void)!::read(timer_.get(), expirations.data(), sizeof expirations);
    if (auto looked = look(); !looked) return std::unexpected(looked.error());
    rearm(options_.interval_ns);
  }
  for (std::size_t handed = 0; handed < budget && !changes_.empty(); ++handed) {
    const ProcessChange change = changes_.front();
    changes_.pop_front();
    hand(change, handler);
  }
  return changes_.empty() ? Drained::idle : Drained::more;
}

constexpr std::array<std::string_view, 2> never_known{"exit_code", "signal"};

}  // namespace

Result<OpenedBackend> open_process_poll(ProcEventsOptions options) {
  auto proc = ProcReader::open(options.proc_root);
  if (!proc) return std::unexpected(proc.error());
  if (!options.processes) options.processes = std::make_shared<procfs::ProcessCache>();

  OpenedBackend opened;
  opened.kind = BackendKind::procfs;
  opened.mechanism = Mechanism::poll;
  opened.missing.assign(never_known.begin(), never_known.end());
  opened.outcomes.push_back({"list of processes", true, {}});
  auto backend = std::make_unique<ProcessPollBackend>(std::move(options), *std::move(proc));
  if (auto begun = backend->begin(); !begun) return std::unexpected(begun.error());
  opened.self_test_seen = true;  // the first look found the tracer itself
  opened.backend = std::move(backend);
  return opened;
}

}  // namespace tracer
