#include "backends/bpf/event_reader.h"

#include <bpf/libbpf.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "backends/bpf/wire.h"

namespace tracer {
namespace {

// libbpf reads until the ring is empty; the callback stops it by a negative answer, which leaves the record consumed.
constexpr int budget_spent = -EAGAIN;

class RingReader final : public EventReader {
 public:
  static Result<std::unique_ptr<EventReader>> open(int map_fd) {
    auto reader = std::unique_ptr<RingReader>(new RingReader);
    reader->ring_ = ring_buffer__new(map_fd, &RingReader::on_sample, reader.get(), nullptr);
    if (reader->ring_ == nullptr) return std::unexpected(os_failure(errno, "map the BPF ring buffer"));
    return reader;
  }
  ~RingReader() override { ring_buffer__free(ring_); }

  int fd() const override { return ring_buffer__epoll_fd(ring_); }
  Result<Drained> drain(WireHandler& handler, std::size_t budget) override {
    handler_ = &handler;
    left_ = budget;
    const int count = ring_buffer__consume(ring_);
    if (count == budget_spent) return Drained::more;
    if (count < 0) return std::unexpected(os_failure(-count, "read the BPF ring buffer"));
    return Drained::idle;
  }

 private:
  RingReader() = default;
  static int on_sample(void* context, void* data, std::size_t size) {
    auto* self = static_cast<RingReader*>(context);
    self->handler_->on_wire({static_cast<const std::byte*>(data), size});
    return --self->left_ == 0 ? budget_spent : 0;
  }

  ring_buffer* ring_ = nullptr;
  WireHandler* handler_ = nullptr;
  std::size_t left_ = 0;
};

// The buffers of the processors are merged by the time at which each record was made. A record made before the reading
// began is in its buffer by then, so everything older than that moment can be handed over in order; the rest waits.
class PerfReader final : public EventReader {
 public:
  static Result<std::unique_ptr<EventReader>> open(int map_fd, std::size_t pages_per_cpu) {
    auto reader = std::unique_ptr<PerfReader>(new PerfReader);
    reader->buffer_ =
        perf_buffer__new(map_fd, pages_per_cpu, &PerfReader::on_sample, &PerfReader::on_lost, reader.get(), nullptr);
    if (reader->buffer_ == nullptr) return std::unexpected(os_failure(errno, "map the perf buffers"));
    return reader;
  }
  ~PerfReader() override { perf_buffer__free(buffer_); }

  int fd() const override { return perf_buffer__epoll_fd(buffer_); }

  Result<Drained> drain(WireHandler& handler, std::size_t budget) override {
    if (next_ == ready_) {
      if (auto filled = fill(); !filled) return std::unexpected(filled.error());
    }
    for (; next_ < ready_ && budget > 0; ++next_, --budget)
      handler.on_wire(Bytes(bytes_).subspan(waiting_[next_].at, waiting_[next_].size));
    if (next_ < ready_) return Drained::more;
    drop_delivered();
    return Drained::idle;
  }

 private:
  struct Waiting {
    std::uint64_t emitted_ns = 0;
    std::size_t at = 0;  // in bytes_
    std::size_t size = 0;
  };

  PerfReader() = default;
  Result<void> fill() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const std::uint64_t begun =
        static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
    const int failed = perf_buffer__consume(buffer_);
    if (failed < 0) return std::unexpected(os_failure(-failed, "read the perf buffers"));
    std::ranges::sort(waiting_, {}, [](const Waiting& each) { return std::pair(each.emitted_ns, each.at); });
    ready_ = static_cast<std::size_t>(std::ranges::upper_bound(waiting_, begun, {}, &Waiting::emitted_ns) -
                                      waiting_.begin());
    return {};
  }
  void drop_delivered() {
    std::vector<std::byte> bytes;
    std::vector<Waiting> waiting;
    for (std::size_t i = next_; i < waiting_.size(); ++i) {
      const Bytes record = Bytes(bytes_).subspan(waiting_[i].at, waiting_[i].size);
      waiting.push_back({waiting_[i].emitted_ns, bytes.size(), record.size()});
      bytes.insert(bytes.end(), record.begin(), record.end());
    }
    bytes_.swap(bytes);
    waiting_.swap(waiting);
    next_ = ready_ = 0;
  }
  static void on_sample(void* context, int, void* data, std::uint32_t size) {
    auto* self = static_cast<PerfReader*>(context);
    wire_header header{};
    std::memcpy(&header, data, std::min<std::size_t>(size, sizeof(header)));
    self->waiting_.push_back({header.emitted_ns, self->bytes_.size(), size});
    const auto* bytes = static_cast<const std::byte*>(data);
    self->bytes_.insert(self->bytes_.end(), bytes, bytes + size);
  }
  // What the kernel reports here the BPF programs have counted already: the helper told them that it failed.
  static void on_lost(void*, int, unsigned long long) {}

  perf_buffer* buffer_ = nullptr;
  std::vector<std::byte> bytes_;
  std::vector<Waiting> waiting_;
  std::size_t next_ = 0;   // first not delivered
  std::size_t ready_ = 0;  // first that must wait for the next reading
};

}  // namespace

Result<std::unique_ptr<EventReader>> EventReader::open_ring(int map_fd) { return RingReader::open(map_fd); }
Result<std::unique_ptr<EventReader>> EventReader::open_perf(int map_fd, std::size_t pages_per_cpu) {
  return PerfReader::open(map_fd, pages_per_cpu);
}

}  // namespace tracer
