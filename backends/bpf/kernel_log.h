// What the kernel logged since a moment: why a security module refused a load is said nowhere else.
#pragma once

#include <cstddef>
#include <string>

#include "core/base/unique_fd.h"

namespace tracer {

class KernelLog {
 public:
  // Reading it may not be permitted, or it may not be there; then there is never anything in it.
  explicit KernelLog(const char* path = "/dev/kmsg");
  // The messages, by lines, that came since the last call or since this was made. Waits for nothing.
  [[nodiscard]] std::string fresh();

 private:
  UniqueFd file_;
};

inline constexpr std::size_t kernel_log_records_max = 64;  // looked at in one call; later ones wait for the next

}  // namespace tracer
