// Mechanism af_packet: packets of one interface or of all, through libpcap's ring that is shared with the kernel.
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <memory>
#include <optional>
#include <utility>

#include "backends/pcap/capture_filter.h"
#include "backends/pcap/libpcap.h"
#include "backends/pcap/owner_asker.h"
#include "backends/pcap/packet_pump.h"
#include "backends/pcap/pcap_backend.h"
#include "core/base/unique_fd.h"

namespace tracer {
namespace {

constexpr int block_timeout_ms = 10;  // a part of the ring that is not full is handed over after this
constexpr int handshake_snapshot_bytes = 192;
constexpr int handshake_buffer_bytes = 256 * 1024;
constexpr int handshakes_per_drain_max = 256;
constexpr std::size_t packets_per_read_max = 256;
// A packet causes so many events at most in ordinary traffic; drain() may pass its budget by the rest of a read.
constexpr std::size_t events_per_packet = 4;
// The clock may run ahead of packets that still lie in the ring; holes wait for them.
constexpr std::uint64_t ring_age_ns = 100'000'000;
constexpr int self_test_ms = 500;

std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

class LiveBackend final : public Backend {
 public:
  LiveBackend(PcapHandle packets, const PcapOptions& options, std::uint64_t seed)
      : packets_(std::move(packets)),
        interface_(options.interface.empty() ? "all interfaces" : options.interface),
        link_(link_type_of(pcap_datalink(packets_.get()))),
        owners_(options.owners) {
    if (owners_ != nullptr) asker_.emplace(*owners_, options.limits, [] { return clock_ns(CLOCK_MONOTONIC); });
    pump_.emplace(options.limits, options.ports, seed, asker_ ? &*asker_ : nullptr);
    // Only from within drain(): handler_ is that of the call.
    pump_->tracker().set_loss_check([this] { return look_for_losses(*handler_); });
  }

  void take_beat(LoopbackBeat beat) { beat_.emplace(std::move(beat)); }
  void take_handshakes(PcapHandle handshakes) {
    handshakes_ = std::move(handshakes);
    handshake_link_ = link_type_of(pcap_datalink(handshakes_.get()));
  }
  [[nodiscard]] pcap_t& packets() { return *packets_; }
  [[nodiscard]] bool has_beat() const { return beat_.has_value(); }
  [[nodiscard]] std::uint16_t beat_port() const { return beat_ ? beat_->port() : 0; }

