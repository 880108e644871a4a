// Bytes that pass through a socket without ever being in the memory of a process.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <array>

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

// The heads are written, the bodies sent by `send_body`.
bool body_sent_by(Run& run, SendBody send_body) {
  const auto prefix = "/" + run.name() + "/";
  const std::array exchanges = {get(prefix + "0", pattern(body_bytes)), get(prefix + "1", pattern(1000)),
                                get(prefix + "2", pattern(body_bytes))};
  const Io server_io{[&](int fd, std::string_view bytes) {
                       const auto head_bytes = bytes.find("\r\n\r\n") + 4;
                       write_all(fd, bytes.substr(0, head_bytes));
                       send_body(fd, bytes.substr(head_bytes));
                     },
                     read_some};
  return one_connection(run, exchanges, {}, server_io);
}

bool sendfile_300k(Run& run) { return body_sent_by(run, by_sendfile); }
bool splice_300k(Run& run) { return body_sent_by(run, by_splice); }

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
    {"splice-receive", "a 300 KiB body spliced from the socket to a pipe", splice_receive},
};

}  // namespace

std::span<const Scenario> zero_copy_scenarios() { return scenarios; }

}  // namespace tracer::workload
