#include "core/process_table.h"

#include <utility>

namespace tracer {

ProcessTable::Process& ProcessTable::at_or_new(std::uint32_t tgid) {
  const auto found = processes_.find(tgid);
  if (found != processes_.end()) return found->second;
  if (processes_.size() >= limits_.processes_max) {
    const auto victim = processes_.begin();
    if (victim->second.dead) --dead_;
    processes_.erase(victim);
    ++evicted_;
  }
  return processes_[tgid];
}

void ProcessTable::begin_image(Process& process, EventTime at) {
  process.before = std::move(process.now);
  process.has_before = true;
  process.now = Image{};
  process.now.since = at;
}

void ProcessTable::started(ProcessRef who, const ProcessStarted& event, EventTime at) {
  Process& process = at_or_new(who.tgid);
  begin_image(process, at);
  process.now.comm = event.comm;
  process.now.executable = event.executable;
  process.now.uid = event.uid;
  if (std::exchange(process.dead, false)) --dead_;
}

void ProcessTable::forked(ProcessRef parent, std::uint32_t child_tgid, EventTime at) {
  if (child_tgid == 0 || child_tgid == parent.tgid) return;  // a thread
  // The child is what its parent is, should it be gone before anybody asks; so the parent is asked about once.
  std::string comm, executable;
  if (const auto known = find(parent.tgid, at)) {
    comm = known->comm;
    executable = known->executable;
  }
  Process& child = at_or_new(child_tgid);
  begin_image(child, at);
  child.now.comm = std::move(comm);
  child.now.executable = std::move(executable);
  if (std::exchange(child.dead, false)) --dead_;
}

void ProcessTable::know(ProcessFacts facts) {
  if (facts.tgid == 0) return;
  Image& image = at_or_new(facts.tgid).now;
  if (image.asked) return;
  image.asked = true;
  image.facts = std::make_shared<ProcessFacts>(std::move(facts));
}

void ProcessTable::hint(std::uint32_t tgid, std::string_view comm, std::optional<std::uint32_t> uid, EventTime at) {
  if (tgid == 0) return;
  Image& image = at_or_new(tgid).now;
  if (uid) image.uid = uid;
  if (uid && image.facts && image.facts->uid != uid) {  // it has become another user since it was asked about
    auto changed = std::make_shared<ProcessFacts>(*image.facts);
    changed->uid = uid;
    image.facts = std::move(changed);
  }
  if (comm.empty()) return;
  image.comm = comm;
  image.comm_is_current = true;
  if (!image.facts) image.asked = false;  // there is more to say than when it was asked about
  // A process may rename itself without an event, or the word of its exec may have been lost: what the kernel says
  // while it moves bytes is newer than what was read, so the rest is read again.
  const auto known = find(tgid, at);
  if (!known || known->comm == comm) return;
  auto renamed = std::make_shared<ProcessFacts>(*known);
  renamed->comm = comm;
  if (const auto now = ownership_.process(tgid); now && !now->executable.empty()) renamed->executable = now->executable;
  image.facts = std::move(renamed);
}

void ProcessTable::learn(std::uint32_t tgid, std::uint32_t local_pid) {
  if (const auto found = processes_.find(tgid); found != processes_.end() && found->second.now.local_pid == local_pid)
    return;
  ownership_.learn(tgid, local_pid);
  Image& image = at_or_new(tgid).now;
  image.local_pid = local_pid;
  image.asked = false;
}

std::optional<std::uint32_t> ProcessTable::local_pid(std::uint32_t tgid) {
  if (const auto found = processes_.find(tgid); found != processes_.end()) {
    const Image& image = found->second.now;
    if (image.facts && image.facts->local_pid) return image.facts->local_pid;
    if (image.local_pid) return image.local_pid;
  }
  return ownership_.local_pid(tgid);
}

EventTime ProcessTable::image_since(std::uint32_t tgid) const {
  const auto found = processes_.find(tgid);
  return found == processes_.end() ? EventTime{} : found->second.now.since;
}

void ProcessTable::exited(ProcessRef who, EventTime at) {
  if (who.tid != 0 && who.tid != who.tgid) return;  // a thread
  const auto found = processes_.find(who.tgid);
  if (found == processes_.end()) return;
  if (!std::exchange(found->second.dead, true)) ++dead_;
  found->second.died = at;
}

void ProcessTable::read(std::uint32_t tgid, Process& process) {
  Image& image = process.now;
  image.asked = true;
  auto facts = std::make_shared<ProcessFacts>();
  // A dead process has no /proc entry, and its number may be somebody else's by now.
  std::optional<ProcessFacts> answer;
  if (!process.dead) answer = ownership_.process(tgid);
  if (answer) *facts = std::move(*answer);
  facts->tgid = tgid;
  if (!facts->local_pid) facts->local_pid = ownership_.local_pid(tgid);
  if (!facts->local_pid) facts->local_pid = image.local_pid;
  if (facts->comm.empty() || image.comm_is_current) facts->comm = image.comm;
  if (facts->executable.empty()) facts->executable = image.executable;
  if (!facts->uid) facts->uid = image.uid;
  if (answer || !facts->comm.empty() || !facts->executable.empty()) image.facts = std::move(facts);
}

std::shared_ptr<const ProcessFacts> ProcessTable::find(std::uint32_t tgid, EventTime at) {
  if (tgid == 0) return nullptr;
  Process& process = at_or_new(tgid);
  if (process.has_before && at < process.now.since && process.before.facts) return process.before.facts;
  if (!process.now.asked) read(tgid, process);
  return process.now.facts;
}

void ProcessTable::advance(EventTime now) {
  if (dead_ == 0 || now < next_sweep_) return;
  next_sweep_ = EventTime{now.ns + limits_.keep_dead_ns / 4};
  for (auto it = processes_.begin(); it != processes_.end();) {
    const bool over = it->second.dead && it->second.died.ns + limits_.keep_dead_ns <= now.ns;
    if (over) --dead_;
    it = over ? processes_.erase(it) : std::next(it);
  }
}

}  // namespace tracer