  [[nodiscard]] Result<void> wait_on_all() {
    epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) return std::unexpected(os_failure(errno, "epoll_create1"));
    if (handshakes_) timer_ = UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    const int sources[] = {timer_.get(), pcap_get_selectable_fd(packets_.get()),
                           handshakes_ ? pcap_get_selectable_fd(handshakes_.get()) : -1,
                           owners_ != nullptr ? owners_->fd() : -1};
    for (const int source : sources) {
      if (source < 0) continue;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = source;
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, source, &event) != 0) {
        return std::unexpected(os_failure(errno, "epoll_ctl"));
      }
    }
    return {};
  }

  // Call once packets are captured: what begins later is seen.
  void ask_who_is_connected(std::size_t ends_max) {
    if (asker_) asker_->note_all(owners_->all(ends_max));
  }

  // Only beats pass the filter meanwhile.
  [[nodiscard]] Result<void> run_self_test() {
    class Nobody final : public EventHandler {
      void on_event(const Event&) override {}
    } nobody;
    const std::uint64_t until = clock_ns(CLOCK_MONOTONIC) + self_test_ms * 1'000'000ULL;
    while (pump_->beats_seen() == 0) {
      if (clock_ns(CLOCK_MONOTONIC) >= until) {
        return fail(
            Errc::os,
            "self-test: an own packet on loopback did not come back within " + std::to_string(self_test_ms) + " ms",
            "tcpdump -i lo udp    # and: ping -c1 127.0.0.1");
      }
      pollfd wait{pcap_get_selectable_fd(packets_.get()), POLLIN, 0};
      ::poll(&wait, 1, block_timeout_ms);
      if (Result<Drained> drained = read_packets(nobody, 1); !drained) return std::unexpected(drained.error());
    }
    return {};
  }

  [[nodiscard]] int fd() const override { return epoll_.get(); }

  [[nodiscard]] Result<Drained> drain(EventHandler& handler, std::size_t budget) override {
    handler_ = &handler;
    if (look_for_losses(handler)) pump_->tracker().note_loss();
    if (asker_) {
      asker_->set_now(clock_ns(CLOCK_MONOTONIC));
      read_handshakes();  // before all else: the ends may be gone in no time
      if (owners_->fd() >= 0) refresh_owners();
    }
    Result<Drained> drained = read_packets(handler, std::max<std::size_t>(budget, 1));
    if (drained && *drained == Drained::idle) {
      pump_->tracker().advance(EventTime{clock_ns(CLOCK_REALTIME) - ring_age_ns}, handler);
    }
    if (asker_) asker_->ask_due(pump_->tracker().now(), handler);
    return drained;
  }

  void set_verdict(FlowId flow, Direction direction, StreamVerdict verdict) override {
    pump_->tracker().set_verdict(flow, direction, verdict);
  }

  [[nodiscard]] BackendCounters counters() const override {
    BackendCounters counters;
    counters.produced = pump_->counters().packets + dropped_;
    counters.delivered = pump_->counters().packets - pump_->counters().malformed - pump_->beats_seen();
    counters.lost_ring_full = dropped_;
    counters.lost_user = pump_->counters().malformed;
    counters.lost_bytes = pump_->tracker().counters().gap_bytes_lost;
    counters.self_events = pump_->beats_seen();
    counters.flows_untracked = pump_->tracker().counters().flows_evicted;
    return counters;
  }

  [[nodiscard]] Result<void> send_beat() override {
    if (!beat_) return fail(Errc::not_supported, "no heartbeat: loopback is not watched");
    if (Result<void> sent = beat_->send(beats_sent_ + 1); !sent) return sent;
    ++beats_sent_;
    return {};
  }
  [[nodiscard]] Beats beats() const override { return {beats_sent_, pump_->beats_seen()}; }
  [[nodiscard]] std::vector<BlindSpot> blind() const override {
    return {{"undecoded_packets", pump_->counters().undecoded}};
  }

 private:
  static void on_packet(u_char* self, const pcap_pkthdr* header, const u_char* bytes) {
    auto& backend = *reinterpret_cast<LiveBackend*>(self);
    backend.pump_->on_packet(backend.link_, {reinterpret_cast<const std::byte*>(bytes), header->caplen}, header->len,
                             time_of(*header), backend.beat_ ? &*backend.beat_ : nullptr, *backend.handler_);
  }
  static void on_handshake(u_char* self, const pcap_pkthdr* header, const u_char* bytes) {
    auto& backend = *reinterpret_cast<LiveBackend*>(self);
    Packet packet;
    decode_packet(backend.handshake_link_, {reinterpret_cast<const std::byte*>(bytes), header->caplen}, header->len,
                  packet);
    if (packet.kind == Packet::Kind::tcp && packet.tcp.has(tcp_flag::syn)) {
      backend.asker_->on_handshake(packet.tcp.source, packet.tcp.destination);
    }
  }

  [[nodiscard]] std::uint64_t events() const { return pump_->tracker().counters().events; }

  [[nodiscard]] Result<Drained> read_packets(EventHandler& handler, std::size_t budget) {
    handler_ = &handler;
    const std::uint64_t until = events() + budget;
    std::size_t packets_left = std::max<std::size_t>(budget, 1);  // also of packets that cause no event
    while (events() < until && packets_left > 0) {
      const std::size_t packets =
          std::min(packets_left, std::clamp<std::size_t>(static_cast<std::size_t>(until - events()) / events_per_packet,
                                                         1, packets_per_read_max));
      const int read = pcap_dispatch(packets_.get(), static_cast<int>(packets), &LiveBackend::on_packet,
                                     reinterpret_cast<u_char*>(this));
      if (read < 0) {
        return fail(Errc::os, "capture on " + interface_ + ": " + pcap_geterr(packets_.get()),
                    interface_.starts_with("all ") ? "" : "ip link show " + interface_);
      }
      if (read == 0) return Drained::idle;
      if (asker_) read_handshakes();
      packets_left -= std::min(packets_left, static_cast<std::size_t>(read));
    }
    return Drained::more;
  }

  // What the immediate handle says is only a reason to ask early: whatever it misses is asked later.
  void read_handshakes() {
    if (!handshakes_) return;
    if (pcap_dispatch(handshakes_.get(), handshakes_per_drain_max, &LiveBackend::on_handshake,
                      reinterpret_cast<u_char*>(this)) < 0) {
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, pcap_get_selectable_fd(handshakes_.get()), nullptr);
      handshakes_.reset();
    }
    wake_at(asker_->ask_accepting());
  }

  void wake_at(std::optional<std::uint64_t> ns) {
    if (!timer_ || (!ns && timer_at_ns_ == 0) || ns == timer_at_ns_) return;
    timer_at_ns_ = ns.value_or(0);  // 0 disarms it, and what has expired is forgotten either way
    itimerspec at{};
    at.it_value.tv_sec = static_cast<time_t>(timer_at_ns_ / 1'000'000'000U);
    at.it_value.tv_nsec = static_cast<long>(timer_at_ns_ % 1'000'000'000U);
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr);
  }

  void refresh_owners() {
    pollfd wait{owners_->fd(), POLLIN, 0};
    if (::poll(&wait, 1, 0) > 0) owners_->refresh();
  }

  bool look_for_losses(EventHandler& handler) {
    pcap_stat now{};
    if (pcap_stats(packets_.get(), &now) != 0) return false;
    // Counts of 32 bits; both only grow, but for their wrap.
    const std::uint32_t total = now.ps_drop + now.ps_ifdrop;
    const std::uint32_t fresh = total - std::exchange(last_dropped_, total);
    if (fresh == 0) return false;
    dropped_ += fresh;
    handler.on_event(Event{pump_->tracker().now(), {}, Lost{fresh, GapCause::ring_full}});
    return true;
  }

  PcapHandle packets_, handshakes_;
  std::string interface_;
  LinkType link_, handshake_link_ = LinkType::unknown;
  SocketOwners* owners_;
  std::optional<OwnerAsker> asker_;
  std::optional<PacketPump> pump_;
  std::optional<LoopbackBeat> beat_;
  UniqueFd epoll_, timer_;
  std::uint64_t timer_at_ns_ = 0;  // 0: not armed
  EventHandler* handler_ = nullptr;
  std::uint64_t beats_sent_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint32_t last_dropped_ = 0;
};

