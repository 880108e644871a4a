#include "cli/backend_table.h"

#include <algorithm>
#include <array>

#include "backends/ebpf/ebpf.h"
#include "backends/ebpf/plaintext.h"
#include "backends/ebpf/uprobe.h"
#include "backends/pcap/pcap_backend.h"
#include "backends/procfs/fanotify.h"
#include "backends/procfs/poll.h"
#include "backends/procfs/polling.h"
#include "backends/procfs/proc_events.h"
#include "backends/tracepoint/tracepoint.h"
#include "cli/procfs_parts.h"

namespace tracer::cli {
namespace {

bool supported(const CapabilityReport& report, Capability capability) {
  const Answer* answer = report.find(capability);
  return answer != nullptr && answer->verdict == Verdict::supported;
}

// Beside either backend: what is in clear inside of TLS.
CompanionFactory plaintext(const OpenRequest& request) {
  if (std::ranges::find(request.facets, Facet::https) == request.facets.end()) return {};
  PlaintextOptions options;
  options.processes = request.processes;
  options.ownership = request.ownership;
  options.ring_buffer = supported(*request.report, Capability::bpf_ring_buffer);
  options.measure_time = request.measure_time;
  return [options](BpfObject& carrier) { return open_plaintext(options, carrier); };
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
  options.facets.assign(request.facets.begin(), request.facets.end());
  if (request.files != nullptr) options.files = *request.files;
  options.plaintext = plaintext(request);
  options.measure_time = request.measure_time;
  return options;
}

Result<OpenedBackend> ebpf(const OpenRequest& request) {
  auto options = options_for<EbpfOptions>(request);
  options.first_segments_only = request.chosen;
  return open_ebpf(options);
}

Result<OpenedBackend> uprobe(const OpenRequest& request) {
  UprobeOptions options;
  options.processes = request.processes;
  options.ownership = request.ownership;
  options.ring_buffer = supported(*request.report, Capability::bpf_ring_buffer);
  options.measure_time = request.measure_time;
  return open_uprobe(options);
}

Result<OpenedBackend> tracepoint(const OpenRequest& request) {
  auto options = options_for<TracepointOptions>(request);
  options.ownership = request.ownership;
  return open_tracepoint(options);
}

Result<OpenedBackend> pcap(const OpenRequest& request) {
  PcapOptions options;
  options.interface = request.interface;
  if (request.ring_kib) options.buffer_bytes = std::uint64_t{*request.ring_kib} << 10;
  options.ports.assign(request.ports.begin(), request.ports.end());
  if (request.procfs != nullptr) options.owners = request.procfs->owners().get();
  return open_pcap(options);
}

Result<OpenedBackend> polling(const OpenRequest& request) {
  PollingOptions options;
  options.mechanism = request.mechanism;
  if (request.procfs != nullptr) options.owners = request.procfs->owners();
  return open_polling(std::move(options));
}

ProcEventsOptions process_options(const OpenRequest& request) {
  ProcEventsOptions options;
  if (request.procfs != nullptr) options.processes = request.procfs->processes();
  return options;
}

Result<OpenedBackend> proc_events(const OpenRequest& request) { return open_proc_events(process_options(request)); }

Result<OpenedBackend> fanotify(const OpenRequest& request) {
  FanotifyOptions options;
  if (request.procfs != nullptr) options.known = request.procfs->processes();
  return open_fanotify(std::move(options));
}

Result<OpenedBackend> poll(const OpenRequest& request) {
  PollOptions options;
  options.processes = process_options(request);
  options.files.facets.assign(request.facets.begin(), request.facets.end());
  options.files.processes = request.processes;
  options.files.known = options.processes.processes;
  return open_poll(std::move(options));
}

constexpr std::array rows{
    BackendRow{BackendKind::ebpf, Mechanism::fentry, ebpf},
    BackendRow{BackendKind::ebpf, Mechanism::kprobe, ebpf},
    BackendRow{BackendKind::ebpf, Mechanism::uprobe, uprobe},
    BackendRow{BackendKind::tracepoint, Mechanism::tp_btf, tracepoint},
    BackendRow{BackendKind::tracepoint, Mechanism::raw_tp, tracepoint},
    BackendRow{BackendKind::tracepoint, Mechanism::syscall_tp, tracepoint},
    BackendRow{BackendKind::tracepoint, Mechanism::tracefs, tracepoint},
    BackendRow{BackendKind::pcap, Mechanism::af_packet, pcap},
    BackendRow{BackendKind::procfs, Mechanism::sock_diag, polling},
    BackendRow{BackendKind::procfs, Mechanism::proc_net, polling},
    BackendRow{BackendKind::procfs, Mechanism::proc_events, proc_events},
    BackendRow{BackendKind::procfs, Mechanism::fanotify, fanotify},
    BackendRow{BackendKind::procfs, Mechanism::poll, poll},
};

}  // namespace

std::span<const BackendRow> backend_rows() { return rows; }

}  // namespace tracer::cli
