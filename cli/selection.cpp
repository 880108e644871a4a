#include "cli/selection.h"

#include <algorithm>
#include <utility>

namespace tracer::cli {
namespace {

constexpr int generations_max = 64;  // looked up at once; init is an ancestor of everybody long before that

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// `needle` is lower case already.
bool contains_caseless(std::string_view text, std::string_view needle) {
  const auto found =
      std::search(text.begin(), text.end(), needle.begin(), needle.end(), [](char a, char b) { return lower(a) == b; });
  return found != text.end() || needle.empty();
}

bool has_name(std::string_view comm, std::string_view executable, const std::vector<std::string>& names) {
  return std::ranges::any_of(names, [&](std::string_view name) {
    return contains_caseless(comm, name) || contains_caseless(executable, name);
  });
}

bool is_whole_process(ProcessRef who) { return who.tid == 0 || who.tid == who.tgid; }

}  // namespace

bool is_named(const ProcessFacts& process, std::string_view name) {
  return contains_caseless(process.comm, name) || contains_caseless(process.executable, name);
}

Selection::Selection(SelectionOptions options, Ownership& ownership, ParentOf parent_of)
    : options_(std::move(options)), ownership_(ownership), parent_of_(std::move(parent_of)) {
  for (const std::uint32_t pid : options_.pids) numbered_[pid];
  if (everybody()) return;
  std::vector<ProcessFacts> running = ownership_.all_processes();
  for (const ProcessFacts& process : running) (void)selects(process);
  // Whoever was asked about before an ancestor was known is asked about again.
  strangers_.clear();
  if (!options_.follow_children) return;
  for (const ProcessFacts& process : running) (void)selects(process);
}

// ---- asked ----

// Learns the ticks from the first that has some.
bool Selection::is_same(Known& known, const ProcessFacts& process) {
  if (process.start_ticks != 0 && known.start_ticks != 0) return process.start_ticks == known.start_ticks;
  if (known.reused) return false;
  if (known.start_ticks == 0) known.start_ticks = process.start_ticks;
  return true;
}

bool Selection::fits_number(const ProcessFacts& process) const {
  if (!process.local_pid) return false;
  const auto found = numbered_.find(*process.local_pid);
  if (found == numbered_.end() || !is_same(found->second.known, process)) return false;
  found->second.tgid = process.tgid;
  return true;
}

bool Selection::is_root(const ProcessFacts& process) const {
  return (options_.pids.empty() || fits_number(process)) &&
         (options_.names.empty() || has_name(process.comm, process.executable, options_.names));
}

void Selection::follow(std::uint32_t tgid, std::uint64_t start_ticks) const {
  if (tgid == 0) return;
  if (followed_.size() >= options_.followed_max) forget_ended();
  if (followed_.size() >= options_.followed_max) return;
  Known& known = followed_[tgid];
  if (known.start_ticks == 0) known.start_ticks = start_ticks;
  if (const auto pid = ownership_.local_pid(tgid)) followed_pids_[*pid] = tgid;
}

void Selection::forget_ended() const {
  std::erase_if(followed_, [](const auto& each) { return each.second.ended; });
  std::erase_if(followed_pids_, [&](const auto& each) { return !followed_.contains(each.second); });
}

// By its number in the tracer's own pid namespace.
bool Selection::is_followed(std::uint32_t pid) const {
  const auto tgid = followed_pids_.find(pid);
  if (tgid == followed_pids_.end()) return false;
  const auto known = followed_.find(tgid->second);
  if (known == followed_.end()) return false;
  const auto facts = ownership_.process(tgid->second);
  return !facts || is_same(known->second, *facts);
}

bool Selection::is_follower(const ProcessFacts& process) const {
  if (!options_.follow_children) return false;
  const auto found = followed_.find(process.tgid);
  if (found != followed_.end()) return is_same(found->second, process);
  return descends(process);
}

// Nobody told of its beginning: it was there before, or its records came faster than the news of its fork.
bool Selection::descends(const ProcessFacts& process) const {
  if (!parent_of_ || !process.local_pid) return false;
  const auto stranger = strangers_.find(process.tgid);
  if (stranger != strangers_.end() && stranger->second == process.start_ticks) return false;
  std::uint32_t pid = *process.local_pid;
  for (int generation = 0; generation < generations_max; ++generation) {
    const auto parent = parent_of_(pid);
    if (!parent || *parent == 0) break;
    if (is_followed(*parent)) {
      follow(process.tgid, process.start_ticks);
      return true;
    }
    pid = *parent;
  }
  if (strangers_.size() >= options_.strangers_max) strangers_.clear();
  strangers_[process.tgid] = process.start_ticks;
  return false;
}

bool Selection::selects(const ProcessFacts& process) const {
  if (everybody()) return true;
  const bool root = is_root(process);
  if (!root && !is_follower(process)) return false;
  matched_ = true;
  if (root && options_.follow_children) follow(process.tgid, process.start_ticks);
  return true;
}

// ---- told ----

// A process begins with that number: whoever had it is gone.
void Selection::number_taken(std::uint32_t tgid) {
  followed_.erase(tgid);
  strangers_.erase(tgid);
  for (auto& [pid, numbered] : numbered_) {
    if (numbered.tgid == tgid && tgid != 0) numbered.known.ended = numbered.known.reused = true;
  }
}

void Selection::on_fork(std::uint32_t parent, std::uint32_t child) {
  number_taken(child);
  if (!options_.follow_children || !followed_.contains(parent)) return;
  follow(child, 0);
  if (!options_.relatives.forked) return;
  const auto parent_pid = ownership_.local_pid(parent), child_pid = ownership_.local_pid(child);
  if (parent_pid && child_pid) options_.relatives.forked(*parent_pid, *child_pid);
}

void Selection::on_start(std::uint32_t tgid, const ProcessStarted& started) {
  if (options_.pids.empty() && has_name(started.comm, started.executable, options_.names)) {
    matched_ = true;
    if (options_.follow_children) follow(tgid, 0);
  } else if (options_.follow_children && followed_.contains(started.parent_tgid)) {
    follow(tgid, 0);
  }
  if (!options_.relatives.started || !followed_.contains(tgid)) return;
  if (const auto pid = ownership_.local_pid(tgid)) options_.relatives.started(*pid);
}

void Selection::on_event(const Event& event) {
  if (everybody()) return;
  if (const auto* forked = std::get_if<ProcessForked>(&event.body)) {
    on_fork(event.who.tgid, forked->child_tgid);
  } else if (const auto* started = std::get_if<ProcessStarted>(&event.body)) {
    on_start(event.who.tgid, *started);
  } else if (std::holds_alternative<ProcessExited>(event.body) && is_whole_process(event.who)) {
    if (const auto found = followed_.find(event.who.tgid); found != followed_.end()) found->second.ended = true;
    for (auto& [pid, numbered] : numbered_)
      if (numbered.tgid == event.who.tgid) numbered.known.ended = true;
  }
}

// ---- its end ----

// Events may be late, or may not come at all.
bool Selection::has_ended(std::uint32_t tgid, Known& known) {
  if (known.ended || tgid == 0) return known.ended;
  const auto facts = ownership_.process(tgid);
  known.ended =
      !facts || (facts->start_ticks != 0 && known.start_ticks != 0 && facts->start_ticks != known.start_ticks);
  return known.ended;
}

bool Selection::over() {
  if (numbered_.empty()) return false;
  for (auto& [pid, numbered] : numbered_)
    if (!has_ended(numbered.tgid, numbered.known)) return false;
  if (!options_.follow_children) return true;
  return std::ranges::all_of(followed_, [&](auto& each) { return has_ended(each.first, each.second); });
}

}  // namespace tracer::cli
