// What files a process has mapped and open, read in pieces, so that one with a million of them stops nobody for long.
//
// Reading maps and cmdline takes a lock of the process's memory: while the process itself waits for a device with that
// lock held, so does the reader. Nothing else here can wait: the type of an open file is asked for without a word to
// its server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backends/procfs/proc_file_text.h"
#include "backends/procfs/proc_reader.h"

namespace tracer::procfs {

struct SeenFile {
  std::string path;  // absolute, in the process's own root where it lies in there
  bool not_at_path = false;
  int fd = -1;                         // of an open one
  std::optional<std::uint32_t> flags;  // of an open one
};

// The path of the process's root as the tracer sees it: "/" for most.
[[nodiscard]] Found<std::string> root_of(const ProcessDirectory& process);
// `path` as /proc gave it to the tracer, with its mark.
[[nodiscard]] SeenFile seen_file(std::string_view path, std::string_view root);

// Files with an executable mapping, each once.
class MappedFiles {
 public:
  [[nodiscard]] static Found<MappedFiles> open(const ProcessDirectory& process, std::string root,
                                               std::size_t bytes_max);
  // Appends what the next piece (at most 64 KiB) has; false: that was the last one.
  [[nodiscard]] Found<bool> next(std::vector<SeenFile>& found);
  [[nodiscard]] bool cut() const { return cut_; }  // there was more than `bytes_max`

 private:
  MappedFiles(UniqueFd maps, std::string root, std::size_t bytes_max)
      : maps_(std::move(maps)), root_(std::move(root)), bytes_left_(bytes_max) {}
  void take(std::string_view line, std::vector<SeenFile>& found);

  UniqueFd maps_;
  std::string root_;
  std::size_t bytes_left_;
  std::string begun_;                                       // a line whose end is in the next piece
  std::set<std::pair<std::uint64_t, std::uint64_t>> told_;  // device, inode
  bool cut_ = false;
};

// Is that known already, so that nothing more need be asked? The path is as /proc gives it.
using KnownDescriptor = std::function<bool(int fd, std::string_view path)>;

// Open regular files, by descriptor.
class OpenFiles {
 public:
  [[nodiscard]] static Found<OpenFiles> open(const ProcessDirectory& process, std::string root, std::size_t count_max);
  // Appends what the next piece of the directory (at most 4 KiB of names: some 170) has; false: that was the last one.
  [[nodiscard]] Found<bool> next(std::vector<SeenFile>& found, const KnownDescriptor& known = {});
  [[nodiscard]] std::size_t left_out() const { return left_out_; }  // more than `count_max`

 private:
  OpenFiles(UniqueFd descriptors, UniqueFd details, std::string root, std::size_t count_max)
      : descriptors_(std::move(descriptors)),
        details_(std::move(details)),
        root_(std::move(root)),
        count_left_(count_max) {}
  void look_at(int fd, const char* name, std::vector<SeenFile>& found, const KnownDescriptor& known) const;

  UniqueFd descriptors_, details_;  // /proc/PID/fd, fdinfo
  std::string root_;
  std::size_t count_left_;
  std::size_t left_out_ = 0;
};

}  // namespace tracer::procfs
