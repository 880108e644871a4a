// Opens tp_btf and raw_tp, whose programs find the socket behind a descriptor in the kernel.
#include <algorithm>

#include "backends/bpf/blind_spots.h"
#include "backends/bpf/control_maps.h"
#include "backends/bpf/facet_programs.h"
#include "backends/bpf/kernel_features.h"
#include "backends/tracepoint/openers.h"

extern "C" {
extern const unsigned char tracepoint_typed_start[], tracepoint_typed_end[];
extern const unsigned char tracepoint_typed_loop_start[], tracepoint_typed_loop_end[];
extern const unsigned char tracepoint_raw_start[], tracepoint_raw_end[];
extern const unsigned char tracepoint_raw_loop_start[], tracepoint_raw_loop_end[];
}

namespace tracer {
namespace {

// Without these there is nothing to see; each of the others costs only what it buys.
constexpr std::string_view required_programs[] = {"tracer_sys_enter", "tracer_sys_exit"};
constexpr FacetNeed needs[] = {{Facet::http, required_programs},
                               {Facet::tls, required_programs},
                               {Facet::https, required_programs},
                               {Facet::connection, connection_programs},
                               {Facet::process, needed_process_programs},
                               {Facet::file, file_programs},
                               {Facet::library, file_programs}};

constexpr std::string_view io_uring_program = "tracer_io_uring";

// What these programs count of what they cannot see into. `outcomes`: what was left out at loading.
std::vector<std::string_view> blind_spots(const KernelFeatures& features, std::span<const AttachOutcome> outcomes,
                                          bool sockets, bool files) {
  std::vector<std::string_view> counted;
  if (sockets) counted = {blind_unix_sockets, blind_quic, blind_kernel_tls};
  if (sockets && !compat_syscalls().empty()) counted.push_back(blind_32bit);
  if (files && !compat_open_syscalls().empty()) counted.push_back(blind_32bit_opens);
  const bool refused = std::ranges::find(outcomes, io_uring_program, &AttachOutcome::what) != outcomes.end();
  if (!features.io_uring_submissions || refused) return counted;
  if (sockets) counted.push_back(blind_io_uring);
  if (files) counted.push_back(blind_io_uring_opens);
  return counted;
}

std::span<const unsigned char> object_for(const TracepointOptions& options, const KernelFeatures& features) {
  if (options.mechanism == Mechanism::raw_tp)
    return features.bpf_loop ? std::span(tracepoint_raw_loop_start, tracepoint_raw_loop_end)
                             : std::span(tracepoint_raw_start, tracepoint_raw_end);
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
  const bool sockets = wants_sockets(options.facets);
  const bool files = wants_files(options.facets);
  const FileSetting file_settings = file_setting(options.facets, options.files);
  if (!features->io_uring_submissions) image.leave_out.push_back(io_uring_program);
  choose_programs(image, options.facets);
  if (!sockets && files) image.only.push_back(io_uring_program);
  image.btf_path = options.btf_path;
  image.map_entries = {{"copy_works", possible_processors()},
                       {"events", static_cast<std::uint32_t>(options.ring_bytes)}};
  size_file_maps(image, file_settings);
  size_plaintext_map(image, wants_plaintext(options.plaintext, options.facets));
  OpenedBackend opened;
  opened.kind = BackendKind::tracepoint;
  opened.mechanism = options.mechanism;
  auto object = BpfObject::load(image, opened.outcomes);
  if (!object) return std::unexpected(object.error());
  BpfBackendOptions running = running_options(options);
  running.twice = image.twice;
  running.ports = options.ports;
  running.blind = blind_spots(*features, opened.outcomes, sockets, files);
  running.files = file_settings;
  auto backend = BpfBackend::make(std::move(*object), std::move(running));
  if (!backend) return std::unexpected(backend.error());
  BpfObject& loaded = (*backend)->object();
  for (const auto& calls : {socket_syscalls(), compat_syscalls()})
    if (auto written = write_syscall_ops(loaded.map_fd("ops"), calls); !written)
      return std::unexpected(written.error());
  if (auto written = write_file_maps(loaded, file_settings); !written) return std::unexpected(written.error());
  loaded.attach_all(opened.outcomes);
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

}  // namespace tracer
