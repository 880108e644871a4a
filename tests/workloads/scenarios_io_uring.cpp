// Bytes that are moved by io_uring: no system call names the socket, and the thread that moves them may be the
// kernel's.
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/workloads/io_uring.h"
#include "tests/workloads/run.h"

namespace tracer::workload {
namespace {

using namespace std::chrono_literals;

// What an operation moved; gives up if it failed.
std::size_t moved(int result, std::string_view what) {
  if (result < 0) errno = -result;
  require(result >= 0, what);
  return static_cast<std::size_t>(result);
}

Io sends_and_receives(Ring& ring) {
  return {[&ring](int fd, std::string_view bytes) {
            while (!bytes.empty()) {
              auto sending = operation(IORING_OP_SEND, fd, bytes.data(), bytes.size());
              sending.msg_flags = MSG_NOSIGNAL;
              bytes.remove_prefix(moved(ring.run(sending), "IORING_OP_SEND"));
            }
          },
          [&ring](int fd, std::span<char> room) {
            return moved(ring.run(operation(IORING_OP_RECV, fd, room.data(), room.size())), "IORING_OP_RECV");
          }};
}

// Three segments of nearly equal size.
std::array<iovec, 3> segments(const char* bytes, std::size_t size) {
  auto* from = const_cast<char*>(bytes);
  const auto third = size / 3;
  return {{{from, third}, {from + third, third}, {from + 2 * third, size - 2 * third}}};
}

Io reads_and_writes(Ring& ring) {
  return {[&ring](int fd, std::string_view bytes) {
            while (!bytes.empty()) {
              const auto parts = segments(bytes.data(), bytes.size());
              bytes.remove_prefix(
                  moved(ring.run(operation(IORING_OP_WRITEV, fd, parts.data(), parts.size())), "IORING_OP_WRITEV"));
            }
          },
          [&ring](int fd, std::span<char> room) {
            // Small, so that a message spans several reads and a read several segments.
            const auto parts = segments(room.data(), std::min<std::size_t>(room.size(), 3000));
            return moved(ring.run(operation(IORING_OP_READV, fd, parts.data(), parts.size())), "IORING_OP_READV");
          }};
}

// Both ends move all bytes by a ring of their own: neither observer has an easier way to see them.
bool by_rings(Run& run, const RingOptions& options, Io (*io)(Ring&)) {
  auto exchanges = gets(run.name(), 4);
  exchanges.push_back(get("/" + run.name() + "/large", pattern(100'000)));
  exchanges.push_back(post("/" + run.name() + "/upload", pattern(40'000)));
  exchanges.push_back(get("/" + run.name() + "/last", "still in step"));
  const auto server = run.serve([&](int listener) {
    Ring ring(options);
    serve_one(listener, exchanges, io(ring));
  });
  return run.client([&] {
    Ring ring(options);
    Client client(run, server);
    for (const auto& each : exchanges) client.make(each, io(ring));
  });
}

constexpr RingOptions by_workers{.operation_flags = IOSQE_ASYNC};
// The kernel's thread takes descriptors only since 5.11, registered files always.
constexpr RingOptions by_poll_thread{.setup_flags = IORING_SETUP_SQPOLL, .operation_flags = IOSQE_FIXED_FILE};

bool send_recv(Run& run) { return by_rings(run, {}, sends_and_receives); }
bool readv_writev(Run& run) { return by_rings(run, {}, reads_and_writes); }
bool async(Run& run) { return by_rings(run, by_workers, sends_and_receives); }
bool sqpoll(Run& run) { return by_rings(run, by_poll_thread, sends_and_receives); }

// The client makes system calls: an observer of these has one end of the connection to tell everything from.
bool server_only(Run& run) {
  auto exchanges = gets(run.name(), 4);
  exchanges.push_back(get("/" + run.name() + "/large", pattern(100'000)));
  exchanges.push_back(post("/" + run.name() + "/upload", pattern(40'000)));
  const auto server = run.serve([&](int listener) {
    Ring ring;
    serve_one(listener, exchanges, sends_and_receives(ring));
  });
  return run.client([&] {
    Client client(run, server);
    for (const auto& each : exchanges) {
      std::this_thread::sleep_for(
          60ms);  // time to find out which two ends belong together, and to rely on the wrong one
      client.make(each);
    }
  });
}

void close_by(Ring& ring, int fd) {
  static_cast<void>(moved(ring.run(operation(IORING_OP_CLOSE, fd, nullptr, 0)), "IORING_OP_CLOSE"));
}

// Only the connections are made and closed by rings, the bytes are moved by system calls. The descriptors are the same
// numbers again and again.
bool accept_connect(Run& run) {
  const auto exchanges = gets(run.name(), 6);
  const std::span all(exchanges);
  const auto server = run.serve([&](int listener) {
    Ring ring;
    for (std::size_t i = 0; i < 3; ++i) {
      sockaddr_storage peer{};
      socklen_t size = sizeof(peer);
      auto accepting = operation(IORING_OP_ACCEPT, listener, &peer, 0);
      accepting.addr2 = reinterpret_cast<std::uintptr_t>(&size);
      accepting.accept_flags = SOCK_CLOEXEC;
      const int fd = static_cast<int>(moved(ring.run(accepting), "IORING_OP_ACCEPT"));
      answer(fd, all.subspan(i * 2, 2));
      receive_end(fd, read_some);
      close_by(ring, fd);
    }
  });
  return run.client([&] {
    Ring ring;
    const Connect connect = [&](int fd, const sockaddr* where, socklen_t size) {
      auto connecting = operation(IORING_OP_CONNECT, fd, where, 0);
      connecting.off = size;
      static_cast<void>(moved(ring.run(connecting), "IORING_OP_CONNECT"));
    };
    for (std::size_t i = 0; i < 3; ++i) {
      Client client(run, connect_by(connect, server));
      for (const auto& each : all.subspan(i * 2, 2)) client.make(each);
      close_by(ring, client.fd());
      client.forget();
    }
  });
}

std::string no_send_recv() { return io_uring_refusal(0, std::array{IORING_OP_SEND, IORING_OP_RECV}); }
std::string no_readv_writev() { return io_uring_refusal(0, std::array{IORING_OP_READV, IORING_OP_WRITEV}); }
std::string no_sqpoll() { return io_uring_refusal(IORING_SETUP_SQPOLL, std::array{IORING_OP_SEND, IORING_OP_RECV}); }
std::string no_accept_connect() {
  return io_uring_refusal(0, std::array{IORING_OP_ACCEPT, IORING_OP_CONNECT, IORING_OP_CLOSE});
}

constexpr Scenario scenarios[] = {
    {"io-uring-send-recv", "IORING_OP_SEND and IORING_OP_RECV at both ends", send_recv, Needs::socket_layer,
     no_send_recv},
    {"io-uring-readv-writev", "3 segments in IORING_OP_WRITEV and IORING_OP_READV", readv_writev, Needs::socket_layer,
     no_readv_writev},
    {"io-uring-async", "IOSQE_ASYNC: workers of the kernel move the bytes", async, Needs::socket_layer, no_send_recv},
    {"io-uring-sqpoll", "a thread of the kernel submits, on a registered file", sqpoll, Needs::socket_layer, no_sqpoll},
    {"io-uring-server", "a server by IORING_OP_SEND and IORING_OP_RECV, a client by system calls", server_only,
     Needs::socket_layer_at_one_end, no_send_recv},
    {"io-uring-accept-connect", "connections by IORING_OP_ACCEPT and IORING_OP_CONNECT, bytes by system calls",
     accept_connect, Needs::kernel_sockets, no_accept_connect},
};

}  // namespace

std::span<const Scenario> io_uring_scenarios() { return scenarios; }

}  // namespace tracer::workload
