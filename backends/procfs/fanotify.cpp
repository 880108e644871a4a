#include "backends/procfs/fanotify.h"

#include <fcntl.h>
#include <linux/fanotify.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "backends/procfs/fanotify_marks.h"
#include "backends/procfs/held_events.h"
#include "backends/procfs/mount_table.h"
#include "backends/procfs/open_files.h"
#include "backends/procfs/ownership.h"
#include "backends/procfs/pid_numbering.h"

namespace tracer {
namespace {

using procfs::ProcReader;

constexpr std::size_t events_per_read = 64;  // each comes with an open descriptor
constexpr std::size_t event_bytes = 24;      // sizeof(fanotify_event_metadata), version 3
constexpr std::uint64_t drain_ns_max = 20'000'000;
constexpr int failed_reads_max = 64;  // in a row, each of which costs an event

class FanotifyBackend final : public Backend {
 public:
  FanotifyBackend(FanotifyOptions options, ProcReader proc, procfs::NumberingFacts numbering, UniqueFd group)
      : options_(std::move(options)),
        proc_(std::move(proc)),
        numbering_(numbering),
        group_(std::move(group)),
        self_(static_cast<std::uint32_t>(::getpid())) {}

  // Whether an own open was told.
  [[nodiscard]] bool self_test();

