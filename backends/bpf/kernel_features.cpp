#include "backends/bpf/kernel_features.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/base/btf_ids.h"
#include "core/base/unique_fd.h"

namespace tracer {

Result<KernelFeatures> find_kernel_features(Bytes types) {
  // The guard's own data was there until 6.12 as well, for idle tasks only; what came in between tells the two apart.
  std::array wanted{BtfWanted{BtfKind::function, "bpf_loop"}, BtfWanted{BtfKind::function, "bpf_preempt_disable"},
                    BtfWanted{BtfKind::variable, "tracepoint_srcu_srcu_data"},
                    BtfWanted{BtfKind::structure, "tracepoint_ext"},
                    BtfWanted{BtfKind::type_definition, "btf_trace_io_uring_submit_req"}};
  if (auto found = find_btf_ids(types, wanted); !found) return std::unexpected(found.error());
  const auto& [loop, preempt_disable, guard, newer, submissions] = wanted;
  return KernelFeatures{loop.id != 0, preempt_disable.id != 0, guard.id != 0 && newer.id != 0, submissions.id != 0};
}

Result<std::vector<std::byte>> read_kernel_types(const std::string& chosen) {
  const std::string path = chosen.empty() ? kernel_types_path : chosen;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::unexpected(os_failure(errno, "open " + path));
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0) return std::unexpected(os_failure(errno, "look at " + path));
  constexpr std::size_t smallest = 4096;
  std::vector<std::byte> content(std::max(static_cast<std::size_t>(facts.st_size), smallest) + 1);
  std::size_t filled = 0;
  while (true) {
    const ssize_t got = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (got < 0) return std::unexpected(os_failure(errno, "read " + path));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
    if (filled < content.size()) continue;
    if (filled >= kernel_types_bytes_max) return fail(Errc::exhausted, path + " is larger than any type information");
    content.resize(2 * content.size());
  }
  content.resize(filled);
  return content;
}

}  // namespace tracer
