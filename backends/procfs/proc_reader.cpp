#include "backends/procfs/proc_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>

namespace tracer::procfs {
namespace {

constexpr std::size_t small_file_bytes_max =
    std::size_t{16} * 1024;  // stat, status, cgroup: all far below on any kernel
constexpr std::size_t directory_buffer_bytes = std::size_t{32} * 1024;
constexpr std::size_t path_bytes_max = 320;  // below the root; of absolute paths, with a root of at most 256
constexpr std::size_t link_bytes_max = 64;   // of links that hold an inode: "socket:[18446744073709551615]"

std::unexpected<Refusal> refused() { return std::unexpected(refusal_of(errno)); }

// "PID/fd/FD" and the like, without allocation.
class ProcPath {
 public:
  ProcPath& add(std::string_view text) {
    const std::size_t length = std::min(text.size(), buffer_.size() - 1 - size_);
    std::memcpy(buffer_.data() + size_, text.data(), length);
    size_ += length;
    return *this;
  }
  ProcPath& add(std::integral auto number) {
    const auto [end, error] = std::to_chars(buffer_.data() + size_, buffer_.data() + buffer_.size() - 1, number);
    if (error == std::errc{}) size_ = static_cast<std::size_t>(end - buffer_.data());
    return *this;
  }
  [[nodiscard]] const char* c_str() {
    buffer_[size_] = '\0';
    return buffer_.data();
  }

