#include "tests/workloads/run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

namespace tracer::workload {
namespace {

std::string path_of_self() {
  std::array<char, 4096> program{};
  if (::readlink("/proc/self/exe", program.data(), program.size() - 1) > 0) return program.data();
  return reinterpret_cast<const char*>(::getauxval(AT_EXECFN));  // no /proc: as it was started, in an initramfs "/init"
}

}  // namespace

std::string make_folder() {
  for (const std::string_view parent : {"/tmp", "/dev/shm", ""}) {
    auto made = std::string(parent) + "/workload-XXXXXX";
    if (::mkdtemp(made.data()) != nullptr) return made;
  }
  give_up("no place for a folder");
}

std::string named_link_to_self(std::string_view name) {
  auto made = make_folder() + "/" + std::string(name);
  require(::symlink(path_of_self().c_str(), made.c_str()) == 0, "symlink");
  return made;
}

pid_t fork_process(std::string_view comm, unsigned seconds_max, const std::function<void()>& body) {
  const pid_t pid = ::fork();
  require(pid >= 0, "fork");
  if (pid > 0) return pid;
  ::prctl(PR_SET_NAME, std::string(comm).c_str());
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::alarm(seconds_max);  // a scenario that hangs fails
  body();
  ::_exit(0);
}

bool wait_for(pid_t pid) {
  int status = 0;
  return ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Run::Run(const Options& options, std::string scenario, ServerRegistry& registry)
    : options_(options), name_(scenario), registry_(registry), truth_(options.truth_fd, std::move(scenario), registry) {
  registry_.clear();
}

Run::~Run() {
  for (const pid_t server : servers_) {
    ::kill(server, SIGKILL);
    ::waitpid(server, nullptr, 0);
  }
}

unsigned Run::seconds_max() const { return options_.process_seconds_max + (holds() ? options_.hold_seconds_max : 0); }

Address Run::serve(const std::function<void(int)>& body, std::string host, std::string_view comm) {
  std::array<int, 2> ready{};
  require(::pipe2(ready.data(), O_CLOEXEC) == 0, "pipe");
  const Address wanted{options_.address.empty() ? std::move(host) : options_.address, options_.port};
  servers_.push_back(fork_process(comm, seconds_max(), [&] {
    ::close(ready[0]);
    enter_network_namespace(options_.server_netns);
    register_server(comm);
    const auto listener = listen_on(wanted);
    const auto port = local_address(listener.get()).port;
    require(::write(ready[1], &port, sizeof(port)) == sizeof(port), "write of the port");
    ::close(ready[1]);
    body(listener.get());
  }));
  ::close(ready[1]);
  Address made{wanted.host, 0};
  const auto size = ::read(ready[0], &made.port, sizeof(made.port));
  ::close(ready[0]);
  require(size == sizeof(made.port), "the server did not start");
  if (!options_.connect_host.empty()) made.host = options_.connect_host;
  if (options_.connect_port != 0) made.port = options_.connect_port;
  return made;
}

bool Run::client(const std::function<void()>& body, std::string_view comm) {
  const bool made = wait_for(fork_process(comm, seconds_max(), [&] {
    enter_network_namespace(options_.client_netns);
    body();
    truth_.flush();
  }));
  if (!made) return false;  // the destructor ends the servers
  bool served = true;
  for (const pid_t server : std::exchange(servers_, {})) served = wait_for(server) && served;
  return served;
}

void Run::register_server(std::string_view comm, std::uint16_t peer_port) {
  registry_.add(::getpid(), comm, peer_port);
}

void Run::hold() const {
  using namespace std::chrono_literals;
  if (!holds()) return;
  UniqueFd(::open(options_.hold_ready.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  while (::access(options_.hold_go.c_str(), F_OK) != 0) std::this_thread::sleep_for(10ms);  // bounded by alarm()
}

void Run::linger() const { std::this_thread::sleep_for(std::chrono::milliseconds(options_.linger_ms)); }

void Client::close() {
  if (fd_) run_.linger();
  fd_.reset();
}

Client::Client(Run& run, UniqueFd fd)
    : run_(run), fd_(std::move(fd)), local_(local_address(fd_.get())), peer_(peer_address(fd_.get())) {}

void Client::make(const Exchange& exchange, const Io& io) {
  const auto started = wall_time_ns();
  io.send(fd_.get(), exchange.request_wire());
  receive_exactly(fd_.get(), exchange.response_wire(), io.receive);
  log(exchange, started, wall_time_ns());
}

void Client::log(const Exchange& exchange, std::int64_t request_time_ns, std::int64_t response_time_ns) {
  run_.truth().add(exchange, {local_, peer_, sequence_++, request_time_ns, response_time_ns, observable_, tls_});
}

void answer(int fd, std::span<const Exchange> exchanges, const Io& io) {
  receive_messages(fd, request_wires(exchanges), io.receive,
                   [&](std::size_t i) { io.send(fd, exchanges[i].response_wire()); });
}

void serve_one(int listener, std::span<const Exchange> exchanges, const Io& io) {
  const auto fd = accept_one(listener);
  answer(fd.get(), exchanges, io);
  receive_end(fd.get(), io.receive);
}

bool one_connection(Run& run, std::span<const Exchange> exchanges, const Io& client_io, const Io& server_io,
                    const std::string& host) {
  const auto server = run.serve([&](int listener) { serve_one(listener, exchanges, server_io); }, host);
  return run.client([&] {
    // A server on every address is reached over IPv4.
    Client client(run, Address{server.host == "::" ? "127.0.0.1" : server.host, server.port});
    for (const auto& exchange : exchanges) client.make(exchange, client_io);
  });
}

}  // namespace tracer::workload
