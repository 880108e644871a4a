#include "backends/ebpf/library_watch.h"

#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "backends/ebpf/elf_functions.h"
#include "backends/ebpf/mapped_files.h"

namespace tracer {
namespace {

constexpr long overlay_magic = 0x794c7630;  // OVERLAYFS_SUPER_MAGIC

// Only regular files: an open of something else may wait, or do something.
UniqueFd open_file(const std::string& path) {
  UniqueFd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat facts{};
  if (!place || ::fstat(place.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return {};
  return UniqueFd(::open(("/proc/self/fd/" + std::to_string(place.get())).c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
}

// The size of a process's address space changes with every library that it maps, and is quickly read. A change that
// leaves it as it was is found at every so many looks.
constexpr std::uint64_t full_look = 16;

constexpr std::size_t unsearched_max = 256;  // open at once

std::string program_key(const struct stat& facts) {
  std::string key;
  for (const std::uint64_t each :
       {std::uint64_t{facts.st_dev}, std::uint64_t{facts.st_ino}, static_cast<std::uint64_t>(facts.st_size),
        static_cast<std::uint64_t>(facts.st_mtim.tv_sec), static_cast<std::uint64_t>(facts.st_mtim.tv_nsec)})
    key += std::to_string(each) + " ";
  return key;
}

std::string link_target(const std::string& link) {
  std::string target(4096, '\0');
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  target.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  constexpr std::string_view gone = " (deleted)";
  if (target.ends_with(gone)) target.resize(target.size() - gone.size());
  return target;
}

std::string mapping_key(const ExecutableMapping& mapping) {
  return std::string(mapping.device) + " " + std::to_string(mapping.inode) + " " + std::string(mapping.path);
}

}  // namespace

LibraryWatch::LibraryWatch(LibraryWatchOptions options, BreakpointSource source)
    : options_(std::move(options)), source_(source) {}

UniqueFd LibraryWatch::open_mapping(std::uint32_t pid, const ExecutableMapping& mapping) const {
  const std::string process = options_.proc_root + "/" + std::to_string(pid);
  // Also of a file that has no name any more.
  if (UniqueFd file = open_file(process + "/map_files/" + std::string(mapping.range))) return file;
  if (mapping.deleted) return {};
  return open_file(process + "/root" + std::string(mapping.path));
}

// Two containers of one image see one file through overlays of their own: the kernel would run the programs twice.
LibraryWatch::Library* LibraryWatch::known_as(const struct stat& facts, bool overlaid, const std::string& build_id) {
  for (Library& each : libraries_) {
    const bool same_number = each.facts.st_ino == facts.st_ino && each.facts.st_size == facts.st_size &&
                             each.facts.st_mtim.tv_sec == facts.st_mtim.tv_sec;
    const bool same_file = each.facts.st_dev == facts.st_dev && each.facts.st_ino == facts.st_ino;
    if (same_file || (same_number && (overlaid || each.overlaid) && !build_id.empty() && each.build_id == build_id))
      return &each;
  }
  return nullptr;
}

LibraryWatch::Library* LibraryWatch::open(UniqueFd file, std::string_view path,
                                          std::optional<std::string_view> family) {
  struct stat facts{};
  struct statfs system{};
  if (!file || ::fstat(file.get(), &facts) != 0) return nullptr;
  const bool overlaid = ::fstatfs(file.get(), &system) == 0 && system.f_type == overlay_magic;
  if (Library* known = known_as(facts, false, {})) return known;
  const auto elf = ElfFile::read(part_of(file.get(), options_.table_bytes_max));
  if (!elf) return nullptr;
  const std::vector<std::string_view> names = options_.table.names(family);
  const ElfFunctions found = find_functions(*elf, names);
  if (!family) family = options_.table.held_family(found.offsets);
  if (!family || found.offsets.empty()) return nullptr;
  if (Library* known = known_as(facts, overlaid, found.build_id)) return known;
  if (libraries_.size() >= options_.libraries_max) return nullptr;
  Library& library = libraries_.emplace_back();
  library.path = path;
  library.family = *family;
  library.build_id = found.build_id;
  library.facts = facts;
  library.overlaid = overlaid;
  library.file = std::move(file);
  library.functions = options_.table.places(*family, found.offsets);
  library.wanted = options_.table.needed(*family, found.offsets);
  return &library;
}

void LibraryWatch::hold(Library& library, std::int64_t process) {
  const auto holder = std::ranges::find(library.holders, process, &Holder::process);
  if (holder != library.holders.end())
    holder->seen = true;
  else
    library.holders.push_back({process});
}

void LibraryWatch::stand(std::span<const std::string> paths) {
  for (Library& library : libraries_) library.standing = false;
  for (const std::string& path : paths) {
    const auto family = options_.table.family_of(path);
    if (!family) continue;
    Library* library = open(open_file(path), path, *family);
    if (library == nullptr) continue;  // a linker script, or a library for another architecture: nobody maps it
    library->standing = true;
    hold(*library, -1);
  }
}

void LibraryWatch::begin_look() {
  for (Library& library : libraries_) {
    library.seen = false;
    for (Holder& holder : library.holders) holder.seen = false;
  }
  for (auto* map : {&by_mapping_, &by_program_})
    for (auto& [key, known] : *map) known.seen = false;
  for (auto& [pid, process] : processes_) process.seen = false;
}

void LibraryWatch::note(Known& known, std::uint32_t pid) {
  known.seen = true;
  if (known.library == nullptr) return;
  known.library->seen = true;
  hold(*known.library, options_.each_alone ? std::int64_t{pid} : -1);
}

// Once for each file, however many processes run it. Null: it cannot be opened now.
LibraryWatch::Known* LibraryWatch::look_at_program(std::uint32_t pid) {
  const std::string link = options_.proc_root + "/" + std::to_string(pid) + "/exe";
  struct stat facts{};
  if (::stat(link.c_str(), &facts) != 0) return nullptr;  // a thread of the kernel, or gone
  std::string key = program_key(facts);
  if (const auto known = by_program_.find(key); known != by_program_.end()) return &known->second;
  if (to_search_.size() >= unsearched_max) return nullptr;
  UniqueFd file = open_file(link);
  if (!file) return nullptr;
  to_search_.push_back({key, link_target(link), std::move(file)});
  return &by_program_.emplace(std::move(key), Known{}).first->second;
}

void LibraryWatch::search(Unsearched program) {
  const auto known = by_program_.find(program.key);
  if (known == by_program_.end()) return;  // nobody runs it any more
  known->second.library = open(std::move(program.file), program.path, std::nullopt);
  if (known->second.library == nullptr) return;
  for (const auto& [pid, process] : processes_)
    if (std::ranges::find(process.files, &known->second) != process.files.end()) note(known->second, pid);
}

void LibraryWatch::forget(std::uint32_t pid) {
  if (const auto process = processes_.find(pid); process != processes_.end()) process->second.pages = 0;
}

void LibraryWatch::let_go(std::uint32_t pid) {
  if (!options_.each_alone) return;
  for (Library& library : libraries_)
    std::erase_if(library.holders, [&](Holder& holder) {
      if (holder.process != std::int64_t{pid}) return false;
      closer_.close(std::move(holder.events));
      return true;
    });
}

void LibraryWatch::look_at(std::uint32_t pid) {
  const std::uint64_t pages = mapped_pages(options_.proc_root, pid);
  Process& process = processes_[pid];
  process.seen = true;
  if (pages != 0 && pages == process.pages && looks_ % full_look != 0) {
    for (Known* known : process.files) note(*known, pid);
    return;
  }
  process.pages = pages;
  process.files.clear();
  if (options_.search_programs)
    if (Known* program = look_at_program(pid)) {
      process.files.push_back(program);
      note(*program, pid);
    }
  for_each_executable_mapping(options_.proc_root, pid, options_.maps_bytes_max, [&](const ExecutableMapping& mapping) {
    const auto family = options_.table.family_of(mapping.path);
    if (!family) return;
    std::string key = mapping_key(mapping);
    auto known = by_mapping_.find(key);
    if (known == by_mapping_.end() || known->second.unopened) {
      UniqueFd file = open_mapping(pid, mapping);
      const bool unopened = !file;
      Library* library = open(std::move(file), mapping.path, *family);
      if (known == by_mapping_.end()) {
        if (library == nullptr) ++unseen_;
        known = by_mapping_.emplace(std::move(key), Known{}).first;
      } else if (library != nullptr) {
        --unseen_;
      }
      known->second.library = library;
      known->second.unopened = unopened;
    }
    process.files.push_back(&known->second);
    note(known->second, pid);
  });
}

void LibraryWatch::end_look() {
  ++looks_;
  std::erase_if(processes_, [](const auto& row) { return !row.second.seen; });
  for (Library& library : libraries_)
    if (!library.standing)
      std::erase_if(library.holders, [this](Holder& holder) {
        if (!holder.seen) closer_.close(std::move(holder.events));
        return !holder.seen;
      });
  const auto let_go = [](const Known& known) { return known.library != nullptr && known.library->holders.empty(); };
  std::erase_if(by_mapping_, [&](const auto& row) { return !row.second.seen || let_go(row.second); });
  // What was searched for nothing is not searched again when it runs again.
  const bool full = by_program_.size() > options_.programs_max;
  std::erase_if(by_program_, [&](const auto& row) { return (full && !row.second.seen) || let_go(row.second); });
  libraries_.remove_if([](const Library& library) { return library.holders.empty(); });
}

void LibraryWatch::set_next(Library& library, Holder& holder) {
  const LibraryTable::Place& function = library.functions[holder.next++];
  const FunctionPrograms& programs = options_.programs[function.number];
  const std::string path = "/proc/self/fd/" + std::to_string(library.file.get());
  // The return first: a call that began before its entry was watched cannot be told, and is known by that.
  for (const bool at_return : {true, false}) {
    const int program = at_return ? programs.at_return : programs.at_entry;
    if (program < 0) continue;
    auto event = source_.set({path, function.offset, at_return, holder.process}, program);
    if (!event) {
      if (event.error().os_error == ESRCH) return;  // the process has ended
      ++library.refused;
      library.problem = event.error().context;
      return;
    }
    holder.events.push_back(*std::move(event));
  }
}

void LibraryWatch::set_all(Library& library, Holder& holder) {
  holder.next = library.functions.size();
  for (const bool at_return : {true, false}) {
    Breakpoints where;
    where.file = "/proc/self/fd/" + std::to_string(library.file.get());
    where.at_return = at_return;
    where.process = holder.process;
    for (const LibraryTable::Place& function : library.functions) {
      const FunctionPrograms& needed = options_.programs[function.number];
      if ((at_return ? needed.at_return : needed.at_entry) < 0) continue;
      where.offsets.push_back(function.offset);
      where.numbers.push_back(function.number);
    }
    if (where.offsets.empty()) continue;
    const int program = at_return ? options_.common.at_return : options_.common.at_entry;
    auto link = set_breakpoints(where, program);
    if (!link) {
      if (link.error().os_error == ESRCH) return;  // the process has ended
      library.refused = library.functions.size();
      library.problem = link.error().context;
      closer_.close(std::exchange(holder.events, {}));  // returns alone tell nothing
      return;
    }
    holder.events.push_back(*std::move(link));
  }
}

bool LibraryWatch::set_some(Clock::time_point until) {
  for (Library& library : libraries_)
    for (Holder& holder : library.holders)
      while (holder.next < library.functions.size()) {
        if (Clock::now() >= until) return false;
        if (options_.common.at_entry >= 0)
          set_all(library, holder);
        else
          set_next(library, holder);
      }
  return true;
}

bool LibraryWatch::work(Clock::time_point until) {
  while (set_some(until)) {
    if (to_search_.empty()) return true;
    if (Clock::now() >= until) return false;
    Unsearched next = std::move(to_search_.front());
    to_search_.pop_front();
    search(std::move(next));
  }
  return false;
}

std::optional<std::string> LibraryWatch::path_of(std::string_view family, std::uint32_t pid) const {
  std::optional<std::string> path;
  bool several = false;
  const auto candidate = [&](std::string_view each) {
    several |= path && *path != each;
    if (!path) path = each;
  };
  for_each_executable_mapping(options_.proc_root, pid, options_.maps_bytes_max, [&](const ExecutableMapping& mapping) {
    if (options_.table.family_of(mapping.path) == family) candidate(mapping.path);
  });
  if (!path)
    for (const Library& library : libraries_)
      if (library.family == family) candidate(library.path);
  return several ? std::nullopt : path;
}

std::vector<AttachOutcome> LibraryWatch::outcomes() const {
  std::vector<AttachOutcome> all;
  for (const Library& library : libraries_) {
    const std::string name = library.path.substr(library.path.rfind('/') + 1);
    const std::size_t refused = std::min(library.refused, library.functions.size());
    const std::size_t set = library.functions.size() - refused;
    all.push_back({name + ": " + std::to_string(set) + " of " + std::to_string(library.wanted) + " functions", set != 0,
                   library.problem});
  }
  return all;
}

std::size_t LibraryWatch::breakpoints() const {
  std::size_t count = 0;
  for (const Library& library : libraries_)
    for (const Holder& holder : library.holders) count += holder.events.size();
  return count;
}

}  // namespace tracer
