// Opens tp_btf on kernels that refuse to read kernel memory by helper (lockdown=confidentiality): the floor's programs
// on typed raw tracepoints. The kernel is asked nothing but what the arguments of these tracepoints say, so descriptors
// are followed as by syscall_tp; but it needs neither tracefs nor perf events, which such kernels hide as well.
#include <algorithm>
#include <array>

#include "backends/bpf/blind_spots.h"
#include "backends/bpf/control_maps.h"
#include "backends/bpf/facet_programs.h"
#include "backends/tracepoint/kernel_descriptors.h"
#include "backends/tracepoint/openers.h"

extern "C" {
extern const unsigned char tracepoint_floor_typed_start[], tracepoint_floor_typed_end[];
}

namespace tracer {
namespace {

// Without these there is nothing to see; each of the others costs only what it buys.
constexpr std::array<std::string_view, 2> required_programs{"floor_enter", "floor_exit"};
constexpr std::string_view state_programs[] = {"floor_state"};
constexpr std::string_view life_programs[] = {"floor_exec", "floor_process_exit", "floor_fork"};
constexpr std::string_view file_programs_here[] = {"floor_file_enter", "floor_file_exit"};
constexpr FacetNeed needs[] = {{Facet::http, required_programs},
                               {Facet::tls, required_programs},
                               {Facet::https, required_programs},
                               {Facet::connection, state_programs},
                               {Facet::process, std::span(life_programs).first(2)},
                               {Facet::file, file_programs_here},
                               {Facet::library, file_programs_here}};

bool attached(const std::vector<AttachOutcome>& outcomes, std::string_view program) {
  const auto at = std::ranges::find(outcomes, program, &AttachOutcome::what);
  return at != outcomes.end() && at->attached;
}

}  // namespace

Result<OpenedBackend> open_typed_syscalls(const TracepointOptions& options) {
  const bool sockets = wants_sockets(options.facets);
  if (sockets && options.ownership == nullptr)
    return fail(Errc::invalid_argument, "without kernel reads somebody must know which socket a descriptor is");
  BpfImage image;
  image.bytes = std::span(tracepoint_floor_typed_start, tracepoint_floor_typed_end);
  image.name = "tracer";
  image.btf_path = options.btf_path;
  image.keep_user_reads = true;
  const bool files = wants_files(options.facets);
  const FileSetting file_settings = file_setting(options.facets, options.files);
  if (!sockets) image.only.assign(std::begin(life_programs), std::end(life_programs));
  auto& chosen = sockets ? image.without : image.only;
  if (sockets != files) chosen.insert(chosen.end(), std::begin(file_programs_here), std::end(file_programs_here));
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
  running.files = file_settings;
  if (files && !compat_open_syscalls().empty()) running.blind.push_back(blind_32bit_opens);
  auto backend = BpfBackend::make(std::move(*object), std::move(running));
  if (!backend) return std::unexpected(backend.error());
  BpfObject& loaded = (*backend)->object();
  if (auto written = write_syscall_ops(loaded.map_fd("ops"), descriptor_syscalls()); !written)
    return std::unexpected(written.error());
  if (auto written = write_file_maps(loaded, file_settings); !written) return std::unexpected(written.error());
  loaded.attach_all(opened.outcomes);
  auto refused = settle_facets(needs, options.facets, opened.outcomes);
  if (!refused) return std::unexpected(refused.error());
  opened.refused = std::move(*refused);
  if (sockets) {
    if (auto there = require_attached(required_programs, opened.outcomes); !there)
      return std::unexpected(there.error());
    // Attach first, look second: what is opened in between is seen by the programs, and their entries stay.
    DescriptorTrackerOptions tracking;
    tracking.destroy_seen = attached(opened.outcomes, "floor_destroy");
    (*backend)->follow(std::make_unique<DescriptorTracker>(
        *options.ownership, kernel_descriptors(loaded.map_fd("descriptors"), loaded.map_fd("streams")), tracking));
  }
  if (files && require_attached(file_programs_here, opened.outcomes)) (*backend)->expect_files();
  if (auto tested = (*backend)->run_self_test(); !tested) return std::unexpected(tested.error());
  if (auto carried = carry_plaintext(**backend, options.plaintext, options.facets, opened); !carried)
    return std::unexpected(carried.error());
  opened.self_test_seen = (*backend)->self_test_seen();
  opened.backend = std::move(*backend);
  return opened;
}

}  // namespace tracer