// libpcap tells the reason of a refused socket in words only; this tells the errno.
Result<void> try_packet_socket() {
  const UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (socket) return {};
  Error error = os_failure(errno, "open a packet socket");
  if (error.code == Errc::not_permitted) error.suggestion = "sudo tracer    # or: setcap cap_net_raw+ep tracer";
  return std::unexpected(std::move(error));
}

struct Ring {
  int snapshot = snapshot_bytes;
  int buffer_bytes = 0;
  bool immediate = false;
};

Result<PcapHandle> activate(const std::string& interface, const Ring& ring) {
  char why[PCAP_ERRBUF_SIZE] = "";
  const std::string device = interface.empty() ? "any" : interface;
  PcapHandle handle(pcap_create(device.c_str(), static_cast<char*>(why)));
  if (!handle) return fail(Errc::os, "open " + device + ": " + static_cast<char*>(why));
  pcap_set_snaplen(handle.get(), ring.snapshot);
  pcap_set_promisc(handle.get(), 0);
  pcap_set_timeout(handle.get(), block_timeout_ms);
  pcap_set_buffer_size(handle.get(), ring.buffer_bytes);
  pcap_set_immediate_mode(handle.get(), ring.immediate ? 1 : 0);
  pcap_set_tstamp_precision(handle.get(), PCAP_TSTAMP_PRECISION_NANO);
  const int status = pcap_activate(handle.get());
  if (status < 0) {
    const std::string text = pcap_geterr(handle.get());
    Error error{Errc::os, 0, "capture on " + device + ": " + (text.empty() ? pcap_statustostr(status) : text), {}};
    if (status == PCAP_ERROR_PERM_DENIED || status == PCAP_ERROR_PROMISC_PERM_DENIED) {
      error.code = Errc::not_permitted;
      error.suggestion = "sudo tracer    # or: setcap cap_net_raw+ep tracer";
    } else if (status == PCAP_ERROR_NO_SUCH_DEVICE) {
      error.code = Errc::not_found;
      error.suggestion = "ip -brief link    # names the interfaces that there are";
    } else if (status == PCAP_ERROR_IFACE_NOT_UP) {
      error.suggestion = "ip link set " + device + " up";
    }
    return std::unexpected(std::move(error));
  }
  // With the index of the interface in each packet; older libpcap has only the other one, which does as well.
  if (interface.empty()) pcap_set_datalink(handle.get(), DLT_LINUX_SLL2);
  // Loopback shows each packet twice, leaving and arriving, and libpcap passes one on. Kernels since 4.20 can leave the
  // other out of the ring. (A filter by direction cannot: libpcap applies it too, where the direction is not known.)
  if (interface == "lo") {
    const int on = 1;
    ::setsockopt(pcap_fileno(handle.get()), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  }
  if (pcap_setnonblock(handle.get(), 1, static_cast<char*>(why)) != 0) {
    return fail(Errc::os, "capture on " + device + ": " + static_cast<char*>(why));
  }
  if (link_type_of(pcap_datalink(handle.get())) == LinkType::unknown) {
    return fail(
        Errc::not_supported,
        "capture on " + device + ": packets of " + link_type_name(pcap_datalink(handle.get())) + " are not taken apart",
        "tracer --backend pcap    # without an interface: all of them, in one form");
  }
  return handle;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) seed = clock_ns(CLOCK_MONOTONIC);
  return seed;
}

}  // namespace

