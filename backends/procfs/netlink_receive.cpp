#include "backends/procfs/netlink_receive.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

namespace tracer::procfs {

Result<std::optional<Bytes>> receive_from_kernel(int socket, std::span<std::byte> buffer, std::uint64_t& overflows,
                                                 std::string_view what) {
  for (;;) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const ssize_t size =
        ::recvfrom(socket, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0) {
      if (errno == EAGAIN) return std::nullopt;
      if (errno == EINTR) continue;
      if (errno != ENOBUFS) return std::unexpected(os_failure(errno, std::string(what) + ": read"));
      ++overflows;
      continue;
    }
    if (from.nl_pid != 0) continue;  // only the kernel is believed
    return Bytes(buffer.data(), static_cast<std::size_t>(size));
  }
}

}  // namespace tracer::procfs
