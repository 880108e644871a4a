// Tracepoints through perf_event_open(2): one buffer per processor, into which all events of it write.
#include <linux/perf_event.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "backends/tracepoint/perf_records.h"
#include "backends/tracepoint/trace_reader.h"
#include "core/base/unique_fd.h"

namespace tracer {
namespace {

constexpr std::size_t pages_min = 8, pages_max = 4096;

class Mapping {
 public:
  Mapping(void* at, std::size_t size) : at_(at), size_(size) {}
  Mapping(Mapping&& other) noexcept : at_(std::exchange(other.at_, nullptr)), size_(other.size_) {}
  Mapping& operator=(Mapping&&) = delete;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (at_ != nullptr) ::munmap(at_, size_);
  }
  [[nodiscard]] std::byte* bytes() const { return static_cast<std::byte*>(at_); }
  [[nodiscard]] perf_event_mmap_page* head() const { return static_cast<perf_event_mmap_page*>(at_); }

 private:
  void* at_;
  std::size_t size_;
};

struct Processor {
  Mapping mapping;
  std::vector<UniqueFd> events;  // the first owns the buffer
};

UniqueFd open_event(std::uint16_t id, int processor, std::size_t wake_bytes) {
  perf_event_attr wanted{};
  wanted.size = sizeof(wanted);
  wanted.type = PERF_TYPE_TRACEPOINT;
  wanted.config = id;
  wanted.sample_period = 1;
  wanted.sample_type = perf_sample_fields;
  wanted.use_clockid = 1;
  wanted.clockid = CLOCK_MONOTONIC;
  wanted.watermark = 1;
  wanted.wakeup_watermark = static_cast<std::uint32_t>(wake_bytes);
  wanted.disabled = 0;
  return UniqueFd(static_cast<int>(::syscall(SYS_perf_event_open, &wanted, -1, processor, -1, PERF_FLAG_FD_CLOEXEC)));
}

class PerfTraceReader final : public TraceReader {
 public:
  Result<void> open(const std::vector<TraceSource>& sources, std::size_t ring_bytes) {
    page_ = static_cast<std::size_t>(::getpagesize());
    const long processors = std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF));
    pages_ = pages_min;
    while (pages_ < pages_max && 2 * pages_ * page_ * static_cast<std::size_t>(processors) <= ring_bytes) pages_ *= 2;
    poll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    if (!poll_) return std::unexpected(os_failure(errno, "epoll_create1"));
    for (int processor = 0; processor < processors; ++processor)
      if (auto added = add_processor(sources, processor); !added) return added;
    if (processors_.empty()) return fail(Errc::not_supported, "perf_event_open: no processor to watch");
    return {};
  }

  int fd() const override { return poll_.get(); }
  std::uint64_t malformed() const override { return malformed_; }

  Result<void> read(TraceHandler& handler) override {
    for (const Processor& each : processors_) {
      perf_event_mmap_page* page = each.mapping.head();
      const std::uint64_t head = std::atomic_ref(page->data_head).load(std::memory_order_acquire);
      const std::uint64_t tail = page->data_tail;  // only written here
      copy_out(each, tail, head);
      std::atomic_ref(page->data_tail).store(head, std::memory_order_release);
      if (!parse_perf_records(copied_, handler)) ++malformed_;
    }
    return {};
  }

 private:
  Result<void> add_processor(const std::vector<TraceSource>& sources, int processor) {
    std::vector<UniqueFd> events;
    for (const TraceSource& source : sources) {
      UniqueFd event = open_event(source.id, processor, pages_ * page_ / 4);
      if (!event && errno == ENODEV) return {};  // not online
      if (!event) return std::unexpected(os_failure(errno, "perf_event_open " + source.name));
      events.push_back(std::move(event));
    }
    void* at = MAP_FAILED;
    while (true) {
      const std::size_t size = (1 + pages_) * page_;
      at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, events.front().get(), 0);
      if (at != MAP_FAILED || (errno != EPERM && errno != ENOMEM) || pages_ <= pages_min) break;
      pages_ /= 2;  // /proc/sys/kernel/perf_event_mlock_kb
    }
    if (at == MAP_FAILED) return std::unexpected(os_failure(errno, "map the perf buffer"));
    Mapping mapping(at, (1 + pages_) * page_);
    for (std::size_t i = 1; i < events.size(); ++i)
      if (::ioctl(events[i].get(), PERF_EVENT_IOC_SET_OUTPUT, events.front().get()) != 0)
        return std::unexpected(os_failure(errno, "share the perf buffer"));
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, events.front().get(), &wanted) != 0)
      return std::unexpected(os_failure(errno, "epoll_ctl"));
    processors_.push_back({std::move(mapping), std::move(events)});
    return {};
  }

  // Into one piece: records wrap around the end of the buffer.
  void copy_out(const Processor& processor, std::uint64_t tail, std::uint64_t head) {
    const perf_event_mmap_page* page = processor.mapping.head();
    // Since 4.1 the kernel says where the data lie.
    const std::size_t size = page->data_size, at = page->data_offset;
    const std::size_t count = std::min<std::uint64_t>(head - tail, size);
    const std::size_t begin = tail % size, first = std::min(count, size - begin);
    copied_.resize(count);
    std::copy_n(processor.mapping.bytes() + at + begin, first, copied_.begin());
    std::copy_n(processor.mapping.bytes() + at, count - first, copied_.begin() + static_cast<std::ptrdiff_t>(first));
  }

  std::size_t page_ = 4096, pages_ = pages_min;
  UniqueFd poll_;
  std::vector<Processor> processors_;
  std::vector<std::byte> copied_;
  std::uint64_t malformed_ = 0;
};

}  // namespace

Result<std::unique_ptr<TraceReader>> open_perf_reader(const std::vector<TraceSource>& sources, std::size_t ring_bytes) {
  auto reader = std::make_unique<PerfTraceReader>();
  if (auto opened = reader->open(sources, ring_bytes); !opened) return std::unexpected(opened.error());
  return reader;
}

}  // namespace tracer
