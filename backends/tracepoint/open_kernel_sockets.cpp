// Opens tp_btf and raw_tp, whose programs find the socket behind a descriptor in the kernel.
#include "backends/bpf/control_maps.h"
#include "backends/tracepoint/openers.h"

extern "C" {
extern const unsigned char tracepoint_typed_start[], tracepoint_typed_end[];
extern const unsigned char tracepoint_raw_start[], tracepoint_raw_end[];
}

namespace tracer {
namespace {

// Without these there is nothing to see; each of the others costs only what it buys.
constexpr std::string_view required_programs[] = {"tracer_sys_enter", "tracer_sys_exit"};

}  // namespace

Result<OpenedBackend> open_kernel_sockets(const TracepointOptions& options) {
  BpfImage image;
  image.bytes = options.mechanism == Mechanism::tp_btf ? std::span(tracepoint_typed_start, tracepoint_typed_end)
                                                       : std::span(tracepoint_raw_start, tracepoint_raw_end);
  image.name = "tracer";
  image.btf_path = options.btf_path;
  image.map_entries = {{"copy_works", possible_processors()},
                       {"events", static_cast<std::uint32_t>(options.ring_bytes)}};
  OpenedBackend opened;
  opened.kind = BackendKind::tracepoint;
  opened.mechanism = options.mechanism;
  auto object = BpfObject::load(image, opened.outcomes);
  if (!object) return std::unexpected(object.error());
  auto backend = TracepointBackend::make(std::move(*object), options);
  if (!backend) return std::unexpected(backend.error());
  BpfObject& loaded = (*backend)->object();
  if (auto written = write_syscall_ops(loaded.map_fd("ops"), socket_syscalls()); !written)
    return std::unexpected(written.error());
  loaded.attach_all(opened.outcomes);
  for (std::string_view program : required_programs)
    for (const AttachOutcome& outcome : opened.outcomes)
      if (outcome.what == program && !outcome.attached)
        return fail(Errc::not_supported, outcome.what + ": " + outcome.reason);
  if (auto tested = (*backend)->run_self_test(); !tested) return std::unexpected(tested.error());
  opened.self_test_seen = (*backend)->self_data_seen();
  opened.backend = std::move(*backend);
  return opened;
}

}  // namespace tracer