Result<OpenedBackend> open_pcap(const PcapOptions& options) {
  if (Result<void> tried = try_packet_socket(); !tried) return std::unexpected(std::move(tried.error()));
  const int buffer_bytes = static_cast<int>(
      std::clamp<std::uint64_t>(options.buffer_bytes, snapshot_bytes, static_cast<std::uint64_t>(INT_MAX)));
  Result<PcapHandle> handle = activate(options.interface, {.buffer_bytes = buffer_bytes});
  if (!handle) return std::unexpected(std::move(handle.error()));

  CaptureFilter filter;
  filter.ports = options.ports;
  if (pcap_datalink(handle->get()) == DLT_LINUX_SLL2) filter.loopback_index = ::if_nametoindex("lo");
  auto backend = std::make_unique<LiveBackend>(std::move(*handle), options, random_seed());

  OpenedBackend opened;
  if (options.interface.empty() || options.interface == "lo") {
    if (Result<LoopbackBeat> beat = LoopbackBeat::open()) backend->take_beat(std::move(*beat));
  }
  filter.beat_port = backend->beat_port();
  if (backend->has_beat()) {
    if (Result<void> set = set_filter(backend->packets(), beat_filter(filter)); !set) {
      return std::unexpected(std::move(set.error()));
    }
    if (backend->send_beat()) {
      if (Result<void> seen = backend->run_self_test(); !seen) return std::unexpected(std::move(seen.error()));
      opened.self_test_seen = true;
    }
  }
  if (Result<void> set = set_filter(backend->packets(), stream_filter(filter)); !set) {
    return std::unexpected(std::move(set.error()));
  }
  AttachOutcome outcome{};
  outcome.what = options.interface.empty() ? "all interfaces" : options.interface;
  outcome.attached = true;
  opened.outcomes.push_back(std::move(outcome));

  if (options.owners != nullptr) {
    Result<PcapHandle> handshakes =
        activate(options.interface, {handshake_snapshot_bytes, handshake_buffer_bytes, true});
    Result<void> filtered;
    if (handshakes) filtered = set_filter(**handshakes, handshake_filter(filter));
    AttachOutcome early{};
    early.what = "handshakes at once";
    early.attached = handshakes && filtered;
    if (!handshakes) early.reason = handshakes.error().context;
    if (!filtered) early.reason = filtered.error().context;
    opened.outcomes.push_back(std::move(early));
    if (handshakes && filtered) backend->take_handshakes(std::move(*handshakes));
  }
  if (Result<void> waiting = backend->wait_on_all(); !waiting) return std::unexpected(std::move(waiting.error()));
  backend->ask_who_is_connected(options.limits.held_before_max);

  opened.kind = BackendKind::pcap;
  opened.mechanism = Mechanism::af_packet;
  opened.clock = ClockDomain::realtime;
  opened.backend = std::move(backend);
  return opened;
}

}  // namespace tracer
