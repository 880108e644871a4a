// What a process keeps of its privileges once its packet sockets are open.
#pragma once

#include <span>

#include "core/base/result.h"

namespace tracer {

// Enough to ask who holds a socket: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH (descriptors of other users' processes),
// CAP_NET_ADMIN (notifications of closed sockets). An open packet socket needs none of them.
[[nodiscard]] std::span<const int> owner_lookup_capabilities();

// Gives up all capabilities of the calling process but these, for good: permitted, effective, inheritable and ambient.
// Only for a run that will not fall back to a backend that must open something of its own. What of `capabilities` it
// does not have it does not get. Call while there is one thread. A process of root still owns the files of root, and
// would get everything back by executing a program.
[[nodiscard]] Result<void> keep_only(std::span<const int> capabilities);

}  // namespace tracer
