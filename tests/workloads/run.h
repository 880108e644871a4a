// One scenario while it runs: its server and client processes, and what they share.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/workloads/exchange.h"
#include "tests/workloads/transport.h"
#include "tests/workloads/truth.h"

namespace tracer::workload {

struct Options {
  int truth_fd = 1;
  std::string address;                // servers listen here; empty: the scenario's own choice
  std::uint16_t port = 0;             // 0: any free one
  std::string hold_ready, hold_go;    // files: see Run::hold
  unsigned process_seconds_max = 30;  // no process of a scenario lives longer
  unsigned hold_seconds_max = 120;
  std::string server_netns, client_netns;  // files of network namespaces (/proc/PID/ns/net); empty: where we are
  std::string connect_host;                // clients connect here instead: an address that is translated, a proxy
  std::uint16_t connect_port = 0;
  unsigned linger_ms = 0;  // clients keep a finished connection open: who looks now and then sees it too
};

inline constexpr std::string_view client_comm = "wl-client";
inline constexpr std::string_view server_comm = "wl-server";

class Run {
 public:
  Run(const Options& options, std::string scenario, ServerRegistry& registry);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Forks a server that listens, as `host` unless the options name an address; returns where once it does.
  [[nodiscard]] Address serve(const std::function<void(int listener)>& body, std::string host = "127.0.0.1",
                              std::string_view comm = server_comm);
  // Forks a client and waits for it, then for the server. False: one of them failed.
  [[nodiscard]] bool client(const std::function<void()>& body, std::string_view comm = client_comm);

  // In a server: enters the calling process as one that may be called the server.
  void register_server(std::string_view comm = server_comm, std::uint16_t peer_port = 0);
  // In a client: announces readiness and waits for the go signal, if that was asked for.
  void hold() const;
  void linger() const;
  // How long a process of this scenario may live.
  [[nodiscard]] unsigned seconds_max() const;
  [[nodiscard]] bool holds() const { return !options_.hold_go.empty(); }

  [[nodiscard]] TruthLog& truth() { return truth_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  const Options& options_;
  std::string name_;
  ServerRegistry& registry_;
  TruthLog truth_;
  std::vector<pid_t> servers_;
};

// A connection seen from the client, which logs what it makes.
class Client {
 public:
  Client(Run& run, UniqueFd fd);
  Client(Run& run, const Address& server) : Client(run, connect_to(server)) {}
  ~Client() { close(); }
  Client(Client&&) = default;
  Client& operator=(Client&&) = delete;

  // Sends the request, receives and checks the response, logs both.
  void make(const Exchange& exchange, const Io& io = {});
  // For those who move the bytes themselves.
  void log(const Exchange& exchange, std::int64_t request_time_ns, std::int64_t response_time_ns);
  void set_observable(bool observable) { observable_ = observable; }
  void set_tls(std::string tls) { tls_ = std::move(tls); }  // as Transaction::tls
  void close();
  void forget() { static_cast<void>(fd_.release()); }  // it was closed in another way
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Run& run_;
  UniqueFd fd_;
  Address local_, peer_;
  unsigned sequence_ = 0;
  bool observable_ = true;
  std::string tls_;
};

// Answers the exchanges in order on a connected socket, checking each request. They may come ahead of their turn.
void answer(int fd, std::span<const Exchange> exchanges, const Io& io = file_io());
// Accepts one connection, answers the exchanges, waits for the client to close.
void serve_one(int listener, std::span<const Exchange> exchanges, const Io& io = file_io());

// The common scenario: one connection, exchanges one after another.
[[nodiscard]] bool one_connection(Run& run, std::span<const Exchange> exchanges, const Io& client_io = {},
                                  const Io& server_io = file_io(), const std::string& host = "127.0.0.1");

// Forks a process that ends with this one and calls itself `comm`; it exits 0 when `body` returns.
[[nodiscard]] pid_t fork_process(std::string_view comm, unsigned seconds_max, const std::function<void()>& body);
// False: it was killed or failed.
[[nodiscard]] bool wait_for(pid_t pid);

// An empty folder that is not there yet, outside of the current one.
[[nodiscard]] std::string make_folder();
// A path whose last part is the name that the kernel will give the process: /proc/self/exe alone makes it "exe". In a
// folder of its own.
[[nodiscard]] std::string named_link_to_self(std::string_view name);

// What a tracer must observe to see the bytes of a scenario; one that does not is declared blind for it.
enum class Needs {
  nothing,         // beyond what every tracer has: system calls or anything below them
  kernel_sockets,  // which socket a descriptor is: no system call made it
  socket_layer,    // no system call moves these bytes
  socket_layer_at_one_end,
};

struct Scenario {
  std::string_view name;
  std::string_view summary;
  bool (*run)(Run& run);
  Needs needs = Needs::nothing;
  // Why this machine cannot make it; empty: it can.
  std::string (*unavailable)() = nullptr;
};
// One table per theme; main.cpp joins them.
[[nodiscard]] std::span<const Scenario> http_scenarios();
[[nodiscard]] std::span<const Scenario> edge_scenarios();
[[nodiscard]] std::span<const Scenario> syscall_scenarios();
[[nodiscard]] std::span<const Scenario> zero_copy_scenarios();
[[nodiscard]] std::span<const Scenario> io_uring_scenarios();
[[nodiscard]] std::span<const Scenario> process_scenarios();
// Of these the truth is no HTTP; they are listed apart.
[[nodiscard]] std::span<const Scenario> facet_scenarios();
[[nodiscard]] std::span<const Scenario> https_scenarios();  // tls_workload alone has them

// What fork-inherit-exec turns its child into: serves standard input and output like a program under inetd.
int serve_stdin();
// What exec-argv executes: ends after a while, with the code that `words` begin with; a negative
// one is a signal.
int exit_with(std::span<char*> words);

}  // namespace tracer::workload
