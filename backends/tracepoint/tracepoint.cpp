#include "backends/tracepoint/tracepoint.h"

#include "backends/tracepoint/openers.h"

namespace tracer {

Result<OpenedBackend> open_tracepoint(const TracepointOptions& options) {
  switch (options.mechanism) {
    case Mechanism::tp_btf:
    case Mechanism::raw_tp:
      return open_kernel_sockets(options);
    case Mechanism::syscall_tp:
      return open_syscalls(options);
    default:
      return fail(Errc::invalid_argument, "tracepoint has no mechanism " + std::string(to_string(options.mechanism)));
  }
}

}  // namespace tracer
