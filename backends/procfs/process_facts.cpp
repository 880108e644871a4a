#include "backends/procfs/process_facts.h"

#include <utility>

namespace tracer::procfs {
namespace {

bool fill(const ProcessDirectory& directory, std::uint32_t tgid, std::uint32_t local_pid, bool local_is_ours,
          StartedProcess& process) {
  auto stat = directory.stat();
  if (!stat) return false;
  ProcessFacts& facts = process.facts;
  facts.tgid = tgid;
  if (local_is_ours) facts.local_pid = local_pid;
  facts.comm = std::move(stat->comm);
  facts.start_ticks = stat->start_ticks;
  process.parent = stat->parent;
  if (const auto status = directory.status()) {
    if (status->tgid != local_pid) return false;  // a thread: /proc opens it though it lists it not
    facts.uid = status->uid_real;
    process.gid = status->gid_real;
  }
  facts.executable = directory.executable().value_or(std::string{});
  facts.container_id = directory.container().value_or(std::string{});
  return true;
}

}  // namespace

std::optional<ProcessFacts> read_process(const ProcessDirectory& directory, std::uint32_t tgid, std::uint32_t local_pid,
                                         bool local_is_ours) {
  StartedProcess process;
  if (!fill(directory, tgid, local_pid, local_is_ours, process)) return std::nullopt;
  return std::move(process.facts);
}

std::optional<StartedProcess> read_started(const ProcessDirectory& directory, std::uint32_t tgid,
                                           std::uint32_t local_pid, bool local_is_ours) {
  StartedProcess process;
  if (!fill(directory, tgid, local_pid, local_is_ours, process)) return std::nullopt;
  if (auto arguments = directory.arguments(argument_bytes_max)) process.arguments = *std::move(arguments);
  return process;
}

bool is_wanted(const ProcessDirectory& directory, std::uint32_t local_pid, const NumberingFacts& numbering,
               const ProcessSelection* selection, ProcessCache* known) {
  const bool is_to_be_noted = known != nullptr && !numbering.proc_is_initial;
  const bool is_to_be_chosen = selection != nullptr && !selection->everybody();
  if (!is_to_be_noted && !is_to_be_chosen) return true;
  auto facts = read_process(directory, tgid_of_listed(numbering, local_pid), local_pid, numbering.proc_is_ours);
  if (!facts || (is_to_be_chosen && !selection->selects(*facts))) return false;
  if (is_to_be_noted) known->note(*std::move(facts));
  return true;
}

ProcessStarted started_event(const StartedProcess& process) {
  ProcessStarted started;
  started.executable = process.facts.executable;
  started.comm = process.facts.comm;
  started.parent_tgid = process.parent;
  started.arguments = process.arguments.text;
  started.arguments_cut = process.arguments.cut;
  started.gid = process.gid;
  return started;
}

}  // namespace tracer::procfs
