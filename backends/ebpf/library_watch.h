// The files that breakpoints are set in: libraries of a table, and programs that hold such a library themselves; and
// which functions of each.
//
// A file is one however many processes, paths and mount namespaces it is mapped through. What is to be set is kept as
// work, and done in slices: a file may have a hundred functions, and each costs the kernel some time.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backends/ebpf/breakpoints.h"
#include "backends/ebpf/descriptor_closer.h"
#include "backends/ebpf/library_table.h"
#include "core/backend.h"

namespace tracer {

// What runs at the functions of the table, by their numbers; -1: nothing is needed there.
struct FunctionPrograms {
  int at_entry = -1, at_return = -1;
};
// For links at many places: the program is told the function's number. -1: this kernel has no such links.
struct CommonPrograms {
  int at_entry = -1, at_return = -1;
  [[nodiscard]] bool complete() const { return at_entry >= 0 && at_return >= 0; }
};

struct LibraryWatchOptions {
  LibraryTable table;
  std::vector<FunctionPrograms> programs;  // without common ones: what runs; with them: only which are needed
  CommonPrograms common{};
  std::string proc_root;
  bool each_alone = false;       // breakpoints only in the processes that were seen, so that nobody else pays
  bool search_programs = false;  // for functions of the table: those of held_family()
  std::size_t libraries_max = 64;
  std::size_t table_bytes_max = 64u << 20;  // symbols or their names, of one file
  std::size_t maps_bytes_max = 8u << 20;    // of one process
  std::size_t programs_max = 4096;          // remembered as searched
};

struct ExecutableMapping;

class LibraryWatch {
 public:
  using Clock = std::chrono::steady_clock;

  LibraryWatch(LibraryWatchOptions options, BreakpointSource source);

  [[nodiscard]] bool each_alone() const { return options_.each_alone; }

  // Files that programs will map sooner or later stay, mapped or not.
  void stand(std::span<const std::string> paths);
  // A look at all processes: begin, look at each, end. What nobody maps any more is let go of at the end.
  void begin_look();
  void look_at(std::uint32_t pid);
  void end_look();
  // It runs another program now: its next look is a thorough one.
  void forget(std::uint32_t pid);
  // It has ended: breakpoints of its own go.
  void let_go(std::uint32_t pid);
  // Sets breakpoints and searches programs until all is done, or the time is over; false: there is more to do.
  bool work(Clock::time_point until);

  // The path of the library of `family` as the process has it mapped, or, if it cannot be asked any more, the only one
  // there is; nullopt: not known which.
  [[nodiscard]] std::optional<std::string> path_of(std::string_view family, std::uint32_t pid) const;

  // One line for each file: "libssl.so.3: 24 of 26 functions".
  [[nodiscard]] std::vector<AttachOutcome> outcomes() const;
  // Files with the name of a library that no breakpoint could be set in: unreadable, stripped, for another
  // architecture.
  [[nodiscard]] std::uint64_t unseen() const { return unseen_; }
  [[nodiscard]] std::size_t breakpoints() const;

 private:
  struct Holder {
    std::int64_t process = -1;  // -1: all
    std::size_t next = 0;       // of the functions: set so far
    bool seen = true;
    std::vector<UniqueFd> events{};
  };
  struct Library {
    std::string path, family, build_id;
    struct stat facts{};
    bool overlaid = false;  // its inode is not the one that the kernel sets breakpoints in
    UniqueFd file{};
    std::vector<LibraryTable::Place> functions{};
    std::size_t wanted = 0;  // functions of the table for this family
    std::size_t refused = 0;
    std::string problem{};  // why one was refused
    bool standing = false, seen = true;
    std::list<Holder> holders{};
  };
  struct Known {
    Library* library = nullptr;  // null: not a library to us
    bool seen = true;
    bool unopened = false;  // it could not be looked into: who had it mapped may have ended
  };
  struct Process {
    std::uint64_t pages = 0;      // of its address space, when it was looked at
    std::vector<Known*> files{};  // of by_mapping_ and by_program_
    bool seen = true;
  };
  struct Unsearched {
    std::string key;  // of by_program_
    std::string path;
    UniqueFd file{};
  };

  // `family` nullopt: a program.
  Library* open(UniqueFd file, std::string_view path, std::optional<std::string_view> family);
  Library* known_as(const struct stat& facts, bool overlaid, const std::string& build_id);
  UniqueFd open_mapping(std::uint32_t pid, const ExecutableMapping& mapping) const;
  void hold(Library& library, std::int64_t process);
  void note(Known& known, std::uint32_t pid);
  Known* look_at_program(std::uint32_t pid);
  void search(Unsearched program);
  bool set_some(Clock::time_point until);
  void set_next(Library& library, Holder& holder);
  void set_all(Library& library, Holder& holder);

  LibraryWatchOptions options_;
  BreakpointSource source_;
  std::list<Library> libraries_;
  std::map<std::string, Known, std::less<>> by_mapping_, by_program_;
  std::deque<Unsearched> to_search_;
  std::unordered_map<std::uint32_t, Process> processes_;
  std::uint64_t looks_ = 0;
  DescriptorCloser closer_;
  std::uint64_t unseen_ = 0;
};

}  // namespace tracer
