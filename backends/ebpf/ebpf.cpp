#include "backends/ebpf/ebpf.h"

#include <algorithm>
#include <array>
#include <vector>

#include "backends/bpf/blind_spots.h"
#include "backends/bpf/bpf_backend.h"
#include "backends/bpf/control_maps.h"
#include "backends/bpf/facet_programs.h"
#include "backends/bpf/kernel_features.h"
#include "backends/bpf/thread_beat.h"
#include "backends/ebpf/kernel_functions.h"
#include "backends/ebpf/socket_beat.h"

extern "C" {
extern const unsigned char ebpf_fentry_start[], ebpf_fentry_end[];
extern const unsigned char ebpf_fentry_loop_start[], ebpf_fentry_loop_end[];
extern const unsigned char ebpf_fentry_sealed_start[], ebpf_fentry_sealed_end[];
extern const unsigned char ebpf_kprobe_start[], ebpf_kprobe_end[];
extern const unsigned char ebpf_kprobe_loop_start[], ebpf_kprobe_loop_end[];
extern const unsigned char ebpf_kprobe_perf_start[], ebpf_kprobe_perf_end[];
}

namespace tracer {
namespace {

// Without these there is nothing to see; each of the others costs only what it buys.
constexpr std::array<std::string_view, 4> required_programs{"tracer_send_enter", "tracer_send_exit",
                                                            "tracer_receive_enter", "tracer_receive_exit"};
constexpr FacetNeed needs[] = {{Facet::http, required_programs},
                               {Facet::tls, required_programs},
                               {Facet::https, required_programs},
                               {Facet::connection, connection_programs},
                               {Facet::process, needed_process_programs},
                               {Facet::file, file_programs},
                               {Facet::library, file_programs}};
// COPY_PLACES of copy.bpf.h.
constexpr std::uint32_t works_per_processor = 2;

std::span<const unsigned char> object_for(const EbpfOptions& options, const KernelFeatures& features) {
  if (options.mechanism == Mechanism::fentry) {
    if (!options.kernel_reads) return std::span(ebpf_fentry_sealed_start, ebpf_fentry_sealed_end);
    return features.bpf_loop ? std::span(ebpf_fentry_loop_start, ebpf_fentry_loop_end)
                             : std::span(ebpf_fentry_start, ebpf_fentry_end);
  }
  if (!options.ring_buffer) return std::span(ebpf_kprobe_perf_start, ebpf_kprobe_perf_end);
  return features.bpf_loop ? std::span(ebpf_kprobe_loop_start, ebpf_kprobe_loop_end)
                           : std::span(ebpf_kprobe_start, ebpf_kprobe_end);
}

BpfImage image_for(const EbpfOptions& options, const KernelFunctions& functions, const KernelFeatures& features) {
  BpfImage image;
  image.bytes = object_for(options, features);
  image.twice = features.hold_processor;
  image.name = "tracer";
  image.btf_path = options.btf_path;
  image.map_entries = {{"copy_works", works_per_processor * possible_processors()}};
  if (options.ring_buffer) image.map_entries.push_back({"events", static_cast<std::uint32_t>(options.ring_bytes)});
  if (!functions.sendpage) image.leave_out = {"tracer_sendpage_enter", "tracer_sendpage_exit"};
  choose_programs(image, options.facets);
  image.keep_user_reads = options.mechanism == Mechanism::fentry && !options.kernel_reads;
  return image;
}

Result<OpenedBackend> open_mechanism(const EbpfOptions& options) {
  if (options.mechanism != Mechanism::fentry && options.mechanism != Mechanism::kprobe)
    return fail(Errc::invalid_argument, "ebpf has no mechanism " + std::string(to_string(options.mechanism)));
  if (options.mechanism == Mechanism::fentry && !options.ring_buffer)
    return fail(Errc::invalid_argument, "fentry needs a ring buffer");
  const auto types = read_kernel_types(options.btf_path);
  if (!types) return std::unexpected(types.error());
  const auto functions = find_kernel_functions(*types);
  if (!functions) return std::unexpected(functions.error());
  if (options.mechanism == Mechanism::fentry && !options.kernel_reads && !functions->rdonly_cast &&
      !options.first_segments_only)
    return fail(Errc::not_supported, "under this lockdown it would see only the first segment of a writev or sendmsg");
  const auto features = find_kernel_features(*types);
  if (!features) return std::unexpected(features.error());
  const bool sockets = wants_sockets(options.facets);
  std::unique_ptr<BeatSender> beat = std::make_unique<ThreadBeat>();
  if (sockets) {
    auto by_socket = make_socket_beat();
    if (!by_socket) return std::unexpected(by_socket.error());
    beat = std::move(*by_socket);
  }

  OpenedBackend opened;
  opened.kind = BackendKind::ebpf;
  opened.mechanism = options.mechanism;
  const bool files = wants_files(options.facets);
  const FileSetting file_settings = file_setting(options.facets, options.files);
  BpfImage image = image_for(options, *functions, *features);
  size_file_maps(image, file_settings);
  size_plaintext_map(image, wants_plaintext(options.plaintext, options.facets));
  auto object = BpfObject::load(image, opened.outcomes);
  if (!object) return std::unexpected(object.error());
  BpfBackendOptions running;
  running.ring_bytes = options.ring_bytes;
  running.ring_buffer = options.ring_buffer;
  running.mappable_arrays = options.mappable_arrays;
  running.beat = std::move(beat);
  running.exchange = sockets;
  if (sockets) running.blind.push_back(blind_kernel_tls);
  if (files && !compat_open_syscalls().empty()) running.blind.push_back(blind_32bit_opens);
  running.files = file_settings;
  running.measure_time = options.measure_time;
  running.missed_runs = MissedRuns::by_programs;
  running.twice = features->hold_processor;
  running.ports = options.ports;
  running.receive_flags_argument = functions->receive_flags_argument;
  auto backend = BpfBackend::make(std::move(*object), std::move(running));
  if (!backend) return std::unexpected(backend.error());
  if (auto written = write_file_maps((*backend)->object(), file_settings); !written)
    return std::unexpected(written.error());
  (*backend)->object().attach_all(opened.outcomes);
  auto refused = settle_facets(needs, options.facets, opened.outcomes);
  if (!refused) return std::unexpected(refused.error());
  opened.refused = std::move(*refused);
  if (sockets)
    if (auto complete = require_attached(required_programs, opened.outcomes); !complete)
      return std::unexpected(complete.error());
  if (files && require_attached(file_programs, opened.outcomes)) (*backend)->expect_files();
  if (auto tested = (*backend)->run_self_test(); !tested) return std::unexpected(tested.error());
  if (auto carried = carry_plaintext(**backend, options.plaintext, options.facets, opened); !carried)
    return std::unexpected(carried.error());
  opened.self_test_seen = (*backend)->self_test_seen();
  opened.backend = std::move(*backend);
  return opened;
}

}  // namespace

Result<OpenedBackend> open_ebpf(const EbpfOptions& options) {
  return open_what_attaches(options.facets, [&](const std::vector<Facet>& facets) {
    EbpfOptions wanted = options;
    wanted.facets = facets;
    return open_mechanism(wanted);
  });
}

}  // namespace tracer
