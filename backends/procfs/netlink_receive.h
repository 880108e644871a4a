// Reading notices that the kernel sends over netlink without being asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace tracer::procfs {

// The next datagram, in `buffer`; nullopt: there is none now. What other processes send is passed over. Each time the
// socket had no room for notices adds one to `overflows`. `what` names the socket in an error.
[[nodiscard]] Result<std::optional<Bytes>> receive_from_kernel(int socket, std::span<std::byte> buffer,
                                                               std::uint64_t& overflows, std::string_view what);

}  // namespace tracer::procfs
