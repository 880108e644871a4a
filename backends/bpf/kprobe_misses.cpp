#include "backends/bpf/kprobe_misses.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cstring>

namespace tracer {
namespace {

// struct bpf_link_info with its part for kprobes, as of 3acf8ace6823 ("bpf: Add missed value to kprobe perf link info",
// 6.7, backported to 6.6). The system's header may be older; an older kernel fills in less of it.
struct KprobeLinkInfo {
  std::uint32_t type;
  std::uint32_t id;
  std::uint32_t program;
  std::uint32_t pad0;
  std::uint32_t event_type;
  std::uint32_t pad1;
  std::uint64_t function_name;
  std::uint32_t function_name_bytes;
  std::uint32_t offset;
  std::uint64_t address;
  std::uint64_t missed;
};
constexpr std::uint32_t link_on_perf_event = 7;  // BPF_LINK_TYPE_PERF_EVENT
constexpr std::uint32_t event_kprobe = 3;        // BPF_PERF_EVENT_KPROBE
constexpr std::uint32_t event_kretprobe = 4;     // BPF_PERF_EVENT_KRETPROBE

}  // namespace

std::optional<std::uint64_t> kprobe_misses_in(Bytes link_info) {
  KprobeLinkInfo info;
  if (link_info.size() < sizeof info) return std::nullopt;
  std::memcpy(&info, link_info.data(), sizeof info);
  if (info.type != link_on_perf_event) return std::nullopt;
  if (info.event_type != event_kprobe && info.event_type != event_kretprobe) return std::nullopt;
  return info.missed;
}

std::uint64_t kprobe_misses(const bpf_link* link) {
  alignas(8) std::array<std::byte, 256> info{};  // larger than any kernel's
  auto size = static_cast<std::uint32_t>(info.size());
  if (bpf_obj_get_info_by_fd(bpf_link__fd(link), info.data(), &size) != 0) return 0;
  return kprobe_misses_in(Bytes(info).first(size)).value_or(0);
}

}  // namespace tracer
