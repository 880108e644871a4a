#include "backends/procfs/file_poll.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "backends/procfs/held_events.h"
#include "backends/procfs/known_files.h"
#include "backends/procfs/ownership.h"
#include "backends/procfs/pid_numbering.h"
#include "backends/procfs/proc_connector.h"

namespace tracer {
namespace {

using procfs::ProcConnector;
using procfs::ProcessLook;
using procfs::ProcessMessage;
using procfs::ProcReader;
using procfs::SeenFile;

constexpr std::uint64_t drain_ns_max = 20'000'000;
constexpr std::size_t messages_per_drain_max = 256;
constexpr std::size_t newcomers_max = 1024;  // looks that are due soon; further ones wait for the regular look
// After the exec: the loader, what main() opens, what comes a little later.
constexpr std::array<std::uint64_t, 4> newcomer_looks_ns{2'000'000, 20'000'000, 80'000'000, 200'000'000};

class FilePollBackend final : public Backend {
 public:
  FilePollBackend(FilePollOptions options, ProcReader proc, procfs::NumberingFacts numbering,
                  std::optional<ProcConnector> connector, std::uint32_t self)
      : options_(std::move(options)),
        proc_(std::move(proc)),
        numbering_(numbering),
        connector_(std::move(connector)),
        self_(self),
        wants_libraries_(wants(Facet::library)),
        wants_files_(wants(Facet::file)),
        known_(options_.known_max) {}

  [[nodiscard]] Result<void> begin();

