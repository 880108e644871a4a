#include "backends/procfs/socket_owners.h"

#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "backends/procfs/listening_sockets.h"
#include "backends/procfs/newcomers.h"
#include "backends/procfs/own_sockets.h"
#include "backends/procfs/pid_numbering.h"
#include "backends/procfs/socket_holders.h"

namespace tracer {

using procfs::OwnSockets;
using procfs::SocketHolders;

namespace {

constexpr std::size_t regulars_max = 32;  // processes that were found to hold a socket, asked before all others
constexpr std::size_t servers_per_port_max = 16;
constexpr std::size_t served_ports_max = 1024;
constexpr std::uint64_t self_test_ns_max = 300'000'000;

SocketOwner answer(SocketOwner::Answer kind) {
  SocketOwner owner;
  owner.answer = kind;
  return owner;
}

// Moves `pid` to the front of a short list.
void to_front(std::vector<std::uint32_t>& pids, std::uint32_t pid, std::size_t count_max) {
  std::erase(pids, pid);
  pids.insert(pids.begin(), pid);
  if (pids.size() > count_max) pids.pop_back();
}

}  // namespace

struct ProcSocketOwners::State {
  using Ends = std::pair<Endpoint, Endpoint>;
  struct Known {
    SocketOwner owner;  // tgid 0: asked about, without success
    std::uint64_t inode = 0;
    std::uint64_t at_ns = 0;
  };

  State(SocketOwnersOptions given, procfs::ProcReader reader, bool proc_is_ours, OwnSockets own,
        std::optional<procfs::ProcConnector> connector)
      : options(std::move(given)),
        proc(std::move(reader)),
        own_sockets(std::move(own)),
        listening(own_sockets, options.now_ns),
        newcomers(proc, proc_is_ours, options.processes, std::move(connector),
                  {.new_processes_max = options.new_processes_max,
                   .new_process_ns_max = options.new_process_ns_max,
                   .processes_max = options.processes_max},
                  options.now_ns),
        holders(proc,
                {.processes_per_question_max = options.processes_per_question_max,
                 .processes_max = options.processes_max,
                 .descriptors_per_process_max = options.descriptors_per_process_max,
                 .scan_interval_ns_min = options.scan_interval_ns_min,
                 .scan_cost_factor = options.scan_cost_factor,
                 .holders_max = options.holders_max},
                options.now_ns) {}

  SocketOwner of_socket(const SocketFacts& socket, std::optional<std::uint32_t> uid);
  SocketOwner of_absent(const Ends& ends, bool asked_before);
  SocketOwner of_listener(const Endpoint& local, std::uint64_t since_ns);
  std::optional<std::uint32_t> find_holder(std::uint64_t inode, const Endpoint& local, std::uint64_t since_ns,
                                           bool& all_asked);
  SocketOwner name(std::uint32_t pid, std::optional<std::uint32_t> uid);
  Known& remember(const Ends& ends);
  SocketOwner counted(SocketOwner owner);

  SocketOwnersOptions options;
  procfs::ProcReader proc;
  OwnSockets own_sockets;
  procfs::ListeningSockets listening;
  procfs::Newcomers newcomers;
  SocketHolders holders;
  std::optional<Error> connector_error;
  std::map<Ends, Known> known;
  std::deque<Ends> known_since;  // the oldest first
  std::vector<std::uint32_t> regulars;
  std::unordered_map<std::uint16_t, std::vector<std::uint32_t>> servers;  // who was found to serve a port
  SocketOwnersCounters counters;
};

SocketOwner ProcSocketOwners::State::counted(SocketOwner owner) {
  ++counters.questions;
  if (owner.answer == SocketOwner::Answer::found) {
    ++counters.found;
    if (owner.inferred) ++counters.inferred;
  }
  return owner;
}

ProcSocketOwners::State::Known& ProcSocketOwners::State::remember(const Ends& ends) {
  const std::uint64_t now_ns = options.now_ns();
  while (!known_since.empty()) {
    const auto oldest = known.find(known_since.front());
    const bool too_old = oldest == known.end() || oldest->second.at_ns + options.answer_keep_ns <= now_ns;
    if (!too_old && known.size() < options.answers_max) break;
    if (!too_old) ++counters.answers_over_limit;
    if (oldest != known.end()) known.erase(oldest);
    known_since.pop_front();
  }
  const auto [entry, is_new] = known.try_emplace(ends);
  if (is_new) {
    known_since.push_back(ends);
    entry->second.at_ns = now_ns;
  }
  return entry->second;
}

SocketOwner ProcSocketOwners::State::name(std::uint32_t pid, std::optional<std::uint32_t> uid) {
  SocketOwner owner;
  owner.answer = SocketOwner::Answer::found;
  owner.tgid = pid;
  owner.uid = uid;
  if (const ProcessFacts* facts = newcomers.facts(pid)) {
    owner.comm = facts->comm;
    if (facts->uid) owner.uid = facts->uid;
  }
  return owner;
}

std::optional<std::uint32_t> ProcSocketOwners::State::find_holder(std::uint64_t inode, const Endpoint& local,
                                                                  std::uint64_t since_ns, bool& all_asked) {
  if (const auto pid = holders.remembered(inode)) return pid;
  std::vector<std::uint32_t> likely;
  if (const auto port = servers.find(local.port); port != servers.end()) likely = port->second;
  const auto young = newcomers.pids();
  likely.insert(likely.end(), young.begin(), young.end());
  likely.insert(likely.end(), regulars.begin(), regulars.end());
  for (std::size_t i = 0; i < likely.size(); ++i) {
    const auto before = likely.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(likely.begin(), before, likely[i]) != before) continue;
    if (holders.look_at(likely[i], inode)) return likely[i];
  }
  std::optional<std::uint32_t> holder;
  all_asked = holders.scan(since_ns, inode, holder) == SocketHolders::Scan::complete;
  return holder;
}

