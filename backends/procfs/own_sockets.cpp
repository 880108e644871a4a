#include "backends/procfs/own_sockets.h"

#include <algorithm>
#include <utility>

namespace tracer::procfs {
namespace {

constexpr std::uint64_t read_interval_ns_min = 50'000'000;
constexpr std::uint64_t read_cost_factor = 10;

}  // namespace

Result<OwnSockets> OwnSockets::open(const ProcReader& proc, bool use_sock_diag, std::size_t sockets_max,
                                    std::function<std::uint64_t()> now_ns) {
  OwnSockets made(sockets_max, std::move(now_ns));
  if (use_sock_diag && made.open_sock_diag()) return made;
  auto self = proc.self();
  if (!self) return fail(Errc::not_found, "this /proc does not show the tracer itself");
  made.tables_.emplace(*std::move(self), SocketLister(0, false, sockets_max));
  if (auto read = made.read_tables(); !read) return std::unexpected(read.error());
  return made;
}

Result<void> OwnSockets::open_sock_diag() {
  auto opened = SockDiag::open();
  if (!opened) return std::unexpected(opened.error());
  // Whether TCP is in it is known only by asking.
  std::vector<ListedSocket> listeners;
  if (const auto listed = opened->listeners(listeners, 1); !listed) return std::unexpected(listed.error());
  sock_diag_.emplace(*std::move(opened));
  return {};
}

Result<void> OwnSockets::read_tables() {
  const std::uint64_t began_ns = now_ns_();
  auto listed = tables_->lister.list(0, tables_->self);
  const std::uint64_t done_ns = now_ns_();
  tables_->next_read_ns = done_ns + std::max(read_interval_ns_min, (done_ns - began_ns) * read_cost_factor);
  if (!listed) return fail(Errc::not_found, "/proc/net/tcp cannot be read");
  tables_->read = *std::move(listed);
  return {};
}

Result<bool> OwnSockets::read_tables_if_due() {
  if (now_ns_() < tables_->next_read_ns) return false;
  if (auto read = read_tables(); !read) return std::unexpected(read.error());
  return true;
}

Result<OwnSockets::Socket> OwnSockets::lookup(const Endpoint& local, const Endpoint& remote) {
  if (sock_diag_) {
    auto found = sock_diag_->lookup(local, remote);
    if (!found) return std::unexpected(found.error());
    return Socket{found->facts, found->uid};
  }
  const auto fresh = read_tables_if_due();
  if (!fresh) return fail(Errc::os, fresh.error().context);
  const auto found = std::ranges::find_if(
      tables_->read, [&](const SocketFacts& socket) { return socket.local == local && socket.remote == remote; });
  if (found != tables_->read.end()) return Socket{*found, std::nullopt};
  if (!*fresh) return fail(Errc::exhausted, "/proc/net/tcp was read a moment ago");
  return fail(Errc::not_found, "no such socket");
}

Result<std::vector<SocketFacts>> OwnSockets::listeners() {
  std::vector<SocketFacts> found;
  if (sock_diag_) {
    std::vector<ListedSocket> listed;
    if (const auto dump = sock_diag_->listeners(listed, sockets_max_); !dump) return std::unexpected(dump.error());
    for (const ListedSocket& socket : listed) found.push_back(socket.facts);
    return found;
  }
  if (const auto fresh = read_tables_if_due(); !fresh) return std::unexpected(fresh.error());
  std::ranges::copy_if(tables_->read, std::back_inserter(found),
                       [](const SocketFacts& socket) { return socket.state == TcpState::listen; });
  return found;
}

Result<std::vector<OwnSockets::Socket>> OwnSockets::all(std::size_t count_max) {
  std::vector<Socket> found;
  if (sock_diag_) {
    std::vector<ListedSocket> listed;
    if (const auto dump = sock_diag_->dump(listed, count_max); !dump) return std::unexpected(dump.error());
    for (const ListedSocket& socket : listed) found.push_back({socket.facts, socket.uid});
    return found;
  }
  if (const auto read = read_tables(); !read) return std::unexpected(read.error());
  for (const SocketFacts& socket : tables_->read) {
    if (found.size() == count_max) break;
    found.push_back({socket, std::nullopt});
  }
  return found;
}

}  // namespace tracer::procfs
