#include "backends/procfs/process_facts.h"

#include <utility>

namespace tracer::procfs {

std::optional<ProcessFacts> read_process(const ProcessDirectory& directory, std::uint32_t tgid, std::uint32_t local_pid,
                                         bool local_is_ours) {
  auto stat = directory.stat();
  if (!stat) return std::nullopt;
  ProcessFacts facts;
  facts.tgid = tgid;
  if (local_is_ours) facts.local_pid = local_pid;
  facts.comm = std::move(stat->comm);
  facts.start_ticks = stat->start_ticks;
  if (const auto status = directory.status()) {
    if (status->tgid != local_pid) return std::nullopt;  // a thread: /proc opens it though it lists it not
    facts.uid = status->uid_real;
  }
  facts.executable = directory.executable().value_or(std::string{});
  facts.container_id = directory.container().value_or(std::string{});
  return facts;
}

}  // namespace tracer::procfs
