#include "backends/ebpf/library_looks.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tracer {
namespace {

using namespace std::chrono_literals;

constexpr int look_share = 20;  // a look may take one part in so many of the time
// For what such a look finds: the kernel waits some 10 ms for all processors before the first breakpoint of several.
constexpr std::chrono::milliseconds soon_patience{40};
constexpr int soon_rest = 9;  // where programs begin all the time: as many parts of it without such looks
// After an exec: the loader maps what a program is linked to within milliseconds; later it loads what it is configured
// for.
constexpr std::array<std::chrono::milliseconds, 4> soon_after{3ms, 12ms, 50ms, 300ms};

}  // namespace

LibraryWatchOptions LibraryLooks::settle(LibraryWatchOptions watch, const LibraryLooksOptions& options,
                                         CalledProcesses& processes) {
  if (processes.can_grow()) return watch;
  const std::size_t selected = processes.find_selected().size();
  watch.each_alone = selected != 0 && selected <= options.alone_max;
  return watch;
}

LibraryLooks::LibraryLooks(LibraryLooksOptions options, LibraryWatchOptions watch, BreakpointSource source,
                           CalledProcesses& processes)
    : options_(std::move(options)),
      processes_(processes),
      files_(watch.table.files),
      proc_root_(watch.proc_root),
      libraries_(settle(std::move(watch), options_, processes), source) {
  if (!libraries_.each_alone()) directories_.emplace(options_.system_root);
}

void LibraryLooks::begin(Clock::time_point until) {
  begin_look();
  libraries_.work(until);  // first what the loader would find: most programs use that
  look(until);
  libraries_.work(until);
}

void LibraryLooks::begin_look() {
  looking_ = true;
  look_took_ = {};
  const auto began = Clock::now();
  if (directories_)
    if (const auto files =
            directories_->changed_files([&](std::string_view name) { return family_of(files_, name).has_value(); }))
      libraries_.stand(*files);
  libraries_.begin_look();
  to_look_at_ = processes_.everybody() ? list_processes(proc_root_) : processes_.find_selected();
  look_took_ += Clock::now() - began;
}

void LibraryLooks::look(Clock::time_point until) {
  if (!looking_) return;
  const auto began = Clock::now();
  while (looking_ && Clock::now() < until) {
    if (to_look_at_.empty()) {
      libraries_.end_look();
      looking_ = false;
      break;
    }
    libraries_.look_at(to_look_at_.back());
    to_look_at_.pop_back();
  }
  const auto ended = Clock::now();
  look_took_ += ended - began;
  if (!looking_)
    next_look_ = ended + std::max<Clock::duration>(std::chrono::nanoseconds(options_.look_ns), look_share * look_took_);
}

void LibraryLooks::look_soon(std::uint32_t pid, Clock::time_point began) {
  std::erase_if(soon_, [pid](const Soon& each) { return each.pid == pid; });  // it has run yet another one
  if (soon_.size() >= options_.soon_max) return;                              // the next look at all finds it
  soon_.push_back({began + soon_after[0], pid});
}

bool LibraryLooks::look_at_due(Clock::time_point now, Clock::time_point until) {
  if (soon_.empty() || now < rest_until_) return false;
  bool looked = false;
  for (std::size_t left = soon_.size(); left != 0 && Clock::now() < until; --left) {
    Soon next = soon_.front();
    soon_.pop_front();
    if (next.due <= now) {
      looked = true;
      libraries_.forget(next.pid);
      libraries_.look_at(next.pid);
      if (++next.look == soon_after.size()) continue;
      next.due = std::max(now, next.due + (soon_after[next.look] - soon_after[next.look - 1]));
    }
    soon_.push_back(next);
  }
  const auto ended = Clock::now();
  rest_until_ = ended + soon_rest * (ended - now);
  return looked;
}

void LibraryLooks::work(Clock::time_point now, Clock::time_point until) {
  if (look_at_due(now, until)) libraries_.work(now + soon_patience);
  if (!looking_ && now >= next_look_) begin_look();
  look(until);
  libraries_.work(until);
}

}  // namespace tracer
