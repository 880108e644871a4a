// Files that processes have mapped so that they can be executed, out of /proc/PID/maps; and those that the system's
// loader would find for a program that has not started yet.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tracer {

struct ExecutableMapping {
  std::string_view range;   // "7f…-7f…", the name in /proc/PID/map_files
  std::string_view device;  // "fe:01"
  std::uint64_t inode = 0;
  std::string_view path;  // as the process sees it, without " (deleted)"
  bool deleted = false;
};

// nullopt: not executable, or no file. Pure.
[[nodiscard]] std::optional<ExecutableMapping> parse_mapping(std::string_view line);

// Calls `found` for each, with text that is valid until it returns. False: the process is gone, or its mappings may not
// be read. At most `bytes_max` bytes of the list are looked at.
bool for_each_executable_mapping(const std::string& proc_root, std::uint32_t pid, std::size_t bytes_max,
                                 const std::function<void(const ExecutableMapping&)>& found);

// Pages of a process's address space; 0: the process is gone, or a thread of the kernel.
[[nodiscard]] std::uint64_t mapped_pages(const std::string& proc_root, std::uint32_t pid);

// Processes that /proc shows, by its own numbering.
[[nodiscard]] std::vector<std::uint32_t> list_processes(const std::string& proc_root);

// Directories in which a loader looks by default, with those of /etc/ld.so.conf.d, and their files.
class LoaderDirectories {
 public:
  // `root`: "" but for tests.
  explicit LoaderDirectories(std::string root = {});
  // Absolute paths without symbolic links of all files that `wanted` takes by name. nullopt: nothing changed since the
  // last time.
  [[nodiscard]] std::optional<std::vector<std::string>> changed_files(
      const std::function<bool(std::string_view name)>& wanted);

 private:
  struct Seen {
    ino_t inode = 0;
    timespec changed{};
  };
  std::vector<std::string> directories_;
  std::map<std::string, Seen> seen_;
};

}  // namespace tracer
