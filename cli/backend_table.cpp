#include "cli/backend_table.h"

#include <array>

#include "backends/ebpf/ebpf.h"
#include "backends/tracepoint/tracepoint.h"

namespace tracer::cli {
namespace {

bool supported(const CapabilityReport& report, Capability capability) {
  const Answer* answer = report.find(capability);
  return answer != nullptr && answer->verdict == Verdict::supported;
}

// What the options of both backends have in common.
template <typename Options>
Options options_for(const OpenRequest& request) {
  Options options;
  options.mechanism = request.mechanism;
  if (request.ring_kib) options.ring_bytes = std::size_t{*request.ring_kib} << 10;
  options.ring_buffer = supported(*request.report, Capability::bpf_ring_buffer);
  options.mappable_arrays = supported(*request.report, Capability::bpf_mmapable_array);
  options.kernel_reads = supported(*request.report, Capability::bpf_probe_read_kernel);
  options.ports.assign(request.ports.begin(), request.ports.end());
  return options;
}

Result<OpenedBackend> ebpf(const OpenRequest& request) {
  auto options = options_for<EbpfOptions>(request);
  options.first_segments_only = request.chosen;
  return open_ebpf(options);
}

Result<OpenedBackend> tracepoint(const OpenRequest& request) {
  auto options = options_for<TracepointOptions>(request);
  options.ownership = request.ownership;
  return open_tracepoint(options);
}

constexpr std::array rows{
    BackendRow{BackendKind::ebpf, Mechanism::fentry, ebpf},
    BackendRow{BackendKind::ebpf, Mechanism::kprobe, ebpf},
    BackendRow{BackendKind::tracepoint, Mechanism::tp_btf, tracepoint},
    BackendRow{BackendKind::tracepoint, Mechanism::raw_tp, tracepoint},
    BackendRow{BackendKind::tracepoint, Mechanism::syscall_tp, tracepoint},
};

}  // namespace

std::span<const BackendRow> backend_rows() { return rows; }

}  // namespace tracer::cli
