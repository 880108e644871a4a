#include "backends/procfs/newcomers.h"

#include <algorithm>
#include <utility>

#include "backends/procfs/process_facts.h"

namespace tracer::procfs {
namespace {

constexpr std::size_t messages_per_read_max = 256;
constexpr int reads_per_refresh_max = 64;

}  // namespace

Newcomers::Newcomers(const ProcReader& proc, bool local_is_ours, std::shared_ptr<ProcessCache> cache,
                     std::optional<ProcConnector> connector, const NewcomerLimits& limits,
                     std::function<std::uint64_t()> now_ns)
    : proc_(proc),
      local_is_ours_(local_is_ours),
      cache_(std::move(cache)),
      connector_(std::move(connector)),
      limits_(limits),
      now_ns_(std::move(now_ns)) {
  if (!connector_) list();
  newcomers_.clear();  // those that were there before are not new
  last_begin_ns_ = 0;
}

void Newcomers::refresh() {
  if (!connector_) {
    list();
    return;
  }
  for (int reads = 0; reads < reads_per_refresh_max; ++reads) {
    messages_.clear();
    const auto more = connector_->read(messages_, messages_per_read_max);
    for (const ProcessMessage& message : messages_) take_in(message);
    if (!more || !*more) return;
  }
}

void Newcomers::take_in(const ProcessMessage& message) {
  ++events_;
  switch (message.kind) {
    case ProcessMessage::Kind::forked:
      began(message.child_tgid);
      // What the parent is known to be, for the child may be gone already; else whatever /proc still has.
      if (!cache_->forked(message.tgid, message.child_tgid)) note(message.child_tgid);
      break;
    case ProcessMessage::Kind::execed:
      began(message.tgid);
      note(message.tgid);
      break;
    case ProcessMessage::Kind::renamed:
      note(message.tgid);
      break;
    case ProcessMessage::Kind::exited:
      std::erase_if(newcomers_, [&](const Newcomer& newcomer) { return newcomer.pid == message.tgid; });
      cache_->exited(message.tgid, now_ns_());
      break;
  }
}

void Newcomers::list() {
  const std::uint64_t began_ns = now_ns_();
  if (began_ns < next_listing_ns_) return;
  std::vector<std::uint32_t> pids;
  if (!proc_.pids(pids, limits_.processes_max)) return;
  std::unordered_set<std::uint32_t> there(pids.begin(), pids.end());
  for (const std::uint32_t pid : listed_) {
    if (!there.contains(pid)) cache_->exited(pid, began_ns);
  }
  std::erase_if(newcomers_, [&](const Newcomer& newcomer) { return !there.contains(newcomer.pid); });
  const bool first = next_listing_ns_ == 0;
  for (const std::uint32_t pid : pids) {
    if (listed_.contains(pid) || first) continue;
    began(pid);
    note(pid);
  }
  listed_ = std::move(there);
  const std::uint64_t cost_ns = now_ns_() - began_ns;
  next_listing_ns_ = began_ns + std::max(limits_.listing_interval_ns_min, cost_ns * limits_.listing_cost_factor);
}

void Newcomers::began(std::uint32_t pid) {
  last_begin_ns_ = now_ns_();
  std::erase_if(newcomers_, [&](const Newcomer& newcomer) { return newcomer.pid == pid; });
  newcomers_.push_front({pid, last_begin_ns_});
  if (newcomers_.size() > limits_.new_processes_max) newcomers_.pop_back();
}

bool Newcomers::note(std::uint32_t pid) {
  const auto directory = proc_.process(pid);
  if (!directory) return false;
  auto facts = read_process(*directory, pid, pid, local_is_ours_);
  if (!facts) return false;
  cache_->note(*std::move(facts));
  return true;
}

std::vector<std::uint32_t> Newcomers::pids(std::uint64_t since_ns) const {
  std::vector<std::uint32_t> found;
  const std::uint64_t now_ns = now_ns_();
  for (const Newcomer& newcomer : newcomers_) {
    if (newcomer.began_ns < since_ns) break;
    if (newcomer.began_ns + limits_.new_process_ns_max >= now_ns) found.push_back(newcomer.pid);
  }
  return found;
}

const ProcessFacts* Newcomers::facts(std::uint32_t pid) {
  const ProcessFacts* known = cache_->find(pid);
  if (known != nullptr && connector_) return known;
  (void)note(pid);
  return cache_->find(pid);
}

}  // namespace tracer::procfs
