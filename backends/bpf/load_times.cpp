#include "backends/bpf/load_times.h"

#include <algorithm>

namespace tracer {

std::vector<LoadTime> load_times(std::vector<LoadStamp> stamps, std::uint64_t from_ns, std::uint64_t until_ns) {
  constexpr double ns_per_ms = 1e6;
  std::erase_if(stamps, [](const LoadStamp& stamp) { return stamp.began_ns == 0; });
  std::ranges::sort(stamps, {}, &LoadStamp::began_ns);
  std::vector<LoadTime> times;
  for (std::size_t i = 0; i < stamps.size(); ++i) {
    const bool last = i + 1 == stamps.size();
    const std::uint64_t began = stamps[i].began_ns;
    if (last && (began < from_ns || began > until_ns)) break;
    const std::uint64_t ended = last ? until_ns : stamps[i + 1].began_ns;
    times.push_back({stamps[i].program, static_cast<double>(ended - began) / ns_per_ms});
  }
  return times;
}

}  // namespace tracer
