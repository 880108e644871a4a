#include "backends/ebpf/tls_programs.h"

#include <string>

#include "backends/bpf/hash_map.h"
#include "backends/ebpf/slot_programs.h"

extern "C" {
extern const unsigned char ebpf_tls_start[], ebpf_tls_end[];
extern const unsigned char ebpf_tls_perf_start[], ebpf_tls_perf_end[];
}

namespace tracer {
namespace {

constexpr std::string_view prefix = "tracer_tls_";
constexpr std::string_view shared_maps[] = {"events", "counters", "config", "losses", "verdicts", "tls_calls"};

// What happens at the entry of these is all there is to see.
bool is_done_at_entry(std::uint8_t op) {
  return op == TLS_OP_NONE || op == TLS_OP_SET_FD || op == TLS_OP_CLEAR || op == TLS_OP_FREE;
}

SlotPrograms programs_for(std::span<const TlsFunction> functions, bool many_places) {
  std::vector<SlotNeed> needs;
  for (const TlsFunction& function : functions)
    needs.push_back({function.slot.op != TLS_OP_NONE, !is_done_at_entry(function.slot.op)});
  return {prefix, std::move(needs), many_places};
}

}  // namespace

Result<std::unique_ptr<BpfObject>> load_tls_programs(const TlsPrograms& wanted, const BpfObject& carrier,
                                                     std::vector<AttachOutcome>& outcomes) {
  if (wanted.functions.size() > TLS_SLOTS)
    return fail(Errc::invalid_argument, "the table of functions has more than " + std::to_string(TLS_SLOTS));
  const SlotPrograms programs = programs_for(wanted.functions, wanted.many_places);
  BpfImage image;
  image.bytes =
      wanted.ring_buffer ? std::span(ebpf_tls_start, ebpf_tls_end) : std::span(ebpf_tls_perf_start, ebpf_tls_perf_end);
  image.name = "tracer";
  image.keep_user_reads = wanted.ring_buffer;  // kernels that have one (5.8) can tell user memory from their own
  programs.choose(image);
  for (const std::string_view map : shared_maps) {
    const int fd = carrier.map_fd(map);
    if (fd < 0) return fail(Errc::invalid_argument, "the carrier has no map " + std::string(map));
    image.shared_maps.push_back({map, fd});
  }
  auto object = BpfObject::load(image, outcomes);
  if (!object) return std::unexpected(object.error());
  for (std::uint32_t slot = 0; slot < wanted.functions.size(); ++slot)
    hash_map_set((*object)->map_fd("tls_slots"), &slot, &wanted.functions[slot].slot, true);
  return object;
}

std::vector<FunctionPrograms> tls_function_programs(const BpfObject& object, std::span<const TlsFunction> functions,
                                                    bool many_places) {
  return programs_for(functions, many_places).find(object);
}

CommonPrograms tls_common_programs(const BpfObject& object) { return programs_for({}, true).find_common(object); }

}  // namespace tracer
