#include "backends/procfs/polling.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "backends/procfs/connection_watch.h"
#include "backends/procfs/destroy_watch.h"
#include "backends/procfs/sock_diag.h"
#include "backends/procfs/socket_lister.h"

namespace tracer {
namespace {

using procfs::ConnectionWatch;
using procfs::DestroyWatch;
using procfs::MeasuredSocket;
using procfs::ProcReader;
using procfs::SockDiag;

constexpr std::string_view connector_prefix = "proc connector: ";
constexpr std::size_t notices_per_read_max = 1024;
constexpr int failed_looks_max = 5;  // in a row; then the backend is broken

UniqueFd make_timer() { return UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)); }

void rearm(const UniqueFd& timer, std::uint64_t wait_ns) {
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(wait_ns / 1'000'000'000);
  when.it_value.tv_nsec = static_cast<long>(std::max<std::uint64_t>(wait_ns % 1'000'000'000, 1));
  (void)::timerfd_settime(timer.get(), 0, &when, nullptr);
}

Result<void> wait_on(const UniqueFd& epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return std::unexpected(os_failure(errno, "polling: epoll_ctl"));
}

// Where the sockets are listed: by sock_diag, else by /proc/net.
class SocketSource {
 public:
  SocketSource(ProcReader proc, std::uint64_t own_namespace, std::optional<SockDiag> sock_diag, std::size_t sockets_max)
      : proc_(std::move(proc)),
        own_namespace_(own_namespace),
        sock_diag_(std::move(sock_diag)),
        tables_(own_namespace, false, sockets_max),
        sockets_max_(sockets_max) {}

  [[nodiscard]] SockDiag* sock_diag() { return sock_diag_ ? &*sock_diag_ : nullptr; }
  // Answers whether the list is complete.
  [[nodiscard]] Result<bool> list(std::vector<MeasuredSocket>& found) {
    found.clear();
    if (sock_diag_) {
      const auto dump = sock_diag_->measure(found, sockets_max_);
      if (!dump) return std::unexpected(dump.error());
      over_limit_ += dump->over_limit;
      return dump->consistent && dump->over_limit == 0;
    }
    const auto self = proc_.self();
    if (!self) return fail(Errc::not_found, "this /proc does not show the tracer itself");
    const auto listed = tables_.list(own_namespace_, *self);
    if (!listed) return fail(Errc::not_found, "/proc/net/tcp cannot be read");
    for (const SocketFacts& socket : *listed) {
      MeasuredSocket one;
      one.listed.facts = socket;
      found.push_back(one);
    }
    over_limit_ = tables_.counters().sockets_over_limit;
    return listed->size() < sockets_max_;
  }
  [[nodiscard]] std::uint64_t over_limit() const { return over_limit_; }

 private:
  ProcReader proc_;
  std::uint64_t own_namespace_;
  std::optional<SockDiag> sock_diag_;
  procfs::SocketLister tables_;
  std::size_t sockets_max_;
  std::uint64_t over_limit_ = 0;
};

class PollingBackend final : public Backend, private procfs::SocketQuestions {
 public:
  PollingBackend(PollingOptions options, SocketSource source, std::optional<DestroyWatch> notices,
                 std::uint64_t network_namespace)
      : options_(std::move(options)),
        source_(std::move(source)),
        notices_(std::move(notices)),
        watch_({.network_namespace = network_namespace,
                .notices = notices_.has_value(),
                .connections_max = options_.sockets_max},
               *this, events_) {}

  [[nodiscard]] Result<void> begin() {
    timer_ = make_timer();
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!timer_ || !epoll_) return std::unexpected(os_failure(errno, "polling: timerfd or epoll"));
    if (auto added = wait_on(epoll_, timer_.get()); !added) return added;
    if (notices_) {
      if (auto added = wait_on(epoll_, notices_->fd()); !added) return added;
    }
    if (options_.owners && options_.owners->fd() >= 0) {
      if (auto added = wait_on(epoll_, options_.owners->fd()); !added) return added;
    }
    if (auto looked = look(); !looked) return looked;
    rearm_timer();
    return {};
  }

  [[nodiscard]] int fd() const override { return epoll_.get(); }
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override;
  void set_verdict(FlowId, Direction, StreamVerdict) override {}  // there are no bytes to want
  [[nodiscard]] BackendCounters counters() const override;
  // A look at all sockets now: it must come back with an answer.
  [[nodiscard]] Result<void> send_beat() override {
    ++beats_.sent;
    rearm(timer_, 0);
    return {};
  }
  [[nodiscard]] Beats beats() const override { return beats_; }

 private:
  [[nodiscard]] Result<void> look();
  [[nodiscard]] Result<bool> read_notices();
  void rearm_timer();

  [[nodiscard]] SocketOwner owner_of(const SocketFacts& socket, std::uint32_t uid) override {
    if (!options_.owners) return SocketOwner{};
    const bool uid_is_told = source_.sock_diag() != nullptr;
    return options_.owners->owner_of(socket, uid_is_told ? std::optional(uid) : std::nullopt);
  }
  [[nodiscard]] SocketOwner owner_of_closed(const Endpoint& local, const Endpoint& remote) override {
    return options_.owners ? options_.owners->owner_of_closed(local, remote) : SocketOwner{};
  }
  [[nodiscard]] std::optional<MeasuredSocket> now_at(const Endpoint& local, const Endpoint& remote) override {
    SockDiag* sock_diag = source_.sock_diag();
    if (sock_diag == nullptr) return std::nullopt;
    auto found = sock_diag->measure_one(local, remote);
    return found ? std::optional(*found) : std::nullopt;
  }

  PollingOptions options_;
  SocketSource source_;
  std::optional<DestroyWatch> notices_;
  procfs::EventQueue events_;
  ConnectionWatch watch_;
  UniqueFd timer_, epoll_;
  std::vector<MeasuredSocket> sockets_;
  std::uint64_t next_look_ns_ = 0;
  std::uint64_t look_cost_ns_ = 0;
  std::uint64_t told_overflows_ = 0;
  std::uint64_t delivered_ = 0;
  int failed_looks_ = 0;
  Beats beats_;
};

Result<void> PollingBackend::look() {
  const std::uint64_t began_ns = options_.now_ns();
  const auto complete = source_.list(sockets_);
  if (!complete) {
    next_look_ns_ = began_ns + options_.interval_ns;
    if (++failed_looks_ >= failed_looks_max || look_cost_ns_ == 0) return std::unexpected(complete.error());
    return {};
  }
  failed_looks_ = 0;
  watch_.look(sockets_, *complete, EventTime{began_ns});
  beats_.seen = beats_.sent;
  const std::uint64_t done_ns = options_.now_ns();
  look_cost_ns_ = std::max<std::uint64_t>(done_ns - began_ns, 1);
  next_look_ns_ = std::max(began_ns + options_.interval_ns, done_ns + look_cost_ns_ * options_.hurry_cost_factor);
  return {};
}

Result<bool> PollingBackend::read_notices() {
  if (!notices_) return false;
  sockets_.clear();
  const auto more = notices_->read(sockets_, notices_per_read_max);
  if (!more) return std::unexpected(more.error());
  const EventTime now{options_.now_ns()};
  watch_.destroyed(sockets_, now);
  if (const std::uint64_t overflows = notices_->overflows(); overflows != told_overflows_) {
    events_.push({now, {}, Lost{overflows - told_overflows_, GapCause::ring_full}});
    told_overflows_ = overflows;
  }
  return *more;
}

Result<Drained> PollingBackend::drain(EventHandler& handler, std::size_t budget) {
  if (events_.empty()) {
    std::array<std::uint64_t, 1> expirations;
    (void)!::read(timer_.get(), expirations.data(), sizeof expirations);
    if (options_.owners) {
      options_.owners->refresh();
      // A process that is new is likely to connect, and may be gone before the next regular look.
      const std::uint64_t began_ns = options_.owners->last_process_ns();
      if (options_.hurried_interval_ns != 0 && began_ns != 0 && options_.now_ns() < began_ns + options_.hurry_ns) {
        const std::uint64_t pause_ns =
            std::max(options_.hurried_interval_ns, look_cost_ns_ * options_.hurry_cost_factor);
        next_look_ns_ = std::min(next_look_ns_, options_.now_ns() + pause_ns);
      }
    }
    if (options_.now_ns() >= next_look_ns_ || beats_.seen != beats_.sent) {
      if (auto looked = look(); !looked) return std::unexpected(looked.error());
    }
    const auto more = read_notices();
    if (!more) return std::unexpected(more.error());
    rearm_timer();
    if (*more) rearm(timer_, 0);
  }
  delivered_ += events_.hand_out(handler, budget);
  return events_.empty() ? Drained::idle : Drained::more;
}

void PollingBackend::rearm_timer() {
  const std::uint64_t now_ns = options_.now_ns();
  rearm(timer_, next_look_ns_ > now_ns ? next_look_ns_ - now_ns : 0);
}

BackendCounters PollingBackend::counters() const {
  BackendCounters counters;
  counters.delivered = delivered_;
  counters.lost_ring_full = told_overflows_;
  counters.produced = delivered_ + told_overflows_;
  counters.flows_untracked = source_.over_limit() + watch_.over_limit();
  return counters;
}

// No byte is seen, so nobody can say what they mean.
constexpr std::array<std::string_view, 2> never_known{"protocol", "transactions"};
constexpr std::array<std::string_view, 4> never_known_of_tables{"client_to_server", "server_to_client", "rtt_ms",
                                                                "retransmits"};

// One that lists TCP sockets: the kernel's modules for it may not be loaded.
Result<SockDiag> open_sock_diag() {
  auto made = SockDiag::open();
  if (!made) return made;
  std::vector<procfs::ListedSocket> listeners;
  if (const auto tried = made->listeners(listeners, 1); !tried) return std::unexpected(tried.error());
  return made;
}

}  // namespace

Result<OpenedBackend> open_polling(PollingOptions options) {
  auto proc = ProcReader::open(options.proc_root);
  if (!proc) return std::unexpected(proc.error());
  const auto self = proc->self();
  const std::uint64_t own_namespace = self ? self->net_namespace().value_or(0) : 0;

  OpenedBackend opened;
  opened.kind = BackendKind::procfs;
  opened.mechanism = options.mechanism;
  opened.missing.assign(never_known.begin(), never_known.end());
  std::optional<SockDiag> sock_diag;
  std::optional<DestroyWatch> notices;
  std::string why_no_notices = "switched off by request";
  if (options.mechanism == Mechanism::sock_diag) {
    auto made = open_sock_diag();
    if (!made) return std::unexpected(made.error());
    sock_diag.emplace(*std::move(made));
    opened.outcomes.push_back({"sock_diag", true, {}});
    if (options.use_destroy_notices) {
      auto watch = DestroyWatch::open();
      if (watch) notices.emplace(*std::move(watch));
      if (!watch) why_no_notices = watch.error().context;
    }
  } else {
    opened.missing.insert(opened.missing.end(), never_known_of_tables.begin(), never_known_of_tables.end());
    opened.outcomes.push_back({"/proc/net/tcp", true, {}});
    why_no_notices = "only sock_diag has them: a connection that begins and ends between two looks is not seen";
  }
  opened.outcomes.push_back(
      {"notices of closed sockets", notices.has_value(), notices ? std::string{} : std::move(why_no_notices)});
  if (!options.owners) {
    SocketOwnersOptions of_owners;
    of_owners.proc_root = options.proc_root;
    of_owners.now_ns = options.now_ns;
    auto owners = ProcSocketOwners::open(std::move(of_owners));
    if (owners) options.owners = *std::move(owners);
    opened.outcomes.push_back({"socket owners", owners.has_value(), owners ? std::string{} : owners.error().context});
  }
  if (options.owners) {
    const auto& error = options.owners->proc_connector_error();
    std::string why_not = error ? error->context : std::string{};
    if (why_not.starts_with(connector_prefix)) why_not.erase(0, connector_prefix.size());  // the line names it already
    opened.outcomes.push_back({"proc connector", !error, std::move(why_not)});
  }

  SocketSource source(*std::move(proc), own_namespace, std::move(sock_diag), options.sockets_max);
  auto backend =
      std::make_unique<PollingBackend>(std::move(options), std::move(source), std::move(notices), own_namespace);
  if (auto begun = backend->begin(); !begun) return std::unexpected(begun.error());
  opened.self_test_seen = true;  // the first look was answered
  opened.backend = std::move(backend);
  return opened;
}

}  // namespace tracer
