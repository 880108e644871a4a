// Every system call that moves bytes from or to user memory, and the ways to make and end a connection.
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <vector>

#include "tests/workloads/run.h"

namespace tracer::workload {
namespace {

// `bytes` as `count` segments of nearly equal size.
std::vector<iovec> segments(std::string_view bytes, std::size_t count) {
  std::vector<iovec> made;
  for (std::size_t i = 0; i < count; ++i) {
    const auto from = bytes.size() * i / count;
    const auto to = bytes.size() * (i + 1) / count;
    made.push_back({const_cast<char*>(bytes.data()) + from, to - from});
  }
  return made;
}

std::size_t received(ssize_t size, std::string_view what) {
  require(size >= 0, what);
  return static_cast<std::size_t>(size);
}

// Calls `step` with what is left until all is sent: any of these calls may move less than it was asked to.
void send_in_steps(std::string_view bytes, std::string_view what,
                   const std::function<ssize_t(std::string_view)>& step) {
  while (!bytes.empty()) bytes.remove_prefix(received(step(bytes), what));
}

void writev_20(int fd, std::string_view bytes) {
  send_in_steps(bytes, "writev", [&](std::string_view rest) {
    const auto parts = segments(rest, 20);
    return ::writev(fd, parts.data(), static_cast<int>(parts.size()));
  });
}

void pwritev2_here(int fd, std::string_view bytes) {
  send_in_steps(bytes, "pwritev2", [&](std::string_view rest) {
    const auto parts = segments(rest, 5);
    return ::pwritev2(fd, parts.data(), static_cast<int>(parts.size()), -1, 0);
  });
}

void sendmsg_3(int fd, std::string_view bytes) {
  send_in_steps(bytes, "sendmsg", [&](std::string_view rest) {
    auto parts = segments(rest, 3);
    msghdr header{};
    header.msg_iov = parts.data();
    header.msg_iovlen = parts.size();
    return ::sendmsg(fd, &header, MSG_NOSIGNAL);
  });
}

// Four messages of two segments in one call. The messages are small enough to be taken whole.
void sendmmsg_4(int fd, std::string_view bytes) {
  auto parts = segments(bytes, 8);
  std::array<mmsghdr, 4> headers{};
  for (std::size_t i = 0; i < headers.size(); ++i) {
    headers[i].msg_hdr.msg_iov = &parts[i * 2];
    headers[i].msg_hdr.msg_iovlen = 2;
  }
  require(::sendmmsg(fd, headers.data(), headers.size(), MSG_NOSIGNAL) == 4, "sendmmsg");
  std::size_t sent = 0;
  for (const auto& header : headers) sent += header.msg_len;
  require(sent == bytes.size(), "sendmmsg sent less than asked");
}

std::size_t readv_3(int fd, std::span<char> room) {
  const auto parts = segments({room.data(), room.size()}, 3);
  return received(::readv(fd, parts.data(), static_cast<int>(parts.size())), "readv");
}

// Small segments, so that a response spans many of them.
std::size_t preadv2_here(int fd, std::span<char> room) {
  const auto parts = segments({room.data(), std::min<std::size_t>(room.size(), 200)}, 10);
  return received(::preadv2(fd, parts.data(), static_cast<int>(parts.size()), -1, 0), "preadv2");
}

std::size_t recvmsg_3(int fd, std::span<char> room) {
  auto parts = segments({room.data(), std::min<std::size_t>(room.size(), 90)}, 3);
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  return received(::recvmsg(fd, &header, 0), "recvmsg");
}

std::size_t recvmmsg_4(int fd, std::span<char> room) {
  auto parts = segments({room.data(), 4 * 40}, 4);
  std::array<mmsghdr, 4> headers{};
  for (std::size_t i = 0; i < headers.size(); ++i) {
    headers[i].msg_hdr.msg_iov = &parts[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  const int count = ::recvmmsg(fd, headers.data(), headers.size(), MSG_WAITFORONE, nullptr);
  require(count >= 1, "recvmmsg");
  std::size_t size = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    // Only the last message may be short, or the bytes would not be in one piece.
    require(i + 1 == static_cast<std::size_t>(count) || headers[i + 1].msg_len == 0 || headers[i].msg_len == 40,
            "recvmmsg left a hole");
    size += headers[i].msg_len;
  }
  return size;
}

std::size_t peek_then_recv(int fd, std::span<char> room) {
  const auto peeked = received(::recv(fd, room.data(), room.size(), MSG_PEEK), "recv MSG_PEEK");
  const auto taken = received(::recv(fd, room.data(), std::min<std::size_t>(peeked, 50), 0), "recv");
  require(taken == std::min<std::size_t>(peeked, 50), "recv after a peek");
  return taken;
}

std::size_t ten_bytes(int fd, std::span<char> room) {
  return received(::read(fd, room.data(), std::min<std::size_t>(room.size(), 10)), "read");
}

bool client_receives(Run& run, const Receive& receive) {
  return one_connection(run, gets(run.name(), 4), {send_all, receive});
}

// The same call at both ends: neither observer has an easier way to see the bytes.
bool both_ends(Run& run, const Io& io) { return one_connection(run, gets(run.name(), 6), io, io); }

bool writev_20_scenario(Run& run) { return both_ends(run, {writev_20, read_some}); }
bool sendmsg_3_scenario(Run& run) { return both_ends(run, {sendmsg_3, recv_some}); }
bool sendmmsg_scenario(Run& run) { return both_ends(run, {sendmmsg_4, recv_some}); }
bool readv_scenario(Run& run) { return both_ends(run, {write_all, readv_3}); }
bool recvmsg_scenario(Run& run) { return both_ends(run, {write_all, recvmsg_3}); }
bool recvmmsg_scenario(Run& run) { return both_ends(run, {write_all, recvmmsg_4}); }
bool preadv2_pwritev2(Run& run) { return both_ends(run, {pwritev2_here, preadv2_here}); }
bool msg_peek(Run& run) { return client_receives(run, peek_then_recv); }
bool short_recv(Run& run) { return client_receives(run, ten_bytes); }

bool msg_waitall(Run& run) {
  const auto exchanges = gets(run.name(), 4);
  const auto server = run.serve([&](int listener) { serve_one(listener, exchanges, {write_single_bytes, read_some}); });
  return run.client([&] {
    Client client(run, server);
    for (const auto& each : exchanges) {
      const auto started = wall_time_ns();
      send_all(client.fd(), each.request_wire());
      receive_exactly(
          client.fd(), each.response_wire(),
          [](int fd, std::span<char> room) {
            return received(::recv(fd, room.data(), room.size(), MSG_WAITALL), "recv MSG_WAITALL");
          },
          each.response_wire().size());
      client.log(each, started, wall_time_ns());
    }
  });
}

// On TCP this flag throws the bytes away: they never reach user memory but the stream moves on.
bool msg_trunc(Run& run) {
  const std::array exchanges = {get("/msg-trunc/0", pattern(30'000)), get("/msg-trunc/1", "after the body")};
  const auto server = run.serve([&](int listener) { serve_one(listener, exchanges); });
  return run.client([&] {
    Client client(run, server);
    const auto started = wall_time_ns();
    send_all(client.fd(), exchanges[0].request_wire());
    const auto& response = exchanges[0].response;
    receive_exactly(client.fd(), response.head, [&](int fd, std::span<char> room) {
      return received(::recv(fd, room.data(), response.head.size(), MSG_WAITALL), "recv of the head");
    });
    for (std::size_t left = response.body.size(); left > 0;) {
      left -= received(::recv(client.fd(), nullptr, left, MSG_TRUNC), "recv MSG_TRUNC");
    }
    client.log(exchanges[0], started, wall_time_ns());
    client.make(exchanges[1]);
  });
}

bool write_1m(Run& run) {
  const std::array exchanges = {get("/write-1m/0", pattern(1024 * 1024)), get("/write-1m/1", "after the body")};
  return one_connection(run, exchanges);
}

bool nonblocking_connect(Run& run) {
  const auto exchanges = gets(run.name(), 3);
  const auto server = run.serve([&](int listener) { serve_one(listener, exchanges); });
  return run.client([&] {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto wait_for_events = [](int on, short events) {
      pollfd poll_fd{on, events, 0};
      require(::poll(&poll_fd, 1, 5000) == 1, "poll");
    };
    begin_connect(fd.get(), server);
    wait_for_events(fd.get(), POLLOUT);
    Client client(run, std::move(fd));
    const Receive receive = [&](int from, std::span<char> room) {
      for (;;) {
        const auto size = ::recv(from, room.data(), room.size(), 0);  // often fails with EAGAIN first
        if (size >= 0) return static_cast<std::size_t>(size);
        require(errno == EAGAIN, "recv");
        wait_for_events(from, POLLIN);
      }
    };
    for (const auto& each : exchanges) client.make(each, {send_all, receive});
  });
}

// A server that accepts three connections in its own way.
bool accepting(Run& run, const std::function<int(int listener)>& accept) {
  const auto exchanges = gets(run.name(), 6);
  const std::span all(exchanges);
  const auto server = run.serve([&](int listener) {
    for (std::size_t i = 0; i < 3; ++i) {
      const UniqueFd fd(accept(listener));
      require(static_cast<bool>(fd), "accept");
      answer(fd.get(), all.subspan(i * 2, 2));
      receive_end(fd.get(), read_some);
    }
  });
  return run.client([&] {
    for (std::size_t i = 0; i < 3; ++i) {
      Client client(run, server);
      for (const auto& each : all.subspan(i * 2, 2)) client.make(each);
    }
  });
}

bool accept_null(Run& run) {
  return accepting(run, [](int listener) { return ::accept(listener, nullptr, nullptr); });
}
bool accept4_sockaddr(Run& run) {
  return accepting(run, [](int listener) {
    sockaddr_storage peer{};
    socklen_t size = sizeof(peer);
    return ::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC);
  });
}

// Three connections that get the same descriptor, each closed by close_range.
bool close_range_scenario(Run& run) {
  const auto exchanges = gets(run.name(), 3);
  const std::span all(exchanges);
  const auto server = run.serve([&](int listener) {
    for (std::size_t i = 0; i < 3; ++i) serve_one(listener, all.subspan(i, 1));
  });
  return run.client([&] {
    for (const auto& each : exchanges) {
      auto fd = connect_to(server);
      const int number = fd.get();
      Client client(run, std::move(fd));
      client.make(each);
      // Raw: the wrapper is younger than some kernels' headers.
      require(::syscall(SYS_close_range, number, number, 0) == 0, "close_range");
      client.forget();
    }
  });
}

// Descriptors that all mean one socket; the first is closed half way, which must not end the connection.
class Aliases {
 public:
  explicit Aliases(int fd)
      : fds_{fd,
             ::dup(fd),
             ::dup3(fd, 200, O_CLOEXEC),
             ::fcntl(fd, F_DUPFD_CLOEXEC, 100),
             ::fcntl(fd, F_DUPFD, 150),
             ::dup2(fd, 210)} {
    require(*std::min_element(fds_.begin(), fds_.end()) >= 0, "dup");
  }
  int next() {
    if (used_++ == 5) ::close(fds_.front());
    return used_ <= 5 ? fds_[used_ % fds_.size()] : fds_[1 + used_ % (fds_.size() - 1)];
  }
  void close_rest() {
    for (std::size_t i = used_ > 5 ? 1 : 0; i < fds_.size(); ++i) ::close(fds_[i]);
  }

 private:
  std::array<int, 6> fds_;
  std::size_t used_ = 0;
};

bool dup_fds(Run& run) {
  const auto exchanges = gets(run.name(), 12);
  const auto server = run.serve([&](int listener) {
    Aliases aliases(accept_one(listener).release());
    for (const auto& each : exchanges) {
      receive_exactly(aliases.next(), each.request_wire(), read_some);
      write_all(aliases.next(), each.response_wire());
    }
    aliases.close_rest();
  });
  return run.client([&] {
    Client client(run, server);
    Aliases aliases(client.fd());
    for (const auto& each : exchanges) {
      const auto started = wall_time_ns();
      send_all(aliases.next(), each.request_wire());
      receive_exactly(aliases.next(), each.response_wire(), recv_some);
      client.log(each, started, wall_time_ns());
    }
    client.forget();
    aliases.close_rest();
  });
}

constexpr Scenario scenarios[] = {
    {"writev-20", "20 segments in a writev", writev_20_scenario},
    {"sendmsg-3", "3 segments in a sendmsg", sendmsg_3_scenario},
    {"sendmmsg", "4 messages in a sendmmsg", sendmmsg_scenario},
    {"readv", "3 segments in a readv", readv_scenario},
    {"recvmsg", "small segments in a recvmsg", recvmsg_scenario},
    {"recvmmsg", "small messages in a recvmmsg", recvmmsg_scenario},
    {"preadv2-pwritev2", "at offset -1, which means the stream", preadv2_pwritev2},
    {"msg-peek", "a peek before each recv", msg_peek},
    {"msg-trunc", "a body thrown away by MSG_TRUNC", msg_trunc},
    {"msg-waitall", "recv MSG_WAITALL while single bytes arrive", msg_waitall},
    {"short-recv", "reads of 10 bytes", short_recv},
    {"write-1m", "1 MiB in one write", write_1m},
    {"nonblocking-connect", "EINPROGRESS, poll, EAGAIN", nonblocking_connect},
    {"accept-null", "accept without an address", accept_null},
    {"accept4-sockaddr", "accept4 with an address", accept4_sockaddr},
    {"close-range", "connections closed by close_range, one descriptor number", close_range_scenario},
    {"dup-fds", "one connection over six descriptors", dup_fds},
};

}  // namespace

std::span<const Scenario> syscall_scenarios() { return scenarios; }

}  // namespace tracer::workload