  [[nodiscard]] int fd() const override { return epoll_.get(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override;
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  [[nodiscard]] BackendCounters counters() const override {
    BackendCounters counters;
    counters.delivered = delivered_;
    counters.unread = held_.size();
    counters.lost_user = known_.over_limit();
    counters.produced = delivered_ + held_.size() + counters.lost_user;
    return counters;
  }
  // A list of the processes now: it must hold the tracer itself.
  [[nodiscard]] Result<void> send_beat() override {
    ++beats_.sent;
    if (pids_.empty()) next_look_ns_ = 0;
    rearm(0);
    return {};
  }
  [[nodiscard]] Beats beats() const override { return beats_; }
  [[nodiscard]] std::vector<BlindSpot> blind() const override {
    return {{"unreadable_processes", unreadable_},
            {"scan_process_limit", over_process_limit_},
            {"scan_descriptor_limit", over_descriptor_limit_},
            {"scan_maps_limit", over_maps_limit_}};
  }

 private:
  struct Newcomer {
    std::uint32_t pid = 0;
    std::uint64_t began_ns = 0;
    std::size_t looks = 0;
    [[nodiscard]] std::uint64_t due_ns() const { return began_ns + newcomer_looks_ns[looks]; }
  };

  [[nodiscard]] bool wants(Facet facet) const {
    return std::ranges::find(options_.facets, facet) != options_.facets.end();
  }
  [[nodiscard]] Result<void> begin_round();
  void end_round();
  [[nodiscard]] bool step();
  [[nodiscard]] std::optional<std::uint32_t> next_pid();
  [[nodiscard]] bool begin_look(std::uint32_t pid);
  void end_look();
  void hear();
  void rearm(std::uint64_t wait_ns) {
    itimerspec when{};
    when.it_value.tv_sec = static_cast<time_t>(wait_ns / 1'000'000'000);
    when.it_value.tv_nsec = static_cast<long>(std::max<std::uint64_t>(wait_ns % 1'000'000'000, 1));
    (void)::timerfd_settime(timer_.get(), 0, &when, nullptr);
  }
  void rearm_for_next();

  FilePollOptions options_;
  ProcReader proc_;
  procfs::NumberingFacts numbering_;
  std::optional<ProcConnector> connector_;
  std::uint32_t self_;
  bool wants_libraries_, wants_files_;
  UniqueFd timer_, epoll_;
  procfs::KnownFiles known_;
  procfs::HeldEvents held_;
  std::vector<std::uint32_t> pids_;  // of the round that goes on, the next at the end
  bool first_round_ = true, in_round_ = false;
  std::uint64_t round_work_ns_ = 0, next_look_ns_ = 0;
  std::deque<Newcomer> newcomers_;
  std::optional<ProcessLook> current_;
  bool silent_ = false;  // what the current look finds was there before
  std::vector<SeenFile> mapped_, opened_;
  std::vector<ProcessMessage> messages_;
  std::uint64_t delivered_ = 0;
  std::uint64_t unreadable_ = 0, over_process_limit_ = 0, over_descriptor_limit_ = 0, over_maps_limit_ = 0;
  Beats beats_;
};

Result<void> FilePollBackend::begin() {
  timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!timer_ || !epoll_) return std::unexpected(os_failure(errno, "polling of files: timerfd or epoll"));
  const auto wait_on = [&](int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  };
  if (!wait_on(timer_.get()) || (connector_ && !wait_on(connector_->fd())))
    return std::unexpected(os_failure(errno, "polling of files: epoll_ctl"));
  if (auto begun = begin_round(); !begun) return begun;
  if (std::ranges::find(pids_, self_) == pids_.end())
    return fail(Errc::not_found, "polling of files: this /proc does not show the tracer itself");
  // The whole of the first round now: what comes after this is new.
  while (step()) {
  }
  end_round();
  return {};
}

Result<void> FilePollBackend::begin_round() {
  pids_.clear();
  const auto over_limit = proc_.pids(pids_, options_.processes_max);
  if (!over_limit) return std::unexpected(over_limit.error());
  over_process_limit_ = std::max<std::uint64_t>(over_process_limit_, *over_limit);
  if (std::ranges::find(pids_, self_) != pids_.end()) beats_.seen = beats_.sent;
  in_round_ = true;
  round_work_ns_ = 0;
  return {};
}

void FilePollBackend::end_round() {
  in_round_ = false;
  first_round_ = false;
  known_.forget_others();
  next_look_ns_ = options_.now_ns() + std::max(options_.interval_ns, round_work_ns_ * options_.cost_factor);
  rearm_for_next();
}

void FilePollBackend::rearm_for_next() {
  std::uint64_t due_ns = next_look_ns_;
  for (const Newcomer& newcomer : newcomers_) due_ns = std::min(due_ns, newcomer.due_ns());
  const std::uint64_t now_ns = options_.now_ns();
  rearm(due_ns > now_ns ? due_ns - now_ns : 0);
}

void FilePollBackend::hear() {
  if (!connector_) return;
  messages_.clear();
  (void)connector_->read(messages_, messages_per_drain_max);  // a message too few is a look that comes later
  const std::uint64_t now_ns = options_.now_ns();
  for (const ProcessMessage& message : messages_) {
    if (message.kind == ProcessMessage::Kind::exited)
      std::erase_if(newcomers_, [&](const Newcomer& newcomer) { return newcomer.pid == message.tgid; });
    if (message.kind != ProcessMessage::Kind::execed) continue;
    if (!current_ || current_->pid() != message.tgid) known_.forget(message.tgid);  // all that it had is another's now
    if (newcomers_.size() < newcomers_max) newcomers_.push_back({message.tgid, now_ns});
  }
}

std::optional<std::uint32_t> FilePollBackend::next_pid() {
  const std::uint64_t now_ns = options_.now_ns();
  const auto due = std::ranges::find_if(newcomers_, [&](const Newcomer& one) { return one.due_ns() <= now_ns; });
  if (due != newcomers_.end()) {
    const std::uint32_t pid = due->pid;
    // Looks that were missed are not made up for.
    due->looks = static_cast<std::size_t>(std::ranges::count_if(
        newcomer_looks_ns, [&](std::uint64_t after_ns) { return due->began_ns + after_ns <= now_ns; }));
    if (due->looks == newcomer_looks_ns.size()) newcomers_.erase(due);
    return pid;
  }
  if (pids_.empty()) return std::nullopt;
  const std::uint32_t pid = pids_.back();
  pids_.pop_back();
  return pid;
}

bool FilePollBackend::begin_look(std::uint32_t pid) {
  auto directory = proc_.process(pid);
  if (!directory) return false;
  const auto stat = directory->stat();
  if (!stat) return false;
  if (!procfs::is_wanted(*directory, pid, numbering_, options_.processes, options_.known.get())) return false;
  silent_ = first_round_;
  const bool is_new = known_.begin(pid, stat->start_ticks, directory->executable().value_or(std::string{}));
  current_.emplace(pid, procfs::tgid_of_listed(numbering_, pid), *std::move(directory), EventTime{options_.now_ns()});
  current_->begin(wants_libraries_, wants_files_, options_.limits);
  if (is_new && current_->refused()) ++unreadable_;
  return true;
}

void FilePollBackend::end_look() {
  over_descriptor_limit_ = std::max<std::uint64_t>(over_descriptor_limit_, current_->descriptors_left_out());
  if (current_->maps_cut()) over_maps_limit_ = std::max<std::uint64_t>(over_maps_limit_, 1);
  known_.end(current_->pid());
  current_.reset();
}

// One small piece of the work; false: nothing is due.
bool FilePollBackend::step() {
  if (!current_) {
    const auto pid = next_pid();
    if (!pid) return false;
    if (*pid != self_) (void)begin_look(*pid);
    return true;
  }
  const std::uint32_t pid = current_->pid();
  const auto is_known = [&](int fd, std::string_view path) { return !known_.note(pid, fd, path); };
  const bool more = current_->step(mapped_, opened_, is_known);
  for (SeenFile& file : mapped_)
    if (known_.note(pid, -1, file.path) && !silent_)
      held_.push(current_->at(), current_->tgid(), false, procfs::FoundMapping{std::move(file)});
  for (SeenFile& file : opened_)
    if (!silent_) held_.push(current_->at(), current_->tgid(), false, procfs::FoundOpen{std::move(file), true});
  mapped_.clear();
  opened_.clear();
  if (!more) end_look();
  return true;
}

Result<Drained> FilePollBackend::drain(EventHandler& handler, std::size_t budget) {
  const std::uint64_t began_ns = options_.now_ns();
  std::array<std::uint64_t, 1> expirations;
  (void)!::read(timer_.get(), expirations.data(), sizeof expirations);
  hear();
  if (!in_round_ && began_ns >= next_look_ns_) {
    if (auto begun = begin_round(); !begun) return std::unexpected(begun.error());
  }
  bool is_idle = false;
  for (;;) {
    const std::size_t handed = held_.hand_out(handler, budget);
    budget -= handed;
    delivered_ += handed;
    if (!held_.empty() || budget == 0 || options_.now_ns() - began_ns >= drain_ns_max) break;
    if (!step()) {
      is_idle = true;
      break;
    }
  }
  round_work_ns_ += options_.now_ns() - began_ns;
  if (!is_idle) return Drained::more;
  if (in_round_) {
    end_round();
  } else {
    rearm_for_next();
  }
  return Drained::idle;
}

constexpr std::array<std::string_view, 1> never_known{"errno"};

}  // namespace

Result<OpenedBackend> open_file_poll(FilePollOptions options) {
  if (!options.now_ns) options.now_ns = procfs::monotonic_now_ns;
  auto proc = ProcReader::open(options.proc_root);
  if (!proc) return std::unexpected(proc.error());
  const auto self = proc->self_pid();
  if (!self) return fail(Errc::not_found, "polling of files: this /proc does not show the tracer itself");
  const auto numbering = procfs::find_numbering(*proc, static_cast<std::uint32_t>(::getpid()));

  if (!numbering.proc_is_initial && !numbering.proc_is_ours)
    return fail(Errc::not_supported, "polling of files: this /proc counts processes otherwise than the tracer does");

  OpenedBackend opened;
  opened.kind = BackendKind::procfs;
  opened.mechanism = Mechanism::poll;
  opened.missing.assign(never_known.begin(), never_known.end());
  opened.outcomes.push_back({"open and mapped files", true, {}});
  std::optional<ProcConnector> connector;
  std::string why_no_connector = "switched off by request";
  if (options.use_proc_events) {
    why_no_connector = "it counts processes otherwise than this /proc";
    if (numbering.proc_is_initial) {
      auto made = ProcConnector::open(options.self_test_ns_max);
      if (made) connector.emplace(*std::move(made));
      if (!made) why_no_connector = made.error().context;
    }
  }
  opened.outcomes.push_back(
      {"early looks at new programs", connector.has_value(), connector ? std::string{} : std::move(why_no_connector)});
  opened.outcomes.push_back(
      {"opens between two looks", false, "what is opened and closed between two looks at /proc is not seen"});
  auto backend =
      std::make_unique<FilePollBackend>(std::move(options), *std::move(proc), numbering, std::move(connector), *self);
  if (auto begun = backend->begin(); !begun) return std::unexpected(begun.error());
  opened.self_test_seen = true;  // the first list held the tracer itself
  opened.backend = std::move(backend);
  return opened;
}

}  // namespace tracer
