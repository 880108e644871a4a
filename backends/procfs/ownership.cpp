#include "backends/procfs/ownership.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "backends/procfs/process_facts.h"

namespace tracer {

using procfs::Found;
using procfs::ProcessDirectory;
using procfs::Refusal;

namespace {

FdAnswer answer(FdKind kind) { return {kind, {}}; }

FdAnswer answer_of(Refusal refusal) { return answer(refusal == Refusal::gone ? FdKind::gone : FdKind::unreadable); }

FdAnswer tcp_answer(const SocketFacts& socket) { return {FdKind::tcp, socket}; }

}  // namespace

std::uint64_t procfs::monotonic_now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * std::uint64_t{1'000'000'000} +
         static_cast<std::uint64_t>(now.tv_nsec);
}

Result<std::unique_ptr<ProcOwnership>> ProcOwnership::open(OwnershipOptions options) {
  auto proc = procfs::ProcReader::open(options.proc_root);
  if (!proc) return std::unexpected(proc.error());
  const auto numbering = procfs::find_numbering(*proc, static_cast<std::uint32_t>(::getpid()));
  const auto self = proc->self();
  const std::uint64_t own_namespace = self ? self->net_namespace().value_or(0) : 0;
  std::unique_ptr<ProcOwnership> ownership(
      new ProcOwnership(std::move(options), *std::move(proc), numbering, own_namespace));
  // The first list now: whether sock_diag works is known only by doing it.
  if (self && own_namespace != 0) ownership->refresh(*self, own_namespace, true);
  return ownership;
}

ProcOwnership::ProcOwnership(OwnershipOptions options, procfs::ProcReader proc, procfs::NumberingFacts numbering,
                             std::uint64_t own_namespace)
    : options_(std::move(options)),
      proc_(std::move(proc)),
      numbering_(numbering, options_.learned_pids_max),
      own_namespace_(own_namespace),
      lister_(own_namespace, options_.use_sock_diag, options_.sockets_per_namespace_max),
      tables_(options_.tables) {}

Found<ProcessDirectory> ProcOwnership::open_local(procfs::PidNumbering::Local local) const {
  auto directory = proc_.process(local.pid);
  if (!directory || !local.start_ticks) return directory;
  const auto stat = directory->stat();
  if (!stat) return std::unexpected(stat.error());
  if (stat->start_ticks != *local.start_ticks)
    return std::unexpected(Refusal::gone);  // the number was given away again
  return directory;
}

std::optional<ProcessFacts> ProcOwnership::read(std::uint32_t tgid, procfs::PidNumbering::Local local) const {
  const auto directory = open_local(local);
  if (!directory) return std::nullopt;
  return procfs::read_process(*directory, tgid, local.pid, numbering_.facts().proc_is_ours);
}

std::optional<ProcessFacts> ProcOwnership::remembered(std::uint32_t tgid) const {
  const ProcessFacts* facts = options_.processes ? options_.processes->find(tgid) : nullptr;
  return facts == nullptr ? std::nullopt : std::optional(*facts);
}

std::optional<ProcessFacts> ProcOwnership::process(std::uint32_t tgid) {
  const auto local = numbering_.local(tgid);
  if (!local) {
    ++counters_.processes_not_numbered;
    return remembered(tgid);
  }
  auto facts = read(tgid, *local);
  if (!facts) return remembered(tgid);
  if (facts->executable.empty()) {  // a zombie has none any more
    const auto before = remembered(tgid);
    if (before && before->comm == facts->comm) facts->executable = before->executable;
  }
  return facts;
}

template <typename Visit>
void ProcOwnership::for_each_process(Visit visit) {
  std::vector<std::uint32_t> tgids;
  if (translates()) {
    tgids = numbering_.learned();
  } else if (const auto left = proc_.pids(tgids, options_.processes_max)) {
    counters_.processes_over_limit += *left;
  }
  for (const std::uint32_t tgid : tgids) {
    const auto local = numbering_.local(tgid);
    if (!local) continue;
    const auto directory = open_local(*local);
    if (directory) visit(tgid, local->pid, *directory);
  }
}

std::optional<std::uint32_t> ProcOwnership::local_pid(std::uint32_t tgid) {
  if (!numbering_.facts().proc_is_ours) return std::nullopt;
  if (const auto local = numbering_.local(tgid)) return local->pid;
  const auto before = remembered(tgid);  // also one that was listed and that nobody translated
  return before ? before->local_pid : std::nullopt;
}

std::optional<StartArguments> ProcOwnership::arguments(std::uint32_t tgid, std::string_view comm) {
  const auto local = numbering_.local(tgid);
  if (!local || comm.empty()) return std::nullopt;
  const auto directory = open_local(*local);
  if (!directory) return std::nullopt;
  auto arguments = directory->arguments(procfs::argument_bytes_max);
  const auto status = directory->status();
  // Last: if the name is still the same now, it was so while the rest was read.
  const auto stat = directory->stat();
  if (!arguments || !stat || stat->comm != comm) return std::nullopt;
  StartArguments answer{std::move(arguments->text), arguments->cut, {}};
  if (status) answer.gid = status->gid_real;
  return answer;
}

std::vector<ProcessFacts> ProcOwnership::all_processes() {
  std::vector<ProcessFacts> found;
  for_each_process([&](std::uint32_t tgid, std::uint32_t local_pid, const ProcessDirectory& directory) {
    auto facts = procfs::read_process(directory, tgid, local_pid, numbering_.facts().proc_is_ours);
    if (facts) found.push_back(*std::move(facts));
  });
  return found;
}

ProcOwnership::Refreshed ProcOwnership::refresh(const ProcessDirectory& member, std::uint64_t network_namespace,
                                                bool even_if_not_due) {
  const std::uint64_t began_ns = options_.now_ns();
  if (!even_if_not_due && !tables_.may_refresh(network_namespace, began_ns)) return Refreshed::too_soon;
  auto sockets = lister_.list(network_namespace, member);
  if (!sockets) return Refreshed::failed;
  tables_.replace(network_namespace, *std::move(sockets), began_ns, options_.now_ns());
  return Refreshed::yes;
}

Found<ProcOwnership::Look> ProcOwnership::look_at(std::uint32_t local_pid, int fd) const {
  auto inode = proc_.socket_inode(local_pid, fd);
  // The descriptor may become another between two looks at it. Then they do not fit together and both are made again,
  // once: of a descriptor that changes that often only the inode is taken.
  for (int attempt = 0; attempt < 2 && inode && *inode != procfs::not_a_socket; ++attempt) {
    const SocketFacts* known = tables_.find(*inode, options_.now_ns());
    if (known != nullptr && procfs::is_settled(*known)) return Look{*inode, procfs::Protocol::tcp, known};
    const procfs::Protocol protocol = proc_.protocol(local_pid, fd);
    const auto again = proc_.socket_inode(local_pid, fd);
    if (again == inode) return Look{*inode, protocol, nullptr};
    inode = again;
  }
  if (!inode) return std::unexpected(inode.error());
  return Look{*inode, procfs::Protocol::unsaid, nullptr};
}

FdAnswer ProcOwnership::descriptor(std::uint32_t tgid, int fd) {
  ++counters_.descriptor_questions;
  const auto local = numbering_.local(tgid);
  if (!local) {
    ++counters_.processes_not_numbered;
    return answer(FdKind::unreadable);
  }
  if (local->start_ticks) {  // a learned number: is it still the same process?
    if (const auto directory = open_local(*local); !directory) return answer_of(directory.error());
  }
  const auto look = look_at(local->pid, fd);
  if (!look) return answer_of(look.error());
  if (look->settled != nullptr) {
    ++counters_.answered_from_table;
    return tcp_answer(*look->settled);
  }
  if (look->inode == procfs::not_a_socket || look->protocol == procfs::Protocol::other) {
    return answer(FdKind::not_tcp);
  }

  const auto directory = open_local(*local);
  if (!directory) return answer_of(directory.error());
  const auto network_namespace = directory->net_namespace();
  const Refreshed refreshed = network_namespace ? refresh(*directory, *network_namespace, false) : Refreshed::failed;
  if (const SocketFacts* listed = tables_.find(look->inode, options_.now_ns())) return tcp_answer(*listed);

  if (look->protocol == procfs::Protocol::tcp) {
    ++counters_.answered_without_address;
    SocketFacts without_address;
    without_address.inode = look->inode;
    return tcp_answer(without_address);
  }
  if (refreshed == Refreshed::yes) return answer(FdKind::not_tcp);
  ++counters_.unanswered_too_soon;
  return answer(FdKind::unreadable);
}

std::uint64_t ProcOwnership::network_namespace(std::uint32_t tgid) {
  const auto local = numbering_.local(tgid);
  if (!local) {
    ++counters_.processes_not_numbered;
    return 0;
  }
  const auto directory = open_local(*local);
  return directory ? directory->net_namespace().value_or(0) : 0;
}

std::vector<Ownership::OwnedSocket> ProcOwnership::all_tcp_descriptors() {
  struct Held {
    std::uint32_t tgid;
    procfs::SocketDescriptor descriptor;
  };
  std::vector<Held> held;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> members;  // (network namespace, tgid)
  std::vector<procfs::SocketDescriptor> sockets;
  for_each_process([&](std::uint32_t tgid, std::uint32_t, const ProcessDirectory& directory) {
    sockets.clear();
    const auto left = directory.sockets(sockets, options_.descriptors_per_process_max);
    if (left) counters_.descriptors_over_limit += *left;
    if (sockets.empty()) return;
    if (const auto network_namespace = directory.net_namespace()) members.emplace_back(*network_namespace, tgid);
    for (const procfs::SocketDescriptor& socket : sockets) held.push_back({tgid, socket});
  });

  // The lists after the descriptors: what is in both was open at one moment. One member of each namespace is enough,
  // unless it is gone by now.
  std::ranges::sort(members);
  std::optional<std::uint64_t> done;
  for (const auto& [network_namespace, tgid] : members) {
    if (done == network_namespace) continue;
    const auto local = numbering_.local(tgid);
    if (!local) continue;
    const auto directory = open_local(*local);
    if (!directory || directory->net_namespace() != network_namespace) continue;
    if (refresh(*directory, network_namespace, true) == Refreshed::yes) done = network_namespace;
  }

  std::vector<OwnedSocket> found;
  const std::uint64_t now_ns = options_.now_ns();
  for (const Held& one : held) {
    const SocketFacts* socket = tables_.find(one.descriptor.inode, now_ns);
    if (socket != nullptr) found.push_back({one.tgid, one.descriptor.fd, *socket});
  }
  return found;
}

std::vector<Endpoint> ProcOwnership::listeners(std::uint64_t network_namespace) {
  if (network_namespace == 0 || network_namespace == own_namespace_) {
    if (const auto self = proc_.self(); self && own_namespace_ != 0) refresh(*self, own_namespace_, false);
  }
  return tables_.listeners(network_namespace == 0 ? std::nullopt : std::optional(network_namespace));
}

void ProcOwnership::learn(std::uint32_t tgid, std::uint32_t local_pid) {
  if (!translates() || numbering_.knows(tgid, local_pid)) return;
  const auto directory = proc_.process(local_pid);
  if (!directory) return;
  const auto stat = directory->stat();
  if (!stat) return;
  if (!numbering_.learn(tgid, local_pid, stat->start_ticks)) ++counters_.learned_over_limit;
}

void ProcOwnership::forget(std::uint32_t tgid) { numbering_.forget(tgid); }

OwnershipCounters ProcOwnership::counters() const {
  OwnershipCounters counters = counters_;
  counters.lists = lister_.counters();
  counters.namespaces_evicted = tables_.namespaces_evicted();
  return counters;
}

}  // namespace tracer
