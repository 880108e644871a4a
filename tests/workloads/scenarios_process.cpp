// Who holds the socket: threads, children that inherit it, processes that are handed it, connections from before.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "tests/workloads/run.h"

namespace tracer::workload {
namespace {

using namespace std::chrono_literals;

constexpr unsigned inherit_connections = 3;
constexpr unsigned inherit_seconds_max = 30;
constexpr std::string_view inetd_comm = "wl-inetd";

// The child's whole life: the accepted socket becomes its standard input and output.
void become_standard_streams(UniqueFd accepted) {
  require(::dup2(accepted.get(), 0) == 0 && ::dup2(accepted.get(), 1) == 1, "dup2");
  accepted.reset();
}

bool forking_server(Run& run, std::span<const Exchange> exchanges, std::string_view child_comm,
                    const std::function<void()>& child) {
  const auto server = run.serve([&](int listener) {
    std::array<pid_t, inherit_connections> children{};
    for (auto& pid : children) {
      auto accepted = accept_one(listener);
      pid = fork_process(server_comm, inherit_seconds_max, [&] {
        ::close(listener);
        run.register_server(child_comm, peer_address(accepted.get()).port);
        become_standard_streams(std::move(accepted));
        child();
      });
    }
    for (const pid_t pid : children) require(wait_for(pid), "a child failed");
  });
  return run.client([&] {
    for (unsigned i = 0; i < inherit_connections; ++i) {
      Client client(run, server);
      for (const auto& each : exchanges) client.make(each);
    }
  });
}

void serve_standard_streams(std::span<const Exchange> exchanges) {
  for (const auto& each : exchanges) {
    receive_exactly(0, each.request_wire(), read_some);
    write_all(1, each.response_wire());
  }
  receive_end(0, read_some);
}

bool fork_inherit(Run& run) {
  const auto exchanges = gets(run.name(), 2);
  return forking_server(run, exchanges, server_comm, [&] { serve_standard_streams(exchanges); });
}

std::vector<Exchange> inetd_exchanges() { return gets("fork-inherit-exec", 2); }

bool fork_inherit_exec(Run& run) {
  const auto link = named_link_to_self(inetd_comm);
  const bool made = forking_server(run, inetd_exchanges(), inetd_comm, [&] {
    ::execl(link.c_str(), inetd_comm.data(), "--serve-stdin", nullptr);
    give_up("exec");
  });
  ::unlink(link.c_str());
  ::rmdir(link.substr(0, link.rfind('/')).c_str());
  return made;
}

bool two_threads_one_socket(Run& run) {
  const auto exchanges = gets(run.name(), 20);
  const auto server = run.serve([&](int listener) { serve_one(listener, exchanges); });
  return run.client([&] {
    Client client(run, server);
    std::array<std::atomic<std::int64_t>, 20> started{};
    std::thread sender([&] {
      ::prctl(PR_SET_NAME, "wl-sender");
      for (std::size_t i = 0; i < exchanges.size(); ++i) {
        started[i] = wall_time_ns();
        write_all(client.fd(), exchanges[i].request_wire());
        std::this_thread::sleep_for(2ms);
      }
    });
    receive_messages(client.fd(), response_wires(exchanges), recv_some,
                     [&](std::size_t i) { client.log(exchanges[i], started[i], wall_time_ns()); });
    sender.join();
  });
}

constexpr unsigned threads = 8, connections_per_thread = 20, requests_per_connection = 5;

// Threads carry names of their own; a record names the process, which is its leader.
void in_threads(std::string_view comm, const std::function<void(unsigned index)>& body) {
  std::vector<std::thread> running;
  for (unsigned i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      ::prctl(PR_SET_NAME, (std::string(comm) + "-" + std::to_string(i)).c_str());
      body(i);
    });
  }
  for (auto& thread : running) thread.join();
}

bool many_threads(Run& run) {
  const auto exchanges = gets(run.name(), requests_per_connection);
  const auto server = run.serve([&](int listener) {
    std::atomic<unsigned> taken = 0;
    in_threads("wl-worker", [&](unsigned) {
      while (taken.fetch_add(1) < threads * connections_per_thread) serve_one(listener, exchanges);
    });
  });
  return run.client([&] {
    in_threads("wl-thread", [&](unsigned) {
      for (unsigned i = 0; i < connections_per_thread; ++i) {
        Client client(run, server);
        for (const auto& each : exchanges) client.make(each);
      }
    });
  });
}

