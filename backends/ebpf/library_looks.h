// When which process is looked at for libraries, and when breakpoints are set: all of it in slices between two readings
// of a buffer, beside what the kernel reports.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "backends/ebpf/called_processes.h"
#include "backends/ebpf/library_watch.h"
#include "backends/ebpf/mapped_files.h"

namespace tracer {

struct LibraryLooksOptions {
  std::string system_root;      // where the loader's directories are
  std::uint64_t look_ns = 0;    // between two looks at all processes; longer where one takes long
  std::size_t alone_max = 0;    // processes that get breakpoints of their own
  std::size_t soon_max = 1024;  // processes that wait to be looked at soon
};

class LibraryLooks {
 public:
  using Clock = LibraryWatch::Clock;

  // `processes` must outlive it. Decides watch.each_alone: few processes that are selected, and nobody can join them.
  LibraryLooks(LibraryLooksOptions options, LibraryWatchOptions watch, BreakpointSource source,
               CalledProcesses& processes);

  // A first look at all, and what it found to be set; what is not done by then follows in slices.
  void begin(Clock::time_point until);
  // A slice.
  void work(Clock::time_point now, Clock::time_point until);
  // A process runs another program since `began`: its libraries are mapped within the next milliseconds. `pid` as /proc
  // numbers it.
  void look_soon(std::uint32_t pid, Clock::time_point began);

  // A process has ended: its number may be another's soon.
  void gone(std::uint32_t pid) { libraries_.let_go(pid); }

  [[nodiscard]] const LibraryWatch& libraries() const { return libraries_; }

 private:
  struct Soon {
    Clock::time_point due;
    std::uint32_t pid = 0;
    std::size_t look = 0;  // which one of them
  };
  static LibraryWatchOptions settle(LibraryWatchOptions watch, const LibraryLooksOptions& options,
                                    CalledProcesses& processes);
  void begin_look();
  void look(Clock::time_point until);
  bool look_at_due(Clock::time_point now, Clock::time_point until);  // true: at some

  LibraryLooksOptions options_;
  CalledProcesses& processes_;
  std::span<const LibraryFile> files_;
  std::string proc_root_;
  LibraryWatch libraries_;
  std::optional<LoaderDirectories> directories_;  // absent: only what is mapped already
  std::vector<std::uint32_t> to_look_at_;         // processes of the look that has begun
  bool looking_ = false;
  Clock::duration look_took_{};
  Clock::time_point next_look_{};
  std::deque<Soon> soon_;
  Clock::time_point rest_until_{};  // of looks at these
};

}  // namespace tracer
