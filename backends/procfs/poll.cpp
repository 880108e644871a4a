#include "backends/procfs/poll.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <memory>
#include <utility>

#include "core/base/unique_fd.h"

namespace tracer {
namespace {

class PollPair final : public Backend {
 public:
  PollPair(std::unique_ptr<Backend> processes, std::unique_ptr<Backend> files, UniqueFd epoll)
      : parts_{std::move(processes), std::move(files)}, epoll_(std::move(epoll)) {}

  [[nodiscard]] int fd() const override { return epoll_.get(); }
  // Processes first: their files are told of who is known.
  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override {
    Drained all = Drained::idle;
    for (const auto& part : parts_) {
      const auto drained = part->drain(handler, std::max<std::size_t>(budget / parts_.size(), 1));
      if (!drained) return drained;
      if (*drained == Drained::more) all = Drained::more;
    }
    return all;
  }
  void set_verdict(FlowId, Direction, StreamVerdict) override {}
  [[nodiscard]] BackendCounters counters() const override {
    BackendCounters sum;
    for (const auto& part : parts_) {
      const BackendCounters counters = part->counters();
      sum.produced += counters.produced;
      sum.delivered += counters.delivered;
      sum.unread += counters.unread;
      sum.lost_ring_full += counters.lost_ring_full;
      sum.lost_user += counters.lost_user;
      sum.self_events += counters.self_events;
    }
    return sum;
  }
  [[nodiscard]] Result<void> send_beat() override {
    for (const auto& part : parts_)
      if (auto sent = part->send_beat(); !sent) return sent;
    return {};
  }
  [[nodiscard]] Beats beats() const override {
    const Beats one = parts_[0]->beats(), other = parts_[1]->beats();
    return {std::min(one.sent, other.sent), std::min(one.seen, other.seen)};  // dead if either is
  }
  [[nodiscard]] std::vector<BlindSpot> blind() const override {
    std::vector<BlindSpot> all;
    for (const auto& part : parts_) {
      auto blind = part->blind();
      all.insert(all.end(), blind.begin(), blind.end());
    }
    return all;
  }

 private:
  std::array<std::unique_ptr<Backend>, 2> parts_;
  UniqueFd epoll_;
};

template <typename T>
void append(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

Result<OpenedBackend> open_poll(PollOptions options) {
  const auto wants = [&](Facet facet) {
    return std::ranges::find(options.files.facets, facet) != options.files.facets.end();
  };
  if (!wants(Facet::file) && !wants(Facet::library)) return open_process_poll(std::move(options.processes));
  if (!wants(Facet::process)) return open_file_poll(std::move(options.files));

  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return std::unexpected(os_failure(errno, "polling: epoll"));
  auto processes = open_process_poll(std::move(options.processes));
  if (!processes) return processes;
  auto files = open_file_poll(std::move(options.files));
  if (!files) return files;
  for (const Backend* part : {processes->backend.get(), files->backend.get()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, part->fd(), &event) != 0)
      return std::unexpected(os_failure(errno, "polling: epoll_ctl"));
  }
  OpenedBackend both = *std::move(processes);
  append(both.outcomes, files->outcomes);
  append(both.missing, files->missing);
  both.self_test_seen = both.self_test_seen && files->self_test_seen;
  both.backend = std::make_unique<PollPair>(std::move(both.backend), std::move(files->backend), std::move(epoll));
  return both;
}

}  // namespace tracer
