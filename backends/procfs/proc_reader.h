// Reads a /proc tree: the real one, or a fixture. Every file is reached by openat from one directory descriptor, every
// read is bounded, and "it is gone" and "we may not look" are different answers.
//
// Costs, in system calls: open_process 1 (and 1 to close); stat, status, cgroup 3 each; executable, net_namespace and
// one descriptor 1 each; the list of descriptors 2 + 1 per 32 KiB of names + 1 per descriptor.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "backends/procfs/proc_text.h"
#include "core/base/result.h"
#include "core/base/unique_fd.h"

namespace tracer::procfs {

// Why there is no answer. Small on purpose: these are the everyday results of looking at processes that come and go.
enum class Refusal : std::uint8_t {
  gone,       // ENOENT, ESRCH: no such process, descriptor or file (any more); hidepid=2 looks the same
  denied,     // EACCES, EPERM
  malformed,  // not what a kernel writes there
  failed,     // any other errno
};
template <typename T>
using Found = std::expected<T, Refusal>;
[[nodiscard]] Refusal refusal_of(int os_error);

// No socket has inode 0: it stands for a descriptor of something else.
inline constexpr std::uint64_t not_a_socket = 0;

enum class Protocol : std::uint8_t { tcp, other, unsaid };

struct SocketDescriptor {
  int fd = -1;
  std::uint64_t inode = 0;
};

// One process, held by an open directory: a pid that is used again later is never mistaken for it.
class ProcessDirectory {
 public:
  [[nodiscard]] Found<StatFacts> stat() const;
  [[nodiscard]] Found<StatusFacts> status() const;
  [[nodiscard]] Found<std::string> executable() const;  // gone: a kernel thread or a zombie
  [[nodiscard]] Found<std::string> container() const;   // empty: in none
  [[nodiscard]] Found<std::uint64_t> net_namespace() const;
  // Appends the descriptors that are sockets to `found`, at most `looked_at_max` are looked at. Answers how many were
  // left.
  [[nodiscard]] Found<std::size_t> sockets(std::vector<SocketDescriptor>& found, std::size_t looked_at_max) const;
  // A file of the process to be read in pieces, such as "net/tcp".
  [[nodiscard]] Found<UniqueFd> open(const char* name) const;
  [[nodiscard]] Found<UniqueFd> open_directory(const char* name) const;
  // The directory behind a link ("root", "cwd", "fd/3"): to find files below it, not to list it.
  [[nodiscard]] Found<UniqueFd> enter(const char* link_name) const;
  // Target of a link ("root", "cwd", "ns/mnt"), as the tracer sees it.
  [[nodiscard]] Found<std::string> link(const char* name) const;
  // As given to exec, unless the process wrote over it: each argument ends with a NUL; of longer ones the first
  // `bytes_max` bytes, and `cut` says so. Empty: a kernel thread or a zombie.
  struct Arguments {
    std::string text;
    bool cut = false;
  };
  [[nodiscard]] Found<Arguments> arguments(std::size_t bytes_max) const;

 private:
  friend class ProcReader;
  explicit ProcessDirectory(UniqueFd directory) : directory_(std::move(directory)) {}
  UniqueFd directory_;
};

class ProcReader {
 public:
  [[nodiscard]] static Result<ProcReader> open(std::string root);

  [[nodiscard]] Found<ProcessDirectory> process(std::uint32_t pid) const;
  // The process that this /proc takes the caller for; gone when the caller is in no namespace that it shows.
  [[nodiscard]] Found<ProcessDirectory> self() const;
  [[nodiscard]] Found<std::uint32_t> self_pid() const;
  [[nodiscard]] Found<std::uint64_t> pid_namespace(const char* process) const;  // "self" or a number
  // Thread groups, in the order of the directory; at most `count_max`, and how many were left out.
  [[nodiscard]] Result<std::size_t> pids(std::vector<std::uint32_t>& found, std::size_t count_max) const;

  // The inode of the socket behind a descriptor, or not_a_socket.
  [[nodiscard]] Found<std::uint64_t> socket_inode(std::uint32_t pid, int fd) const;
  // What the kernel calls the protocol of that socket, whatever network namespace it is in.
  [[nodiscard]] Protocol protocol(std::uint32_t pid, int fd) const;

 private:
  ProcReader(std::string root, UniqueFd directory) : root_(std::move(root)), directory_(std::move(directory)) {}
  std::string root_;
  UniqueFd directory_;
};

}  // namespace tracer::procfs