  [[nodiscard]] int fd() const override { return group_.get(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override;
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  [[nodiscard]] BackendCounters counters() const override {
    BackendCounters counters;
    counters.delivered = delivered_;
    counters.unread = held_.size();
    counters.self_events = self_events_;
    counters.lost_ring_full = overflows_;
    counters.lost_user = unread_;
    counters.produced = delivered_ + held_.size() + self_events_ + overflows_ + unread_;
    return counters;
  }
  // Opens the tracer's own program.
  [[nodiscard]] Result<void> send_beat() override {
    if (!self_is_watched_) return fail(Errc::not_supported, "no file of the tracer's own is on a watched file system");
    const UniqueFd file(::open((options_.proc_root + "/self/exe").c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return std::unexpected(os_failure(errno, "open of the own program"));
    ++beats_.sent;
    return {};
  }
  [[nodiscard]] Beats beats() const override { return beats_; }

 private:
  enum class Read : std::uint8_t { nothing, some };
  [[nodiscard]] Result<Read> read_events();
  void take(const fanotify_event_metadata& metadata);
  void take_open(std::uint32_t tgid, int file);

  FanotifyOptions options_;
  ProcReader proc_;
  procfs::NumberingFacts numbering_;
  UniqueFd group_;
  std::uint32_t self_;
  bool self_is_watched_ = true;
  procfs::HeldEvents held_;
  std::uint64_t delivered_ = 0, self_events_ = 0;
  std::uint64_t overflows_ = 0, told_overflows_ = 0;
  std::uint64_t unread_ = 0, told_unread_ = 0;
  int failed_reads_ = 0;
  Beats beats_;
};

void FanotifyBackend::take_open(std::uint32_t tgid, int file) {
  const auto self = proc_.self();
  if (!self) return;
  const auto path = self->link(("fd/" + std::to_string(file)).c_str());
  if (!path) {
    ++unread_;
    return;
  }
  std::string root = "/";
  if (const auto process = tgid != 0 ? proc_.process(tgid) : std::unexpected(procfs::Refusal::gone)) {
    root = procfs::root_of(*process).value_or("/");
    (void)procfs::is_wanted(*process, tgid, numbering_, nullptr, options_.known.get());
  }
  if (tgid != 0) tgid = procfs::tgid_of_listed(numbering_, tgid);
  procfs::SeenFile seen = procfs::seen_file(*path, root);
  held_.push(EventTime{options_.now_ns()}, tgid, false, procfs::FoundOpen{std::move(seen), true});
}

void FanotifyBackend::take(const fanotify_event_metadata& metadata) {
  const UniqueFd file(metadata.fd);  // FAN_NOFD is -1
  if ((metadata.mask & FAN_Q_OVERFLOW) != 0) {
    ++overflows_;
    return;
  }
  if (!file) return;
  const auto tgid = static_cast<std::uint32_t>(metadata.pid);  // 0: in a pid namespace that the tracer does not see
  if (tgid == self_) {
    ++self_events_;
    beats_.seen = beats_.sent;
    return;
  }
  // It counts as the tracer does, and where this /proc does not, it says nothing of whoever has that number there.
  take_open(numbering_.proc_is_ours ? tgid : 0, file.get());
}

Result<FanotifyBackend::Read> FanotifyBackend::read_events() {
  alignas(fanotify_event_metadata) std::array<char, events_per_read * event_bytes> buffer;
  const ssize_t count = ::read(group_.get(), buffer.data(), buffer.size());
  if (count < 0 && errno == EAGAIN) return Read::nothing;
  if (count < 0 && errno == EINTR) return Read::some;
  if (count < 0) {
    // The kernel could not open the file for the tracer (it is gone from its server, say): that event is lost.
    ++unread_;
    if (++failed_reads_ >= failed_reads_max) return std::unexpected(os_failure(errno, "fanotify: read"));
    return Read::some;
  }
  failed_reads_ = 0;
  for (std::size_t at = 0; at + event_bytes <= static_cast<std::size_t>(count);) {
    fanotify_event_metadata metadata;
    std::memcpy(&metadata, buffer.data() + at, sizeof metadata);
    if (metadata.vers != FANOTIFY_METADATA_VERSION || metadata.event_len < event_bytes)
      return fail(Errc::not_supported, "fanotify: this kernel tells events in another form");
    take(metadata);
    at += metadata.event_len;
  }
  return Read::some;
}

Result<Drained> FanotifyBackend::drain(EventHandler& handler, std::size_t budget) {
  const std::uint64_t began_ns = options_.now_ns();
  for (;;) {
    const std::size_t handed = held_.hand_out(handler, budget);
    budget -= handed;
    delivered_ += handed;
    const std::uint64_t now_ns = options_.now_ns();
    if (const std::uint64_t lost = overflows_ - std::exchange(told_overflows_, overflows_); lost > 0)
      handler.on_event({EventTime{now_ns}, {}, Lost{lost, GapCause::ring_full}});
    if (const std::uint64_t lost = unread_ - std::exchange(told_unread_, unread_); lost > 0)
      handler.on_event({EventTime{now_ns}, {}, Lost{lost, GapCause::fault}});
    if (budget == 0 || now_ns - began_ns >= drain_ns_max) return Drained::more;
    const auto read = read_events();
    if (!read) return std::unexpected(read.error());
    if (*read == Read::nothing) return Drained::idle;
  }
}

bool FanotifyBackend::self_test() {
  if (!send_beat()) return false;
  const std::uint64_t until_ns = options_.now_ns() + options_.self_test_ns_max;
  while (options_.now_ns() < until_ns) {
    const auto read = read_events();
    if (!read) return false;
    if (beats_.seen == beats_.sent) break;
    pollfd wait{group_.get(), POLLIN, 0};
    constexpr int wait_ms = 10;
    if (*read == Read::nothing) (void)::poll(&wait, 1, wait_ms);
  }
  self_is_watched_ = beats_.seen == beats_.sent;
  beats_ = {};
  return self_is_watched_;
}

// What it sees of no file, as planned.
constexpr std::array<std::string_view, 2> never_known{"errno", "flags"};

}  // namespace

Result<OpenedBackend> open_fanotify(FanotifyOptions options) {
  if (!options.now_ns) options.now_ns = procfs::monotonic_now_ns;
  auto proc = ProcReader::open(options.proc_root);
  if (!proc) return std::unexpected(proc.error());
  const auto self = proc->self();
  if (!self) return fail(Errc::not_found, "fanotify: this /proc does not show the tracer itself");
  const auto mounts = procfs::list_mounts(*self);
  if (!mounts) return fail(Errc::not_found, "fanotify: what is mounted cannot be read");
  // A file is opened for the tracer with these flags, and by them its file system waits for nobody.
  constexpr unsigned file_flags = O_RDONLY | O_LARGEFILE | O_CLOEXEC | O_NONBLOCK | O_NOATIME;
  constexpr unsigned group_flags = FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_CLOEXEC;
  UniqueFd group(static_cast<int>(::syscall(SYS_fanotify_init, group_flags, file_flags)));
  if (!group) return std::unexpected(os_failure(errno, "fanotify"));
  auto marked = procfs::mark_mounts(group.get(), procfs::mounts_to_mark(*mounts), options.marks_max);
  if (marked.marked == 0) {
    const std::string why = marked.outcomes.empty() ? "none is mounted" : marked.outcomes.front().reason;
    return fail(Errc::not_supported, "fanotify: no file system can be watched: " + why);
  }

  OpenedBackend opened;
  opened.kind = BackendKind::procfs;
  opened.mechanism = Mechanism::fanotify;
  opened.missing.assign(never_known.begin(), never_known.end());
  opened.outcomes.push_back(
      {"opens on " + std::to_string(marked.marked) + (marked.whole_file_systems ? " file systems" : " mounts"),
       true,
       {}});
  opened.outcomes.insert(opened.outcomes.end(), std::make_move_iterator(marked.outcomes.begin()),
                         std::make_move_iterator(marked.outcomes.end()));
  const auto numbering = procfs::find_numbering(*proc, static_cast<std::uint32_t>(::getpid()));
  auto backend = std::make_unique<FanotifyBackend>(std::move(options), *std::move(proc), numbering, std::move(group));
  opened.self_test_seen = backend->self_test();
  opened.backend = std::move(backend);
  return opened;
}

}  // namespace tracer
