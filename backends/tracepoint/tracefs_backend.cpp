#include "backends/tracepoint/tracefs_backend.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "backends/bpf/thread_beat.h"
#include "core/base/unique_fd.h"

namespace tracer {
namespace {

constexpr std::uint64_t self_test_patience_ns = 500'000'000;
constexpr useconds_t self_test_pause_us = 2'000;
// Longer than any machine runs: nothing leaves the window by itself.
constexpr ReorderLimits as_long_as_told{.window_ns = std::uint64_t{1} << 62U,
                                        .events_max = std::numeric_limits<std::size_t>::max(),
                                        .bytes_max = std::numeric_limits<std::size_t>::max()};

std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

// A socket that listens for a moment, at an address of this machine only: no packet is sent.
Result<void> listen_shortly() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return std::unexpected(os_failure(errno, "heartbeat: socket"));
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));  // loopback may be down
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return std::unexpected(os_failure(errno, "heartbeat: bind"));
  if (::listen(socket.get(), 1) != 0) return std::unexpected(os_failure(errno, "heartbeat: listen"));
  return {};
}

}  // namespace

TracefsBackend::TracefsBackend(std::unique_ptr<TraceReader> reader, std::unique_ptr<TraceLayout> layout,
                               TraceDecoderOptions options, std::uint32_t beat_parts)
    : reader_(std::move(reader)),
      layout_(std::move(layout)),
      decoder_(*layout_, std::move(options), monotonic_ns),
      beat_parts_(beat_parts),
      beats_(beat_parts),
      decoded_(forward_, ReorderWindow::Input::unordered, as_long_as_told) {}

Result<void> TracefsBackend::send_beat() {
  beats_.sent(monotonic_ns());
  if ((beat_parts_ & beat_thread) != 0) ThreadBeat().send(0);
  if ((beat_parts_ & beat_open) != 0) ::syscall(SYS_openat, AT_FDCWD, nullptr, O_RDONLY, 0);  // fails with EFAULT
  if ((beat_parts_ & beat_socket) != 0) return listen_shortly();
  return {};
}

Result<void> TracefsBackend::run_self_test() {
  const std::uint64_t deadline = monotonic_ns() + self_test_patience_ns;
  while (monotonic_ns() < deadline) {
    if (auto sent = send_beat(); !sent) return sent;
    if (auto filled = fill(); !filled) return filled;
    if (beats_.beats().seen > 0) {
      beats_ = BeatLog(beat_parts_);  // those of the test are over
      return {};
    }
    ::usleep(self_test_pause_us);
  }
  return fail(Errc::not_supported, "self-test: the events are switched on but an own one did not come back");
}

void TracefsBackend::on_trace(const TraceRecord& record) {
  ++counters_.produced;
  if (const std::uint32_t part = decoder_.beat_part(record)) beats_.answered(record.at_ns, part);
  waiting_.push_back({record.at_ns, record.who, bytes_.size(), record.raw.size()});
  bytes_.insert(bytes_.end(), record.raw.begin(), record.raw.end());
}

void TracefsBackend::on_lost(std::uint64_t records) {
  counters_.produced += records;
  counters_.lost_ring_full += records;
  lost_to_tell_ += records;
}

// A record made before the reading began is in its buffer by then, so everything older than that moment can be handed
// over in order; the rest waits.
Result<void> TracefsBackend::fill() {
  complete_until_ns_ = monotonic_ns();
  if (auto read = reader_->read(*this); !read) return read;
  std::ranges::sort(waiting_, {}, [](const Waiting& each) { return std::pair(each.at_ns, each.at); });
  ready_ = static_cast<std::size_t>(std::ranges::upper_bound(waiting_, complete_until_ns_, {}, &Waiting::at_ns) -
                                    waiting_.begin());
  return {};
}

void TracefsBackend::drop_delivered() {
  std::vector<std::byte> bytes;
  std::vector<Waiting> waiting;
  for (std::size_t i = next_; i < waiting_.size(); ++i) {
    const Bytes record = Bytes(bytes_).subspan(waiting_[i].at, waiting_[i].size);
    waiting.push_back({waiting_[i].at_ns, waiting_[i].who, bytes.size(), record.size()});
    bytes.insert(bytes.end(), record.begin(), record.end());
  }
  bytes_.swap(bytes);
  waiting_.swap(waiting);
  next_ = ready_ = 0;
}

Result<Drained> TracefsBackend::drain(EventHandler& handler, std::size_t budget) {
  if (next_ == ready_) {
    drop_delivered();
    if (auto filled = fill(); !filled) return std::unexpected(filled.error());
  }
  forward_.to = &handler;
  if (lost_to_tell_ != 0) {
    Event event;
    event.at = {complete_until_ns_};
    event.body = Lost{std::exchange(lost_to_tell_, 0), GapCause::ring_full};
    decoded_.on_event(event);
  }
  for (; next_ < ready_ && budget > 0; ++next_, --budget) {
    const Waiting& each = waiting_[next_];
    const TraceRecord record{each.at_ns, each.who, Bytes(bytes_).subspan(each.at, each.size)};
    if (decoder_.decode(record, decoded_))
      ++counters_.delivered;
    else
      ++counters_.lost_user;
  }
  if (next_ == ready_) decoder_.settle(complete_until_ns_, decoded_);
  hand_over();
  if (next_ < ready_) return Drained::more;
  // What came while this was read, and opens whose path was just looked up, need one more reading.
  again_ = !again_ && (ready_ < waiting_.size() || decoder_.waiting_since());
  return again_ ? Drained::more : Drained::idle;
}

// What is older than the oldest open whose path is not certain yet.
void TracefsBackend::hand_over() {
  const auto waiting_since_ns = decoder_.waiting_since();
  if (!waiting_since_ns) return decoded_.flush();
  decoded_.advance({*waiting_since_ns - 1 + as_long_as_told.window_ns});
}

BackendCounters TracefsBackend::counters() const {
  BackendCounters out = counters_;
  out.lost_user += reader_->malformed() + decoder_.opens().calls_dropped;
  out.unread = waiting_.size() - next_;
  out.self_events = decoder_.self_events();
  out.flows_untracked = decoder_.flows_untracked();
  return out;
}

}  // namespace tracer
