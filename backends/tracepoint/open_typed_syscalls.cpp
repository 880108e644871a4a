// Opens tp_btf on kernels that refuse to read kernel memory by helper (lockdown=confidentiality): the floor's programs
// on typed raw tracepoints. The kernel is asked nothing but what the arguments of these tracepoints say, so descriptors
// are followed as by syscall_tp; but it needs neither tracefs nor perf events, which such kernels hide as well.
#include <algorithm>
#include <array>

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
constexpr FacetNeed needs[] = {{Facet::http, required_programs},
                               {Facet::connection, state_programs},
                               {Facet::process, std::span(life_programs).first(2)}};

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
  if (!sockets) image.only.assign(std::begin(life_programs), std::end(life_programs));
  image.map_entries = {{"copy_works", possible_processors()},
                       {"events", static_cast<std::uint32_t>(options.ring_bytes)}};
  OpenedBackend opened;
  opened.kind = BackendKind::tracepoint;
  opened.mechanism = options.mechanism;
  auto object = BpfObject::load(image, opened.outcomes);
  if (!object) return std::unexpected(object.error());
  auto backend = BpfBackend::make(std::move(*object), running_options(options));
  if (!backend) return std::unexpected(backend.error());
  BpfObject& loaded = (*backend)->object();
  if (auto written = write_syscall_ops(loaded.map_fd("ops"), descriptor_syscalls()); !written)
    return std::unexpected(written.error());
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

  if (auto tested = (*backend)->run_self_test(); !tested) return std::unexpected(tested.error());
  opened.self_test_seen = (*backend)->self_data_seen();
  opened.backend = std::move(*backend);
  return opened;
}

}  // namespace tracer