 private:
  std::array<char, path_bytes_max> buffer_;
  std::size_t size_ = 0;
};

// A whole small file at once; longer ones are cut, which the parsers see as a missing field.
Found<std::string_view> read_small_file(int directory, const char* name, std::span<char> buffer) {
  const UniqueFd file(::openat(directory, name, O_RDONLY | O_CLOEXEC));
  if (!file) return refused();
  ssize_t count = 0;
  do {
    count = ::read(file.get(), buffer.data(), buffer.size());  // one record: /proc hands it out in one read
  } while (count < 0 && errno == EINTR);
  if (count < 0) return refused();
  return std::string_view(buffer.data(), static_cast<std::size_t>(count));
}

Found<std::string_view> read_link(int directory, const char* name, std::span<char> buffer) {
  const ssize_t length = ::readlinkat(directory, name, buffer.data(), buffer.size());
  if (length < 0) return refused();
  return std::string_view(buffer.data(), static_cast<std::size_t>(length));
}

Found<std::uint64_t> read_inode_link(int directory, const char* name, std::string_view kind) {
  std::array<char, link_bytes_max> buffer;
  const auto target = read_link(directory, name, buffer);
  if (!target) return std::unexpected(target.error());
  const auto inode = inode_of_link(*target, kind);
  if (!inode) return std::unexpected(Refusal::malformed);
  return *inode;
}

Found<std::uint64_t> read_descriptor(int directory, const char* name) {
  std::array<char, link_bytes_max> buffer;
  const auto target = read_link(directory, name, buffer);
  if (!target) return std::unexpected(target.error());
  return inode_of_link(*target, "socket").value_or(not_a_socket);
}

// Calls `visit` with each name that is a number. False: errno says why the end was not reached.
template <typename Visit>
bool for_each_number(int directory, Visit visit) {
  alignas(dirent64) std::array<char, directory_buffer_bytes> buffer;
  for (;;) {
    const ssize_t count = ::getdents64(directory, buffer.data(), buffer.size());
    if (count < 0) return false;
    if (count == 0) return true;
    for (std::size_t at = 0; at < static_cast<std::size_t>(count);) {
      const char* entry = buffer.data() + at;
      unsigned short length = 0;
      std::memcpy(&length, entry + offsetof(dirent64, d_reclen), sizeof length);
      const char* name = entry + offsetof(dirent64, d_name);
      if (const auto number = parse_decimal<std::uint32_t>(name)) visit(*number, name);
      at += length;
    }
  }
}

}  // namespace

Refusal refusal_of(int os_error) {
  switch (os_error) {
    case ENOENT:
    case ESRCH:
      return Refusal::gone;
    case EACCES:
    case EPERM:
      return Refusal::denied;
    default:
      return Refusal::failed;
  }
}

Found<StatFacts> ProcessDirectory::stat() const {
  std::array<char, small_file_bytes_max> buffer;
  const auto text = read_small_file(directory_.get(), "stat", buffer);
  if (!text) return std::unexpected(text.error());
  auto facts = parse_stat(*text);
  if (!facts) return std::unexpected(Refusal::malformed);
  return *std::move(facts);
}

Found<StatusFacts> ProcessDirectory::status() const {
  std::array<char, small_file_bytes_max> buffer;
  const auto text = read_small_file(directory_.get(), "status", buffer);
  if (!text) return std::unexpected(text.error());
  auto facts = parse_status(*text);
  if (!facts) return std::unexpected(Refusal::malformed);
  return *std::move(facts);
}

Found<std::string> ProcessDirectory::executable() const {
  std::array<char, PATH_MAX> buffer;
  const auto target = read_link(directory_.get(), "exe", buffer);
  if (!target) return std::unexpected(target.error());
  return std::string(without_deleted_mark(*target));
}

Found<std::string> ProcessDirectory::container() const {
  std::array<char, small_file_bytes_max> buffer;
  const auto text = read_small_file(directory_.get(), "cgroup", buffer);
  if (!text) return std::unexpected(text.error());
  return std::string(container_id(*text));
}

Found<std::uint64_t> ProcessDirectory::net_namespace() const {
  return read_inode_link(directory_.get(), "ns/net", "net");
}

Found<std::size_t> ProcessDirectory::sockets(std::vector<SocketDescriptor>& found, std::size_t looked_at_max) const {
  const UniqueFd directory(::openat(directory_.get(), "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return refused();
  std::size_t looked_at = 0;
  std::size_t left = 0;
  const bool complete = for_each_number(directory.get(), [&](std::uint32_t fd, const char* name) {
    if (looked_at == looked_at_max) {
      ++left;
      return;
    }
    ++looked_at;
    const auto inode = read_descriptor(directory.get(), name);
    if (inode && *inode != not_a_socket) found.push_back({static_cast<int>(fd), *inode});
  });
  if (!complete) return refused();
  return left;
}

Found<UniqueFd> ProcessDirectory::open(const char* name) const {
  UniqueFd file(::openat(directory_.get(), name, O_RDONLY | O_CLOEXEC));
  if (!file) return refused();
  return file;
}

Found<UniqueFd> ProcessDirectory::open_directory(const char* name) const {
  UniqueFd directory(::openat(directory_.get(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return refused();
  return directory;
}

Found<UniqueFd> ProcessDirectory::enter(const char* link_name) const {
  UniqueFd directory(::openat(directory_.get(), link_name, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return refused();
  return directory;
}

Found<std::string> ProcessDirectory::link(const char* name) const {
  std::array<char, PATH_MAX> buffer;
  const auto target = read_link(directory_.get(), name, buffer);
  if (!target) return std::unexpected(target.error());
  return std::string(*target);
}

Found<ProcessDirectory::Arguments> ProcessDirectory::arguments(std::size_t bytes_max) const {
  const UniqueFd file(::openat(directory_.get(), "cmdline", O_RDONLY | O_CLOEXEC));
  if (!file) return refused();
  Arguments arguments;
  arguments.text.resize(bytes_max + 1);
  std::size_t size = 0;
  while (size < arguments.text.size()) {
    const ssize_t count = ::read(file.get(), arguments.text.data() + size, arguments.text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return refused();
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  arguments.cut = size > bytes_max;
  arguments.text.resize(std::min(size, bytes_max));
  arguments.text.resize(without_title_padding(arguments.text).size());
  return arguments;
}

Result<ProcReader> ProcReader::open(std::string root) {
  UniqueFd directory(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return std::unexpected(os_failure(errno, "open " + root));
  return ProcReader(std::move(root), std::move(directory));
}

Found<ProcessDirectory> ProcReader::process(std::uint32_t pid) const {
  UniqueFd directory(::openat(directory_.get(), ProcPath().add(pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return refused();
  return ProcessDirectory(std::move(directory));
}

Found<ProcessDirectory> ProcReader::self() const {
  UniqueFd directory(::openat(directory_.get(), "self", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return refused();
  return ProcessDirectory(std::move(directory));
}

Found<std::uint32_t> ProcReader::self_pid() const {
  std::array<char, link_bytes_max> buffer;
  const auto target = read_link(directory_.get(), "self", buffer);
  if (!target) return std::unexpected(target.error());
  const auto pid = parse_decimal<std::uint32_t>(*target);
  if (!pid) return std::unexpected(Refusal::malformed);
  return *pid;
}

Found<std::uint64_t> ProcReader::pid_namespace(const char* process) const {
  return read_inode_link(directory_.get(), ProcPath().add(process).add("/ns/pid").c_str(), "pid");
}

Result<std::size_t> ProcReader::pids(std::vector<std::uint32_t>& found, std::size_t count_max) const {
  // A descriptor of its own: the position in a directory belongs to the open file.
  const UniqueFd directory(::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return std::unexpected(os_failure(errno, "open " + root_));
  std::size_t left = 0;
  const bool complete = for_each_number(directory.get(), [&](std::uint32_t pid, const char*) {
    if (found.size() < count_max) {
      found.push_back(pid);
    } else {
      ++left;
    }
  });
  if (!complete) return std::unexpected(os_failure(errno, "list " + root_));
  return left;
}

Found<std::uint64_t> ProcReader::socket_inode(std::uint32_t pid, int fd) const {
  return read_descriptor(directory_.get(), ProcPath().add(pid).add("/fd/").add(fd).c_str());
}

Protocol ProcReader::protocol(std::uint32_t pid, int fd) const {
  // Extended attributes are asked by path only. The attribute is there since Linux 3.7 and needs no socket table.
  if (root_.size() > 256) return Protocol::unsaid;
  ProcPath path;
  path.add(root_).add("/").add(pid).add("/fd/").add(fd);
  std::array<char, 32> name;
  const ssize_t length = ::getxattr(path.c_str(), "system.sockprotoname", name.data(), name.size());
  if (length < 0) return Protocol::unsaid;
  return is_tcp_protocol_name({name.data(), static_cast<std::size_t>(length)}) ? Protocol::tcp : Protocol::other;
}

}  // namespace tracer::procfs
