#include "backends/procfs/socket_lister.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "backends/procfs/proc_net_tcp.h"

namespace tracer::procfs {
namespace {

constexpr std::size_t table_buffer_bytes = std::size_t{64} * 1024;  // a line has 150 (tcp) or 200 (tcp6) bytes at most

}  // namespace

SocketLister::SocketLister(std::uint64_t own_namespace, bool use_sock_diag, std::size_t sockets_max)
    : own_namespace_(own_namespace), sockets_max_(sockets_max) {
  if (!use_sock_diag) {
    sock_diag_error_ = Error{Errc::invalid_argument, 0, "sock_diag: switched off by request", {}};
    return;
  }
  if (own_namespace == 0) {
    sock_diag_error_ = Error{Errc::not_found, 0, "sock_diag: this /proc does not show the tracer itself", {}};
    return;
  }
  auto opened = SockDiag::open();
  if (opened) {
    sock_diag_.emplace(*std::move(opened));
  } else {
    sock_diag_error_ = std::move(opened.error());
  }
}

Found<std::vector<SocketFacts>> SocketLister::list(std::uint64_t network_namespace, const ProcessDirectory& member) {
  std::vector<SocketFacts> found;
  if (sock_diag_ && network_namespace == own_namespace_ && list_by_sock_diag(*sock_diag_, found)) return found;

  found.clear();
  ++counters_.proc_tables_read;
  if (const auto ipv4 = list_table(member, "net/tcp", found); !ipv4) return std::unexpected(ipv4.error());
  // A kernel without IPv6 has no second table, and no such sockets.
  const auto ipv6 = list_table(member, "net/tcp6", found);
  if (!ipv6 && ipv6.error() != Refusal::gone) return std::unexpected(ipv6.error());
  return found;
}

bool SocketLister::list_by_sock_diag(SockDiag& sock_diag, std::vector<SocketFacts>& found) {
  std::vector<ListedSocket> listed;
  const auto dump = sock_diag.dump(listed, sockets_max_);
  if (!dump) {
    // Most failures stay (no module, not permitted); trying each time would only delay the way that works.
    sock_diag_error_ = dump.error();
    sock_diag_.reset();
    return false;
  }
  ++counters_.sock_diag_dumps;
  counters_.sockets_over_limit += dump->over_limit;
  if (!dump->consistent) ++counters_.inconsistent_dumps;
  found.reserve(listed.size());
  for (const ListedSocket& socket : listed) found.push_back(socket.facts);
  return true;
}

Found<void> SocketLister::list_table(const ProcessDirectory& member, const char* name,
                                     std::vector<SocketFacts>& found) {
  const auto file = member.open(name);
  if (!file) return std::unexpected(file.error());
  std::array<char, table_buffer_bytes> buffer;
  std::size_t held = 0;
  bool heading = true;
  for (;;) {
    const ssize_t count = ::read(file->get(), buffer.data() + held, buffer.size() - held);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(Refusal::failed);
    if (count == 0) return {};
    std::string_view text(buffer.data(), held + static_cast<std::size_t>(count));
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      const auto socket = parse_proc_net_tcp_line(text.substr(0, end));
      text.remove_prefix(end + 1);
      if (!socket) {
        if (!heading) ++counters_.lines_malformed;
      } else if (socket->facts.inode != 0) {
        if (found.size() < sockets_max_) {
          found.push_back(socket->facts);
        } else {
          ++counters_.sockets_over_limit;
        }
      }
      heading = false;
    }
    if (text.size() == buffer.size()) {  // no newline in all of it: not a table
      ++counters_.lines_malformed;
      return std::unexpected(Refusal::malformed);
    }
    std::memmove(buffer.data(), text.data(), text.size());
    held = text.size();
  }
}

}  // namespace tracer::procfs
