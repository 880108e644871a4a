#include "backends/tracepoint/tracepoint.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "backends/bpf/facet_programs.h"
#include "backends/bpf/thread_beat.h"
#include "backends/tracepoint/openers.h"

namespace tracer {
namespace {

class WriteBeat final : public BeatSender {
 public:
  void send(std::uint32_t nonce) override {
    static constexpr char nothing[1]{};
    ::syscall(SYS_write, WIRE_BEAT_FD, nothing, static_cast<std::size_t>(nonce));
  }
};

Result<OpenedBackend> open_mechanism(const TracepointOptions& options) {
  switch (options.mechanism) {
    case Mechanism::tp_btf:
      return options.kernel_reads ? open_kernel_sockets(options) : open_typed_syscalls(options);
    case Mechanism::raw_tp:
      return open_kernel_sockets(options);
    case Mechanism::syscall_tp:
      return open_syscalls(options);
    case Mechanism::tracefs:
      return open_tracefs(options);
    default:
      return fail(Errc::invalid_argument, "tracepoint has no mechanism " + std::string(to_string(options.mechanism)));
  }
}

}  // namespace

BpfBackendOptions running_options(const TracepointOptions& options) {
  BpfBackendOptions running;
  running.ring_bytes = options.ring_bytes;
  running.ring_buffer = options.ring_buffer;
  running.mappable_arrays = options.mappable_arrays;
  running.measure_time = options.measure_time;
  running.exchange = wants_sockets(options.facets);
  if (running.exchange)
    running.beat = std::make_unique<WriteBeat>();
  else
    running.beat = std::make_unique<ThreadBeat>();
  return running;
}

Result<OpenedBackend> open_tracepoint(const TracepointOptions& options) {
  return open_what_attaches(options.facets, [&](const std::vector<Facet>& facets) {
    TracepointOptions wanted = options;
    wanted.facets = facets;
    return open_mechanism(wanted);
  });
}

}  // namespace tracer
