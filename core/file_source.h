// Files as the process sees them that named them, read for the core by who may do I/O. Implemented by backends/procfs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tracer {

struct FileQuestion {
  std::uint32_t pid = 0;  // in the tracer's pid namespace: whose root, working directory and descriptors; 0: not known
  std::string_view path;  // may be relative
  std::optional<std::int32_t> directory_fd;  // what it is relative to; absent: the working directory
  bool not_at_path = false;  // what has that path now is another file, which must not be taken for it: `gone`
  bool path_cut = false;     // it goes on, nobody knows how: it names no file
};

// A file at one moment. Equal identities mean equal contents, for all that can be told without reading them.
struct FileIdentity {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0;
  auto operator<=>(const FileIdentity&) const = default;
};

enum class FileKind : std::uint8_t {
  regular,
  other,       // a directory, FIFO, device or socket: never opened, because that alone can change something
  gone,        // no such file (any more), or the process is gone
  unreadable,  // there, and we may not look
};

struct FileStat {
  FileKind kind = FileKind::gone;
  std::string path;  // absolute, in the process's own root; empty: could not be resolved
  FileIdentity identity;
  std::string reason;  // for people, where kind is not `regular`
};

class FileSource {
 public:
  virtual ~FileSource() = default;
  // Never blocks on a FIFO or a device, never changes an access time where that can be avoided.
  [[nodiscard]] virtual FileStat stat(const FileQuestion& question) = 0;
  // At most `bytes_max` bytes from `offset` on; nullopt: it cannot be read, or it is not the regular file any more
  // that `identity` names.
  [[nodiscard]] virtual std::optional<std::vector<std::byte>> read(const FileQuestion& question,
                                                                   const FileIdentity& identity, std::uint64_t offset,
                                                                   std::size_t bytes_max) = 0;
};

}  // namespace tracer