SocketOwner ProcSocketOwners::State::of_socket(const SocketFacts& socket, std::optional<std::uint32_t> uid) {
  const Ends ends{*socket.local, *socket.remote};
  if (socket.inode == 0) {
    // Without a process: not accepted yet, or closed by the one it had.
    const bool open = socket.state == TcpState::established || socket.state == TcpState::syn_recv ||
                      socket.state == TcpState::close_wait;
    if (!open) return of_absent(ends, true);
    (void)remember(ends);
    return answer(SocketOwner::Answer::not_yet);
  }
  Known& entry = remember(ends);
  if (entry.inode != socket.inode) {  // asked about for the first time since it has a process
    entry.inode = socket.inode;
    entry.at_ns = options.now_ns();
    entry.owner = SocketOwner{};
  }
  if (entry.owner.tgid != 0) return entry.owner;

  bool all_asked = false;
  const auto pid = find_holder(socket.inode, ends.first, entry.at_ns, all_asked);
  if (!pid) return answer(all_asked ? SocketOwner::Answer::unreadable : SocketOwner::Answer::not_yet);
  entry.owner = name(*pid, uid);
  to_front(regulars, *pid, regulars_max);
  if (!listening.at(ends.first).empty() && (servers.size() < served_ports_max || servers.contains(ends.first.port)))
    to_front(servers[ends.first.port], *pid, servers_per_port_max);
  return entry.owner;
}

SocketOwner ProcSocketOwners::State::of_absent(const Ends& ends, bool asked_before) {
  const std::uint64_t now_ns = options.now_ns();
  if (const auto entry = known.find(ends); entry != known.end()) {
    asked_before = true;
    if (entry->second.owner.tgid != 0 && entry->second.at_ns + options.answer_keep_ns > now_ns) {
      SocketOwner owner = entry->second.owner;
      owner.inferred = true;
      return owner;
    }
  }
  if (listening.at(ends.first).empty()) return answer(SocketOwner::Answer::not_here);
  if (!asked_before) {  // the packet that opens it may be seen before the socket is made
    (void)remember(ends);
    return answer(SocketOwner::Answer::not_yet);
  }
  // Who else holds the listening socket is known only when everybody has been asked: since the first question, or, if
  // this is the only one, a second ago, unless a worker may have begun since then.
  constexpr std::uint64_t stale_ns = 1'000'000'000;
  const auto first_question = known.find(ends);
  return of_listener(ends.first, first_question != known.end()
                                     ? first_question->second.at_ns
                                     : std::max(now_ns - std::min(now_ns, stale_ns), newcomers.last_begin_ns()));
}

SocketOwner ProcSocketOwners::State::of_listener(const Endpoint& local, std::uint64_t since_ns) {
  const auto sockets = listening.at(local);
  if (sockets.empty()) return answer(SocketOwner::Answer::not_here);
  std::optional<std::uint32_t> nobody;
  if (holders.scan(std::max<std::uint64_t>(since_ns, 1), procfs::not_a_socket, nobody) != SocketHolders::Scan::complete)
    return answer(SocketOwner::Answer::not_yet);
  // A worker that began during that look or after it may have taken the connection.
  for (const std::uint32_t pid : newcomers.pids(holders.complete_since_ns()))
    (void)holders.look_at(pid, procfs::not_a_socket);

  std::vector<std::uint32_t> pids;
  for (const SocketFacts& socket : sockets) {
    const auto of_this = holders.all_remembered(socket.inode);
    pids.insert(pids.end(), of_this.begin(), of_this.end());
  }
  std::ranges::sort(pids);
  pids.erase(std::ranges::unique(pids).begin(), pids.end());
  if (pids.size() > 1) {  // a master and its workers, say: only who was seen serving counts, and only if it is one
    const auto served = servers.find(local.port);
    std::erase_if(pids, [&](std::uint32_t pid) {
      return served == servers.end() || std::ranges::find(served->second, pid) == served->second.end();
    });
  }
  if (pids.size() != 1) return answer(SocketOwner::Answer::unreadable);
  SocketOwner owner = name(pids.front(), std::nullopt);
  owner.inferred = true;
  return owner;
}

