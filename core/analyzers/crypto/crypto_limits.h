// What looking into files may cost.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tracer {

struct CryptoLimits {
  std::size_t file_bytes_max = 1U << 20;      // of one file; the rest is not looked at
  std::size_t assets_max = 16;                // told of one file; the rest is counted
  std::size_t certificates_max = 16;          // more make a file a trust store: one asset
  std::size_t cache_entries_max = 4096;       // files whose contents are remembered
  std::size_t cache_bytes_max = 8U << 20;     // of what is remembered of them
  std::size_t looks_per_tick = 4;             // of one process at one path; then the last answer is given again
  std::size_t recent_entries_max = 256;       // such answers, until the next tick
  std::size_t recent_bytes_max = 1U << 20;    // of them
  std::size_t library_bytes_max = 16U << 20;  // searched for a version
  std::size_t library_cache_entries_max = 1024;
};

}  // namespace tracer
