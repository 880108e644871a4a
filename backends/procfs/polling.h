// Backend `procfs`, facet connection: which TCP connections there are, whose they are, and how many bytes went
// through, by asking the kernel (sock_diag) every now and then; with the kernel's notice of each socket that ends,
// where that may be heard (CAP_NET_ADMIN). No byte is ever seen. Covers the tracer's own network namespace.
//
// Mechanism proc_net reads the tables under /proc/net instead, for kernels without sock_diag for TCP: no byte counts,
// no measurements, and connections that live between two looks are not seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "backends/procfs/socket_owners.h"
#include "core/backend.h"

namespace tracer {

struct PollingOptions {
  std::string proc_root = "/proc";
  std::shared_ptr<ProcSocketOwners> owners = nullptr;  // null: an own one
  std::uint64_t interval_ns = 200'000'000;             // between two looks
  std::uint64_t hurried_interval_ns = 500'000;         // while a process is new and likely to connect; 0: never hurries
  std::uint64_t hurry_ns = 20'000'000;                 // after the beginning of a process
  std::uint32_t hurry_cost_factor = 10;        // a hurried look waits at least this many times what the last one cost
  Mechanism mechanism = Mechanism::sock_diag;  // or proc_net
  bool use_destroy_notices = true;
  std::size_t sockets_max = 65'536;
  std::function<std::uint64_t()> now_ns = procfs::monotonic_now_ns;
};

// Answers after a first look that worked.
[[nodiscard]] Result<OpenedBackend> open_polling(PollingOptions options);

}  // namespace tracer