Result<std::unique_ptr<ProcSocketOwners>> ProcSocketOwners::open(SocketOwnersOptions options) {
  auto proc = procfs::ProcReader::open(options.proc_root);
  if (!proc) return std::unexpected(proc.error());
  auto sockets = OwnSockets::open(*proc, options.use_sock_diag, options.holders_max, options.now_ns);
  if (!sockets) return std::unexpected(sockets.error());
  if (!options.processes) options.processes = std::make_shared<procfs::ProcessCache>();

  const auto numbering = procfs::find_numbering(*proc, static_cast<std::uint32_t>(::getpid()));
  std::optional<procfs::ProcConnector> connector;
  std::optional<Error> connector_error;
  if (!options.use_proc_connector) {
    connector_error = Error{Errc::invalid_argument, 0, "proc connector: switched off by request", {}};
  } else if (!numbering.proc_is_initial) {
    connector_error = Error{Errc::not_supported, 0, "proc connector: this /proc counts processes otherwise", {}};
  } else if (auto opened = procfs::ProcConnector::open(self_test_ns_max)) {
    connector.emplace(*std::move(opened));
  } else {
    connector_error = std::move(opened.error());
  }
  auto state = std::make_unique<State>(std::move(options), *std::move(proc), numbering.proc_is_ours,
                                       *std::move(sockets), std::move(connector));
  state->connector_error = std::move(connector_error);
  return std::unique_ptr<ProcSocketOwners>(new ProcSocketOwners(std::move(state)));
}

ProcSocketOwners::ProcSocketOwners(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProcSocketOwners::~ProcSocketOwners() = default;

SocketOwner ProcSocketOwners::owner(const Endpoint& local, const Endpoint& remote) {
  const auto socket = state_->own_sockets.lookup(local, remote);
  state_->newcomers.refresh();  // after the look: whoever made the socket began before it
  if (socket) return state_->counted(state_->of_socket(socket->facts, socket->uid));
  if (socket.error().code == Errc::exhausted) return state_->counted(answer(SocketOwner::Answer::not_yet));
  if (socket.error().code != Errc::not_found) return state_->counted(answer(SocketOwner::Answer::unreadable));
  return state_->counted(state_->of_absent({local, remote}, false));
}

SocketOwner ProcSocketOwners::owner_of(const SocketFacts& socket, std::optional<std::uint32_t> uid) {
  if (!socket.local || !socket.remote) return answer(SocketOwner::Answer::not_here);
  state_->newcomers.refresh();
  return state_->counted(state_->of_socket(socket, uid));
}

SocketOwner ProcSocketOwners::owner_of_closed(const Endpoint& local, const Endpoint& remote) {
  state_->newcomers.refresh();
  return state_->counted(state_->of_absent({local, remote}, true));
}

std::vector<HeldEnd> ProcSocketOwners::all(std::size_t count_max) {
  const auto sockets = state_->own_sockets.all(count_max);
  if (!sockets) return {};
  const SocketOwnersOptions& options = state_->options;
  const std::uint64_t since_ns = options.now_ns();
  std::optional<std::uint32_t> nobody;
  for (std::size_t asked = 0; asked <= options.processes_max; asked += options.processes_per_question_max) {
    if (state_->holders.scan(since_ns, procfs::not_a_socket, nobody) == SocketHolders::Scan::complete) break;
  }
  std::vector<HeldEnd> held;
  for (const OwnSockets::Socket& socket : *sockets) {
    if (!socket.facts.local || !socket.facts.remote || socket.facts.state == TcpState::listen) continue;
    if (const auto pid = state_->holders.remembered(socket.facts.inode))
      held.push_back({*socket.facts.local, *socket.facts.remote, state_->name(*pid, socket.uid)});
  }
  return held;
}

int ProcSocketOwners::fd() const { return state_->newcomers.fd(); }
void ProcSocketOwners::refresh() { state_->newcomers.refresh(); }
const std::optional<Error>& ProcSocketOwners::proc_connector_error() const { return state_->connector_error; }
std::uint64_t ProcSocketOwners::last_process_ns() const { return state_->newcomers.last_begin_ns(); }

SocketOwnersCounters ProcSocketOwners::counters() const {
  SocketOwnersCounters counters = state_->counters;
  const procfs::HolderCounters& holders = state_->holders.counters();
  counters.processes_looked_at = holders.processes_looked_at;
  counters.scans = holders.scans;
  counters.scans_refused = holders.scans_refused;
  counters.processes_over_limit = holders.processes_over_limit;
  counters.descriptors_over_limit = holders.descriptors_over_limit;
  counters.holders_over_limit = holders.holders_over_limit;
  counters.process_events = state_->newcomers.events();
  counters.process_events_lost = state_->newcomers.events_lost();
  return counters;
}

}  // namespace tracer
