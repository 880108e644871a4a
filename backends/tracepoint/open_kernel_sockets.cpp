// Opens tp_btf and raw_tp, whose programs find the socket behind a descriptor in the kernel.
#include "backends/bpf/control_maps.h"
#include "backends/bpf/kernel_features.h"
#include "backends/tracepoint/openers.h"

extern "C" {
extern const unsigned char tracepoint_typed_start[], tracepoint_typed_end[];
extern const unsigned char tracepoint_typed_loop_start[], tracepoint_typed_loop_end[];
extern const unsigned char tracepoint_raw_start[], tracepoint_raw_end[];
}

namespace tracer {
namespace {

// Without these there is nothing to see; each of the others costs only what it buys.
constexpr std::string_view required_programs[] = {"tracer_sys_enter", "tracer_sys_exit"};

std::span<const unsigned char> object_for(const TracepointOptions& options, const KernelFeatures& features) {
  if (options.mechanism == Mechanism::raw_tp) return std::span(tracepoint_raw_start, tracepoint_raw_end);
  return features.bpf_loop ? std::span(tracepoint_typed_loop_start, tracepoint_typed_loop_end)
                           : std::span(tracepoint_typed_start, tracepoint_typed_end);
}

}  // namespace

Result<OpenedBackend> open_kernel_sockets(const TracepointOptions& options) {
  const auto types = read_kernel_types(options.btf_path);
  if (!types) return std::unexpected(types.error());
  const auto features = find_kernel_features(*types);
  if (!features) return std::unexpected(features.error());
  BpfImage image;
  image.twice = features->preemptible_tracepoints;
  image.bytes = object_for(options, *features);
  image.name = "tracer";
  image.btf_path = options.btf_path;
  image.map_entries = {{"copy_works", possible_processors()},
                       {"events", static_cast<std::uint32_t>(options.ring_bytes)}};
  OpenedBackend opened;
  opened.kind = BackendKind::tracepoint;
  opened.mechanism = options.mechanism;
  auto object = BpfObject::load(image, opened.outcomes);
  if (!object) return std::unexpected(object.error());
  BpfBackendOptions running = running_options(options);
  running.twice = image.twice;
  running.ports = options.ports;
  auto backend = BpfBackend::make(std::move(*object), std::move(running));
  if (!backend) return std::unexpected(backend.error());
  BpfObject& loaded = (*backend)->object();
  if (auto written = write_syscall_ops(loaded.map_fd("ops"), socket_syscalls()); !written)
    return std::unexpected(written.error());
  loaded.attach_all(opened.outcomes);
  if (auto complete = require_attached(required_programs, opened.outcomes); !complete)
    return std::unexpected(complete.error());
  if (auto tested = (*backend)->run_self_test(); !tested) return std::unexpected(tested.error());
  opened.self_test_seen = (*backend)->self_data_seen();
  opened.backend = std::move(*backend);
  return opened;
}

}  // namespace tracer