// More calls wait at a time than a kernel's return probes remember by default (twice the processors, at least 10).
bool blocked_readers(Run& run) {
  constexpr std::size_t connections = 40, rounds = 3;
  const auto exchanges = gets(run.name(), rounds);
  const auto server = run.serve([&](int listener) {
    std::vector<std::thread> readers;
    for (std::size_t i = 0; i < connections; ++i) {
      readers.emplace_back([&, fd = accept_one(listener)] {
        ::prctl(PR_SET_NAME, "wl-reader");
        answer(fd.get(), exchanges);
        receive_end(fd.get(), read_some);
      });
    }
    for (auto& reader : readers) reader.join();
  });
  return run.client([&] {
    std::vector<std::unique_ptr<Client>> clients;
    for (std::size_t i = 0; i < connections; ++i) clients.push_back(std::make_unique<Client>(run, server));
    for (const auto& each : exchanges) {
      std::this_thread::sleep_for(20ms);  // all readers wait again, on any machine that is not too busy
      for (const auto& client : clients) client->make(each);
    }
  });
}

bool preopened(Run& run) {
  const auto exchanges = gets(run.name(), 6);
  const auto server = run.serve([&](int listener) { serve_one(listener, exchanges); });
  return run.client([&] {
    Client client(run, server);
    client.set_observable(!run.holds());
    client.make(exchanges[0]);
    run.hold();
    client.set_observable(true);
    for (std::size_t i = 1; i < exchanges.size(); ++i) client.make(exchanges[i]);
  });
}

void hand_over(int channel, int fd) {
  char byte = 'f';
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* message = CMSG_FIRSTHDR(&header);
  message->cmsg_level = SOL_SOCKET;
  message->cmsg_type = SCM_RIGHTS;
  message->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(message), &fd, sizeof(fd));
  require(::sendmsg(channel, &header, 0) == 1, "sendmsg of a descriptor");
}

UniqueFd take_over(int channel) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  require(::recvmsg(channel, &header, 0) == 1, "recvmsg of a descriptor");
  const cmsghdr* message = CMSG_FIRSTHDR(&header);
  require(message != nullptr && message->cmsg_type == SCM_RIGHTS, "no descriptor came");
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(message), sizeof(fd));
  return UniqueFd(fd);
}

bool scm_rights(Run& run) {
  const auto exchanges = gets(run.name(), 4);
  const auto server = run.serve(
      [&](int listener) {
        std::array<int, 2> channel{};
        require(::socketpair(AF_UNIX, SOCK_STREAM, 0, channel.data()) == 0, "socketpair");
        const pid_t worker = fork_process("wl-receiver", inherit_seconds_max, [&] {
          ::close(listener);
          run.register_server("wl-receiver");
          for (unsigned i = 0; i < 2; ++i) {
            const auto fd = take_over(channel[1]);
            answer(fd.get(), exchanges);
            receive_end(fd.get(), read_some);
          }
        });
        for (unsigned i = 0; i < 2; ++i) hand_over(channel[0], accept_one(listener).get());
        require(wait_for(worker), "the receiving process failed");
      },
      "127.0.0.1", "wl-acceptor");
  return run.client([&] {
    for (unsigned i = 0; i < 2; ++i) {
      Client client(run, server);
      for (const auto& each : exchanges) client.make(each);
    }
  });
}

constexpr Scenario scenarios[] = {
    {"fork-inherit", "a child serves the accepted socket as descriptors 0 and 1", fork_inherit},
    {"fork-inherit-exec", "the same, and the child is another program", fork_inherit_exec},
    {"two-threads-one-socket", "one thread sends 20 requests, another receives", two_threads_one_socket},
    {"many-threads", "8 threads x 20 connections x 5 requests", many_threads},
    {"blocked-readers", "40 threads wait in recv, each for 3 requests on its connection", blocked_readers},
    {"preopened", "a connection with requests before and after the go signal", preopened},
    {"scm-rights", "the accepting process hands the socket to another", scm_rights},
};

}  // namespace

int serve_stdin() {
  ::alarm(inherit_seconds_max);
  serve_standard_streams(inetd_exchanges());
  return 0;
}

std::span<const Scenario> process_scenarios() { return scenarios; }

}  // namespace tracer::workload
