#include "backends/procfs/proc_events.h"

#include <unistd.h>

#include <utility>

#include "backends/procfs/pid_numbering.h"
#include "backends/procfs/proc_connector.h"
#include "backends/procfs/process_facts.h"

namespace tracer {
namespace {

using procfs::ProcConnector;
using procfs::ProcessMessage;
using procfs::ProcReader;

class ProcEventsBackend final : public Backend {
 public:
  ProcEventsBackend(ProcEventsOptions options, ProcReader proc, bool proc_is_ours, ProcConnector connector)
      : options_(std::move(options)),
        proc_(std::move(proc)),
        proc_is_ours_(proc_is_ours),
        connector_(std::move(connector)),
        self_(static_cast<std::uint32_t>(::getpid())) {}

  [[nodiscard]] int fd() const override { return connector_.fd(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override;
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  [[nodiscard]] BackendCounters counters() const override {
    BackendCounters counters;
    counters.produced = delivered_ + self_events_ + told_overflows_;
    counters.delivered = delivered_;
    counters.self_events = self_events_;
    counters.lost_ring_full = told_overflows_;
    return counters;
  }
  // Sets the own name to what it is: the kernel tells of that too.
  [[nodiscard]] Result<void> send_beat() override {
    ++beats_.sent;
    return ProcConnector::provoke();
  }
  [[nodiscard]] Beats beats() const override { return beats_; }

 private:
  void tell(const ProcessMessage& message, EventHandler& handler);
  void tell_started(const ProcessMessage& message, EventHandler& handler);
  void hand(const Event& event, EventHandler& handler) {
    ++delivered_;
    handler.on_event(event);
  }

  ProcEventsOptions options_;
  ProcReader proc_;
  bool proc_is_ours_;
  ProcConnector connector_;
  std::uint32_t self_;
  std::vector<ProcessMessage> messages_;
  std::uint64_t told_overflows_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t self_events_ = 0;
  Beats beats_;
};

void ProcEventsBackend::tell_started(const ProcessMessage& message, EventHandler& handler) {
  // What the message does not say is read at once; a process that is gone by now is told with what is left of it.
  procfs::StartedProcess process;
  if (const auto directory = proc_.process(message.tgid)) {
    if (auto read = procfs::read_started(*directory, message.tgid, message.tgid, proc_is_ours_)) {
      process = *std::move(read);
      options_.processes->note(process.facts);
    }
  }
  const ProcessStarted started = procfs::started_event(process);
  hand({EventTime{message.at_ns}, {message.tgid, message.tgid}, started}, handler);
}

void ProcEventsBackend::tell(const ProcessMessage& message, EventHandler& handler) {
  const EventTime at{message.at_ns};
  const ProcessRef who{message.tgid, message.tgid};
  switch (message.kind) {
    case ProcessMessage::Kind::forked:
      (void)options_.processes->forked(message.tgid, message.child_tgid);
      hand({at, who, ProcessForked{message.child_tgid}}, handler);
      break;
    case ProcessMessage::Kind::execed:
      tell_started(message, handler);
      break;
    case ProcessMessage::Kind::renamed:
      if (message.tgid == self_) {
        ++self_events_;
        if (beats_.seen < beats_.sent) ++beats_.seen;
      }
      break;
    case ProcessMessage::Kind::exited: {
      options_.processes->exited(message.tgid, options_.now_ns());
      const procfs::ExitReason reason = procfs::exit_reason_of(message.wait_status);
      hand({at, who, ProcessExited{reason.exit_code, reason.signal}}, handler);
      break;
    }
  }
}

Result<Drained> ProcEventsBackend::drain(EventHandler& handler, std::size_t budget) {
  messages_.clear();
  const auto more = connector_.read(messages_, budget);
  if (!more) return std::unexpected(more.error());
  for (const ProcessMessage& message : messages_) tell(message, handler);
  if (const std::uint64_t overflows = connector_.overflows(); overflows != told_overflows_) {
    const EventTime now{options_.now_ns()};
    handler.on_event({now, {}, Lost{overflows - told_overflows_, GapCause::ring_full}});
    told_overflows_ = overflows;
  }
  return *more ? Drained::more : Drained::idle;
}

}  // namespace

Result<OpenedBackend> open_proc_events(ProcEventsOptions options) {
  auto proc = ProcReader::open(options.proc_root);
  if (!proc) return std::unexpected(proc.error());
  const auto numbering = procfs::find_numbering(*proc, static_cast<std::uint32_t>(::getpid()));
  if (!numbering.proc_is_initial)
    return fail(Errc::not_supported, "proc connector: it counts processes otherwise than this /proc");
  auto connector = ProcConnector::open(options.self_test_ns_max);
  if (!connector) return std::unexpected(connector.error());
  if (!options.processes) options.processes = std::make_shared<procfs::ProcessCache>();

  OpenedBackend opened;
  opened.kind = BackendKind::procfs;
  opened.mechanism = Mechanism::proc_events;
  opened.outcomes.push_back({"proc connector", true, {}});
  opened.self_test_seen = true;
  opened.backend = std::make_unique<ProcEventsBackend>(std::move(options), *std::move(proc), numbering.proc_is_ours,
                                                       *std::move(connector));
  return opened;
}

}  // namespace tracer
