#include "backends/procfs/process_cache.h"

namespace tracer::procfs {

void ProcessCache::note(ProcessFacts facts) {
  const std::uint32_t tgid = facts.tgid;
  const auto known = processes_.find(tgid);
  if (known == processes_.end() && processes_.size() >= limits_.processes_max) {
    ++over_limit_;
    return;
  }
  processes_.insert_or_assign(tgid, Entry{std::move(facts), 0});
}

bool ProcessCache::forked(std::uint32_t parent, std::uint32_t child) {
  const auto known = processes_.find(parent);
  if (known == processes_.end()) return false;
  ProcessFacts facts = known->second.facts;
  facts.tgid = child;
  if (facts.local_pid) facts.local_pid = child;
  facts.start_ticks = 0;
  note(std::move(facts));
  return true;
}

void ProcessCache::exited(std::uint32_t tgid, std::uint64_t now_ns) {
  forget_long_dead(now_ns);
  const auto known = processes_.find(tgid);
  if (known == processes_.end() || known->second.died_ns != 0) return;
  known->second.died_ns = now_ns == 0 ? 1 : now_ns;
  dead_.emplace_back(known->second.died_ns, tgid);
}

const ProcessFacts* ProcessCache::find(std::uint32_t tgid) const {
  const auto known = processes_.find(tgid);
  return known == processes_.end() ? nullptr : &known->second.facts;
}

void ProcessCache::forget_long_dead(std::uint64_t now_ns) {
  while (!dead_.empty() && dead_.front().first + limits_.keep_dead_ns <= now_ns) {
    const auto [died_ns, tgid] = dead_.front();
    dead_.pop_front();
    // A number that was given to another process since has another entry.
    if (const auto known = processes_.find(tgid); known != processes_.end() && known->second.died_ns == died_ns)
      processes_.erase(known);
  }
}

}  // namespace tracer::procfs
