// Tracepoints through an own tracing instance. It holds a buffer per processor and says nothing of threads but their
// number.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <optional>

#include "backends/tracepoint/ring_page.h"
#include "backends/tracepoint/trace_reader.h"
#include "backends/tracepoint/tracefs.h"
#include "core/base/unique_fd.h"

namespace tracer {
namespace {

constexpr std::string_view instance_prefix = "tracer-";
constexpr std::size_t pages_per_read_max = 4096;  // of one processor, so that a busy one does not hold up the rest

// The process that made an instance of this name: "tracer-PID-N". Any other name is somebody else's.
std::optional<pid_t> maker_of(std::string_view instance) {
  if (!instance.starts_with(instance_prefix)) return std::nullopt;
  const char* const end = instance.data() + instance.size();
  pid_t pid = 0;
  unsigned number = 0;
  const auto first = std::from_chars(instance.data() + instance_prefix.size(), end, pid);
  if (first.ec != std::errc{} || pid <= 0 || first.ptr == end || *first.ptr != '-') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, number);
  return second.ec == std::errc{} && second.ptr == end ? std::optional(pid) : std::nullopt;
}

// "overrun: 12" and "dropped events: 3" of a processor's statistics.
std::uint64_t lost_in(std::string_view statistics) {
  std::uint64_t sum = 0;
  for (const std::string_view label : {"\noverrun: ", "\ndropped events: "}) {
    const std::size_t at = statistics.find(label);
    if (at == std::string_view::npos) continue;
    std::uint64_t count = 0;
    std::from_chars(statistics.data() + at + label.size(), statistics.data() + statistics.size(), count);
    sum += count;
  }
  return sum;
}

class InstanceTraceReader final : public TraceReader {
 public:
  ~InstanceTraceReader() override {
    processors_.clear();  // an instance whose buffers are open cannot be removed
    poll_.reset();
    if (!directory_.empty()) ::rmdir(directory_.c_str());
  }

  Result<void> open(const std::string& root, const std::vector<TraceSource>& sources, std::size_t ring_bytes) {
    const auto layout = read_small_file(root + "/events/header_page");
    if (!layout) return std::unexpected(layout.error());
    const auto parsed = parse_ring_page_layout(*layout);
    if (!parsed) return fail(Errc::malformed, root + "/events/header_page: not understood");
    layout_ = *parsed;
    page_.resize(layout_.page);
    static std::atomic<unsigned> made = 0;
    const std::string directory =
        root + "/instances/" + std::string(instance_prefix) + std::to_string(::getpid()) + "-" + std::to_string(made++);
    if (::mkdir(directory.c_str(), 0700) != 0) return std::unexpected(os_failure(errno, "make " + directory));
    directory_ = directory;
    if (auto clock = write_small_file(directory + "/trace_clock", "mono"); !clock) return clock;
    const std::size_t processors = static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF)));
    const std::size_t kib = std::max<std::size_t>(64, ring_bytes / 1024 / processors);
    if (auto sized = write_small_file(directory + "/buffer_size_kb", std::to_string(kib)); !sized) return sized;
    (void)write_small_file(directory + "/buffer_percent", "25");  // 5.0; else it wakes as soon as there is a page
    if (auto opened = open_processors(processors); !opened) return opened;
    for (const TraceSource& source : sources)
      if (auto on = write_small_file(directory + "/events/" + source.name + "/enable", "1"); !on) return on;
    return {};
  }

  int fd() const override { return poll_.get(); }
  std::uint64_t malformed() const override { return malformed_; }

  Result<void> read(TraceHandler& handler) override {
    for (Processor& each : processors_) {
      for (std::size_t pages = 0; pages < pages_per_read_max; ++pages) {
        const ssize_t size = ::read(each.pipe.get(), page_.data(), page_.size());
        if (size <= 0 && size < 0 && errno != EAGAIN && errno != EINTR)
          return std::unexpected(os_failure(errno, "read the tracing instance"));
        if (size <= 0) break;
        const RingPage page = parse_ring_page(Bytes(page_).first(static_cast<std::size_t>(size)), layout_, handler);
        if (!page.complete) ++malformed_;
        if (page.records_missing) tell_losses(each, handler);
      }
    }
    return {};
  }

 private:
  struct Processor {
    UniqueFd pipe;
    std::string statistics;
    std::uint64_t lost = 0;
  };

  Result<void> open_processors(std::size_t count) {
    poll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    if (!poll_) return std::unexpected(os_failure(errno, "epoll_create1"));
    for (std::size_t i = 0; i < count; ++i) {
      const std::string folder = directory_ + "/per_cpu/cpu" + std::to_string(i);
      UniqueFd pipe(::open((folder + "/trace_pipe_raw").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
      if (!pipe && errno == ENOENT) continue;
      if (!pipe) return std::unexpected(os_failure(errno, "open " + folder + "/trace_pipe_raw"));
      epoll_event wanted{};
      wanted.events = EPOLLIN;
      if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, pipe.get(), &wanted) != 0)
        return std::unexpected(os_failure(errno, "epoll_ctl"));
      processors_.push_back({std::move(pipe), folder + "/stats", 0});
    }
    if (processors_.empty()) return fail(Errc::not_supported, "the tracing instance has no buffers");
    return {};
  }

  void tell_losses(Processor& processor, TraceHandler& handler) {
    const auto statistics = read_small_file(processor.statistics);
    const std::uint64_t lost = statistics ? lost_in(*statistics) : processor.lost + 1;
    if (lost > processor.lost) handler.on_lost(lost - processor.lost);
    processor.lost = std::max(processor.lost, lost);
  }

  std::string directory_;
  RingPageLayout layout_;
  std::vector<std::byte> page_;
  UniqueFd poll_;
  std::vector<Processor> processors_;
  std::uint64_t malformed_ = 0;
};

}  // namespace

Result<std::unique_ptr<TraceReader>> open_instance_reader(const std::string& root,
                                                          const std::vector<TraceSource>& sources,
                                                          std::size_t ring_bytes) {
  auto reader = std::make_unique<InstanceTraceReader>();
  if (auto opened = reader->open(root, sources, ring_bytes); !opened) return std::unexpected(opened.error());
  return reader;
}

std::size_t remove_dead_instances(const std::string& root) {
  const std::string folder = root + "/instances";
  DIR* directory = ::opendir(folder.c_str());
  if (directory == nullptr) return 0;
  std::vector<std::string> dead;
  while (const dirent* entry = ::readdir(directory)) {
    const auto maker = maker_of(entry->d_name);
    if (!maker) continue;
    // One with this process's own number is either in use or was left by another that had the number before.
    if (*maker == ::getpid() || (::kill(*maker, 0) != 0 && errno == ESRCH))
      dead.push_back(folder + "/" + entry->d_name);
  }
  ::closedir(directory);
  // The kernel refuses to remove one that is in use, by a tracer in another pid namespace for instance.
  return static_cast<std::size_t>(
      std::ranges::count_if(dead, [](const std::string& each) { return ::rmdir(each.c_str()) == 0; }));
}

}  // namespace tracer
