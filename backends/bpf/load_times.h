// How long each program of an object took to load, found without loading twice: the kernel stamps a program when the
// verifier begins with it (bpf_prog_info::load_time, since 4.15), and programs are loaded one after the other. So one
// ends where the next begins, and the last when the loader returned. What lies between two programs is the loader's
// own work, some microseconds.
//
// Ways that were not taken: BPF_LOG_STATS names the verifier's time exactly, but needs a log for each program, leaves
// the compiler out and came with 5.2; libbpf's hooks before each load replace what it does for the sections.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tracer {

struct LoadStamp {
  std::string_view program;
  std::uint64_t began_ns = 0;  // CLOCK_BOOTTIME of the kernel; 0: it does not say
};

struct LoadTime {
  std::string_view program;
  double ms = 0;
};

// `from_ns`, `until_ns`: around the loading of all of them, CLOCK_BOOTTIME as this process reads it. In a time
// namespace that is another clock, and then nothing is known of the last program. Pure.
[[nodiscard]] std::vector<LoadTime> load_times(std::vector<LoadStamp> stamps, std::uint64_t from_ns,
                                               std::uint64_t until_ns);

}  // namespace tracer
