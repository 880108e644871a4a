// Sockets, and every way that a program can move bytes through one.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/unique_fd.h"

namespace tracer::workload {

// Ends the calling process with a message on stderr: a workload that cannot do what it says proves nothing.
[[noreturn]] void give_up(std::string_view what);
inline void require(bool holds, std::string_view what) {
  if (!holds) give_up(what);
}

struct Address {
  std::string host = "127.0.0.1";  // numeric
  std::uint16_t port = 0;
};

[[nodiscard]] UniqueFd listen_on(Address where);
[[nodiscard]] UniqueFd connect_to(const Address& where);
// From a local port, which may have been used a moment ago; 0: one that nobody else uses.
[[nodiscard]] UniqueFd connect_from(std::uint16_t local_port, const Address& where);
// In another way than connect(2): `connect` gets a socket and where to, and gives up by itself.
using Connect = std::function<void(int fd, const sockaddr* where, socklen_t size)>;
[[nodiscard]] UniqueFd connect_by(const Connect& connect, const Address& where);
// connect(2) on a non-blocking socket, which must not finish at once.
void begin_connect(int fd, const Address& where);
[[nodiscard]] UniqueFd accept_one(int listener);
// IPv4-mapped addresses come out as IPv4: one connection has one spelling.
[[nodiscard]] Address local_address(int fd);
[[nodiscard]] Address peer_address(int fd);
// The next close sends RST.
void reset_on_close(int fd);
void bring_loopback_up();
// The calling process; an empty path: stay.
void enter_network_namespace(const std::string& path);

// Sends all of `bytes`.
using Send = std::function<void(int fd, std::string_view bytes)>;
// Receives at least one byte into `room`; 0 at the end of the stream.
using Receive = std::function<std::size_t(int fd, std::span<char> room)>;

void write_all(int fd, std::string_view bytes);
void send_all(int fd, std::string_view bytes);
void write_single_bytes(int fd, std::string_view bytes);
[[nodiscard]] std::size_t read_some(int fd, std::span<char> room);
[[nodiscard]] std::size_t recv_some(int fd, std::span<char> room);

struct Io {
  Send send = send_all;
  Receive receive = recv_some;
};
inline Io file_io() { return {write_all, read_some}; }

// Receives `expected`, gives up on any other byte. Reads more than one message at a time only if `room_bytes` allows
// it.
void receive_exactly(int fd, std::string_view expected, const Receive& receive, std::size_t room_bytes = 16 * 1024);
// Receives the messages one after another, in reads that may span several; `on_message` is told when each is whole.
void receive_messages(int fd, std::span<const std::string> messages, const Receive& receive,
                      const std::function<void(std::size_t index)>& on_message);
void receive_end(int fd, const Receive& receive);

}  // namespace tracer::workload
