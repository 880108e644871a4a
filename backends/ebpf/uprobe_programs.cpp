#include "backends/ebpf/uprobe_programs.h"

#include <charconv>
#include <fstream>
#include <string>
#include <utility>

#include "backends/bpf/hash_map.h"
#include "backends/ebpf/slot_programs.h"
#include "backends/ebpf/uprobe_wire.h"

extern "C" {
extern const unsigned char ebpf_uprobe_start[], ebpf_uprobe_end[];
extern const unsigned char ebpf_uprobe_perf_start[], ebpf_uprobe_perf_end[];
}

namespace tracer {
namespace {

constexpr std::string_view prefix = "tracer_";

// A call whose result is told is counted when it returns; what went in is seen only when it begins.
bool needs_entry(const CryptoFunction& function) {
  return function.result == CallResult::none || function.name_argument != 0 || function.size_argument != 0;
}
bool needs_return(const CryptoFunction& function) { return function.result != CallResult::none; }

SlotPrograms programs_for(std::span<const CryptoFunction> functions, bool many_places) {
  std::vector<SlotNeed> needs;
  for (const CryptoFunction& function : functions) needs.push_back({needs_entry(function), needs_return(function)});
  return {prefix, std::move(needs), many_places};
}

uprobe_result wire_result(CallResult result) {
  switch (result) {
    case CallResult::none:
      break;
    case CallResult::integer:
      return UPROBE_RESULT_INT;
    case CallResult::number:
      return UPROBE_RESULT_LONG;
    case CallResult::pointer:
      return UPROBE_RESULT_POINTER;
  }
  return UPROBE_RESULT_NONE;
}

}  // namespace

Result<std::unique_ptr<BpfObject>> load_uprobe_programs(const UprobePrograms& wanted,
                                                        std::vector<AttachOutcome>& outcomes) {
  if (wanted.functions.size() > UPROBE_SLOTS)
    return fail(Errc::invalid_argument, "the table of functions has more than " + std::to_string(UPROBE_SLOTS));
  const SlotPrograms programs = programs_for(wanted.functions, wanted.many_places);
  BpfImage image;
  image.bytes = wanted.ring_buffer ? std::span(ebpf_uprobe_start, ebpf_uprobe_end)
                                   : std::span(ebpf_uprobe_perf_start, ebpf_uprobe_perf_end);
  image.name = "tracer";
  image.only = {"tracer_beat", "tracer_exec", "tracer_fork", "tracer_exit"};
  if (wanted.many_places) image.at_many_places = {"tracer_beat"};
  programs.choose(image);
  image.map_entries = {{"counts", static_cast<std::uint32_t>(wanted.counters_max)}};
  if (wanted.ring_buffer) image.map_entries.push_back({"events", static_cast<std::uint32_t>(wanted.ring_bytes)});
  auto object = BpfObject::load(image, outcomes);
  if (!object) return std::unexpected(object.error());
  for (std::uint32_t slot = 0; slot < wanted.functions.size(); ++slot) {
    const CryptoFunction& function = wanted.functions[slot];
    const uprobe_slot row{function.name_argument, function.size_argument,
                          static_cast<std::uint8_t>(wire_result(function.result)), 0};
    hash_map_set((*object)->map_fd("slots"), &slot, &row, true);
  }
  return object;
}

std::vector<FunctionPrograms> function_programs(const BpfObject& object, std::span<const CryptoFunction> functions,
                                                bool many_places) {
  return programs_for(functions, many_places).find(object);
}

CommonPrograms common_programs(const BpfObject& object) { return programs_for({}, true).find_common(object); }

// Where child_pid lies in the record of sched:sched_process_fork, which changed with 6.16; 0: not known.
std::uint32_t fork_child_offset() {
  for (const char* root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    std::ifstream file(std::string(root) + "/events/sched/sched_process_fork/format");
    for (std::string line; std::getline(file, line);) {
      constexpr std::string_view label = "offset:";
      const std::size_t at = line.find(label);
      if (!line.contains(" child_pid;") || at == std::string::npos) continue;
      std::uint32_t offset = 0;
      std::from_chars(line.data() + at + label.size(), line.data() + line.size(), offset);
      return offset;
    }
  }
  return 0;
}

}  // namespace tracer
