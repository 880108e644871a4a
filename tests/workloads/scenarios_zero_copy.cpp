// Bytes that pass through a socket without a copy: from files and pipes, or from memory that the kernel only borrows.
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <vector>

#include "tests/workloads/run.h"

namespace tracer::workload {
namespace {

constexpr std::size_t body_bytes = 300 * 1024;

UniqueFd file_of(std::string_view bytes) {
  UniqueFd fd(::memfd_create("body", MFD_CLOEXEC));
  require(static_cast<bool>(fd), "memfd_create");
  write_all(fd.get(), bytes);
  require(::lseek(fd.get(), 0, SEEK_SET) == 0, "lseek");
  return fd;
}

struct Pipe {
  UniqueFd read_end, write_end;
  Pipe() {
    std::array<int, 2> ends{};
    require(::pipe2(ends.data(), O_CLOEXEC) == 0, "pipe");
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
};

using SendBody = void (*)(int fd, std::string_view body);

void by_sendfile(int fd, std::string_view body) {
  const auto file = file_of(body);
  for (std::size_t left = body.size(); left > 0;) {
    const auto sent = ::sendfile(fd, file.get(), nullptr, left);
    require(sent > 0, "sendfile");
    left -= static_cast<std::size_t>(sent);
  }
}

void by_splice(int fd, std::string_view body) {
  const auto file = file_of(body);
  const Pipe pipe;
  for (std::size_t left = body.size(); left > 0;) {
    auto in_pipe = ::splice(file.get(), nullptr, pipe.write_end.get(), nullptr, left, SPLICE_F_MOVE);
    require(in_pipe > 0, "splice from the file");
    left -= static_cast<std::size_t>(in_pipe);
    while (in_pipe > 0) {
      const auto sent =
          ::splice(pipe.read_end.get(), nullptr, fd, nullptr, static_cast<std::size_t>(in_pipe), SPLICE_F_MOVE);
      require(sent > 0, "splice to the socket");
      in_pipe -= sent;
    }
  }
}

// Writes the head of a message and sends its body by `send_body`.
Send with_body_by(SendBody send_body) {
  return [send_body](int fd, std::string_view bytes) {
    const auto head_bytes = bytes.find("\r\n\r\n") + 4;
    write_all(fd, bytes.substr(0, head_bytes));
    send_body(fd, bytes.substr(head_bytes));
  };
}

bool body_sent_by(Run& run, SendBody send_body) {
  const auto prefix = "/" + run.name() + "/";
  const std::array exchanges = {get(prefix + "0", pattern(body_bytes)), get(prefix + "1", pattern(1000)),
                                get(prefix + "2", pattern(body_bytes))};
  return one_connection(run, exchanges, {}, {with_body_by(send_body), read_some});
}

bool sendfile_300k(Run& run) { return body_sent_by(run, by_sendfile); }
bool splice_300k(Run& run) { return body_sent_by(run, by_splice); }

// Bodies of all sizes from files, then some that are written: whoever loses count in a gap is out of step from there.
bool sendfile_keepalive(Run& run) {
  constexpr std::array<std::size_t, 7> from_files{1, 300, 4096, 5000, 70'000, 200'000, 12};
  std::vector<Exchange> exchanges;
  for (const auto size : from_files) {
    exchanges.push_back(get("/sendfile-keepalive/file-" + std::to_string(size), pattern(size)));
  }
  const auto written = gets(run.name(), 4);
  exchanges.insert(exchanges.end(), written.begin(), written.end());
  const auto server = run.serve([&](int listener) {
    const auto fd = accept_one(listener);
    const std::span all(exchanges);
    answer(fd.get(), all.first(from_files.size()), {with_body_by(by_sendfile), read_some});
    answer(fd.get(), all.subspan(from_files.size()));
    receive_end(fd.get(), read_some);
  });
  return run.client([&] {
    Client client(run, server);
    for (const auto& each : exchanges) client.make(each);
  });
}

constexpr int completion_ms_max = 5000;

// Waits until the kernel has given back the memory of the one send under way.
void reap_completion(int fd) {
  pollfd waiting{fd, 0, 0};  // POLLERR comes unasked
  require(::poll(&waiting, 1, completion_ms_max) == 1 && (waiting.revents & POLLERR) != 0, "no completion of a send");
  alignas(cmsghdr) std::array<char, 128> control{};
  msghdr header{};
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  require(::recvmsg(fd, &header, MSG_ERRQUEUE) == 0, "recvmsg MSG_ERRQUEUE");
  const cmsghdr* message = CMSG_FIRSTHDR(&header);
  require(message != nullptr && message->cmsg_level == SOL_IP && message->cmsg_type == IP_RECVERR, "not a completion");
  sock_extended_err error{};
  std::memcpy(&error, CMSG_DATA(message), sizeof(error));
  require(error.ee_origin == SO_EE_ORIGIN_ZEROCOPY && error.ee_errno == 0, "not the completion of a send");
}

bool allow_zero_copy(int fd) {
  const int on = 1;
  return ::setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) == 0;
}

void send_zero_copy(int fd, std::string_view bytes) {
  require(allow_zero_copy(fd), "SO_ZEROCOPY");
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_ZEROCOPY | MSG_NOSIGNAL);
    require(sent > 0, "send MSG_ZEROCOPY");
    reap_completion(fd);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool zero_copy_send(Run& run) {
  const std::array exchanges = {get("/zero-copy-send/0", pattern(64 * 1024)),
                                post("/zero-copy-send/1", pattern(64 * 1024)), get("/zero-copy-send/2", "in step")};
  const Io io{send_zero_copy, recv_some};
  return one_connection(run, exchanges, io, io);
}

std::string no_zero_copy_send() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return allow_zero_copy(fd.get()) ? "" : "this kernel has no SO_ZEROCOPY";
}

std::size_t receive_by_splice(int fd, std::span<char> room) {
  const Pipe pipe;
  const auto taken = ::splice(fd, nullptr, pipe.write_end.get(), nullptr, room.size(), SPLICE_F_MOVE);
  require(taken >= 0, "splice from the socket");
  const auto size = static_cast<std::size_t>(taken);
  for (std::size_t at = 0; at < size;) at += read_some(pipe.read_end.get(), room.subspan(at, size - at));
  return size;
}

// The client reads the head and splices the body away.
bool splice_receive(Run& run) {
  const std::array exchanges = {get("/splice-receive/0", pattern(body_bytes)),
                                get("/splice-receive/1", "after the body")};
  const auto server = run.serve([&](int listener) { serve_one(listener, exchanges); });
  return run.client([&] {
    Client client(run, server);
    for (const auto& each : exchanges) {
      const auto started = wall_time_ns();
      send_all(client.fd(), each.request_wire());
      receive_exactly(client.fd(), each.response.head, recv_some, each.response.head.size());
      receive_exactly(client.fd(), each.response.body, receive_by_splice, each.response.body.size());
      client.log(each, started, wall_time_ns());
    }
  });
}

constexpr Scenario scenarios[] = {
    {"sendfile-300k", "300 KiB bodies sent by sendfile", sendfile_300k},
    {"splice-300k", "300 KiB bodies spliced from a pipe to the socket", splice_300k},
    {"sendfile-keepalive", "bodies of all sizes by sendfile, then written ones, on one connection", sendfile_keepalive},
    {"splice-receive", "a 300 KiB body spliced from the socket to a pipe", splice_receive},
    {"zero-copy-send", "64 KiB bodies by MSG_ZEROCOPY, each completion reaped", zero_copy_send, Needs::nothing,
     no_zero_copy_send},
};

}  // namespace

std::span<const Scenario> zero_copy_scenarios() { return scenarios; }

}  // namespace tracer::workload
